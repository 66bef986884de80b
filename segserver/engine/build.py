"""``build(config)`` wires everything; there is no other place, and no global."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from segserver import __version__
from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.catalog import Catalog, read_directory
from segserver.config import Config
from segserver.engine.audit import AuditDesk, log_signer
from segserver.engine.behavior import Behavior
from segserver.engine.bulk import BulkEvaluator
from segserver.engine.callers import CallerDesk, Callers, Denial, denial_entry, hash_key, new_key
from segserver.engine.catalogs import Catalogs
from segserver.engine.compare import Comparer
from segserver.engine.consent import ConsentDesk
from segserver.engine.corridor import Corridor
from segserver.engine.evaluate import Evaluator
from segserver.engine.events import EventDesk
from segserver.engine.evidence import Evidence
from segserver.engine.explain import Explainer
from segserver.engine.fitting import Fitter
from segserver.engine.histories import Histories
from segserver.engine.keys import load_keyring
from segserver.engine.lists import ListDesk
from segserver.engine.memberships import MembershipKeeper
from segserver.engine.plugins import load_plugins, record_breakers
from segserver.engine.portable import PortableEvents
from segserver.engine.profiles import ProfileDesk
from segserver.engine.refresh import Refresher
from segserver.engine.replay import Replayer
from segserver.engine.rights import RightsDesk
from segserver.engine.serving import Serving
from segserver.engine.store import Store, has_store, open_store
from segserver.engine.upkeep import Upkeep
from segserver.engine.watching import Watcher
from segserver.errors import FailedPrecondition, Unavailable
from segserver.model import Role
from segserver.observe.counts import Counts
from segserver.privacy.consent import Consents
from segserver.privacy.gate import Gate
from segserver.privacy.keyring import Keyring, check_keyring, new_keyring
from segserver.privacy.keys import FILE_PROVIDER, KeyProvider, Keys, choose
from segserver.privacy.primitives import derive, mac
from segserver.privacy.profiles import Profiles
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.receipt import Controller
from segserver.privacy.release import Release
from segserver.privacy.rights import Identifications, Register, Rights
from segserver.privacy.vault import Vault
from segserver.storage import callers
from segserver.storage.catalogs import CatalogRow
from segserver.storage.consents import ConsentRecords
from segserver.storage.contract import Connection
from segserver.storage.events import EventParts
from segserver.storage.lists import Lists
from segserver.storage.memberships import Memberships
from segserver.storage.requests import Requests
from segserver.storage.subjects import Subjects
from segserver.storage.writer import Writer
from segserver.strategies.host import Host
from segserver.strategies.manager import Installed

DEV_CALLER = "dev"


def system_clock_us() -> int:
    """Microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything a door needs. Close it when the door is closed."""

    config: Config
    installed: Installed
    host: Host
    callers: Callers
    catalogs: Catalogs
    evaluator: Evaluator
    bulk: BulkEvaluator
    explainer: Explainer
    lists: ListDesk
    refresher: Refresher
    watcher: Watcher
    fitter: Fitter
    comparer: Comparer
    profiles: ProfileDesk
    events: EventDesk
    consents: ConsentDesk
    rights: RightsDesk
    audit: AuditDesk
    upkeep: Upkeep
    store: Store
    counts: Counts
    now_us: Callable[[], int]

    async def record_denials(self, denials: Sequence[Denial]) -> None:
        """Leaves an entry about each, all in one write. Raises :class:`Unavailable`."""
        await self.store.writer.write(None, [denial_entry(denial, self.now_us()) for denial in denials])

    async def record_start(self) -> None:
        """Leaves an entry that the server serves, and one for each plugin that it does not use."""
        for quarantined in self.installed.quarantined:
            await self._record(
                Kind.STRATEGY_QUARANTINED,
                "",
                "OK",
                {"plugin": str(quarantined.origin), "why": quarantined.reason[:500]},
            )
        await self._record(Kind.SERVER_STARTED, "", "OK", {"version": __version__})

    async def record_stop(self) -> None:
        """Leaves an entry that the server stops in order."""
        await self._record(Kind.SERVER_STOPPED, "", "OK", {"version": __version__})

    def close(self) -> None:
        """Ends the plugin host processes, finishes what was submitted to the store, signs the log, and closes
        them."""
        self.installed.close()
        self.upkeep.close()
        self.audit.close()
        self.store.close()

    async def _record(self, kind: Kind, caller: str, result: str, details: dict[str, str]) -> None:
        entry = Entry(
            time=timestamp_us(self.now_us()),
            kind=kind,
            caller=caller,
            result=result,
            details=details,
        )
        await self.store.writer.write(None, (encode(entry),))


def build(
    config: Config,
    *,
    installed: Installed | None = None,
    now_us: Callable[[], int] = system_clock_us,
    publish: bool = True,
) -> Engine:
    """An engine on the store of ``config``, with the catalog that serves: that of ``catalog_dir``, or without
    ``publish`` the newest that is stored.

    Raises :class:`FailedPrecondition` for a missing or wrong keyring, an affected SQLite library, no catalog,
    or (strict) a quarantined plugin; :class:`CatalogError` for a catalog with problems; :class:`Unavailable`
    for a store that can't be used."""
    plugins = load_plugins(config) if installed is None else installed
    try:
        return _build(config, plugins, now_us, publish=publish)
    except BaseException:
        plugins.close()
        raise


def _build(config: Config, plugins: Installed, now_us: Callable[[], int], *, publish: bool) -> Engine:
    documents = read_directory(config.catalog_dir) if config.catalog_dir and publish else None
    provider = choose(config.key_provider, config.keyring_path, plugins.key_providers)
    with starting(config):
        keyring, store = _opened(config, provider, now_us)
    writer = store.writer
    record_breakers(plugins, writer, now_us)
    try:
        pseudonyms = Pseudonyms(keyring, default_region=config.phone_region)
        vault = Vault(keyring, provider.load)
        memberships = MembershipKeeper(Memberships(), pseudonyms, lambda: served.serving, now_us)
        keeper = Profiles(vault, Subjects(), memberships.touched)

        def serve(catalog: Catalog, row: CatalogRow) -> Serving:
            return Serving(catalog, row, Gate(catalog.policy))

        host, counts = Host(), Counts()
        served = Catalogs(store, plugins, host, serve, now_us)
        served.open(documents)
        release_key = derive(keyring.pseudonym_root, f"release/{keyring.tenant}")
        inputs_key = derive(keyring.pseudonym_root, f"audit-inputs/{keyring.tenant}")
        beside = Evidence(config.evidence_path)
        histories = Histories(vault, EventParts())
        behavior = Behavior(histories, writer.submit)
        corridor = Corridor(
            store.reads, pseudonyms, keeper, lambda: served.serving, now_us, mac(inputs_key), behavior
        )
        erasers = {"events": EventParts().erase, "lists": Lists().erase, "memberships": memberships.erase}
        rights = Rights(vault, keeper, Subjects(), ConsentRecords(), pseudonyms, erasers)
        consents, desk = _privacy(
            config, store, pseudonyms, vault, keeper, corridor, served, rights, histories, now_us
        )
        return Engine(
            config=config,
            installed=plugins,
            host=host,
            callers=Callers(store.reads, now_us),
            catalogs=served,
            evaluator=Evaluator(corridor, writer, now_us, counts),
            bulk=BulkEvaluator(
                corridor,
                store,
                vault,
                pseudonyms,
                behavior,
                Evidence(config.evidence_path),
                now_us,
                inputs_key,
                config.limits,
            ),
            lists=ListDesk(store, pseudonyms, lambda: served.serving, now_us, config.limits.list_ids_max),
            refresher=Refresher(
                store, corridor, vault, behavior, lambda: served.serving, now_us, config.memberships
            ),
            watcher=Watcher(store, corridor, vault, pseudonyms, now_us),
            fitter=Fitter(store, vault, behavior, served, now_us),
            comparer=Comparer(store, vault, behavior, served, Release(release_key), now_us),
            explainer=Explainer(corridor, writer, now_us),
            profiles=ProfileDesk(
                store.reads, writer, pseudonyms, keeper, lambda: served.serving, now_us, config.limits
            ),
            events=EventDesk(
                writer,
                pseudonyms,
                keeper,
                vault,
                histories,
                lambda: served.serving,
                now_us,
                config.events,
            ),
            consents=consents,
            rights=desk,
            audit=AuditDesk(
                store,
                pseudonyms,
                keeper,
                log_signer(keyring),
                Replayer(corridor, served, pseudonyms),
                beside,
                now_us,
            ),
            upkeep=Upkeep(
                store,
                Keys(provider, vault, Subjects()),
                rights,
                histories,
                lambda: served.serving,
                config.upkeep,
                now_us,
            ),
            store=store,
            counts=counts,
            now_us=now_us,
        )
    except BaseException:
        store.close()
        raise


def _privacy(
    config: Config,
    store: Store,
    pseudonyms: Pseudonyms,
    vault: Vault,
    keeper: Profiles,
    corridor: Corridor,
    served: Catalogs,
    rights: Rights,
    histories: Histories,
    now_us: Callable[[], int],
) -> tuple[ConsentDesk, RightsDesk]:
    """The desks where decisions are recorded and rights are served."""
    controller = Controller(**config.controller.model_dump())
    records, requests, subjects = ConsentRecords(), Requests(), Subjects()
    ledger = Consents(vault, keeper, records)
    consents = ConsentDesk(
        store.reads, store.writer, pseudonyms, keeper, ledger, lambda: served.serving, now_us, controller
    )
    desk = RightsDesk(
        store=store,
        pseudonyms=pseudonyms,
        profiles=keeper,
        consents=ledger,
        rights=rights,
        register=Register(requests),
        identifications=Identifications(requests, subjects, pseudonyms),
        ledger=consents,
        corridor=corridor,
        serving=lambda: served.serving,
        now_us=now_us,
        controller=controller,
        events=PortableEvents(histories, config.limits.message_bytes_max // 8),
    )
    return consents, desk


@contextlib.contextmanager
def starting(config: Config) -> Iterator[None]:
    """One process at a time makes what a first start makes in a data directory: keys, schema, a caller for
    development. The lock goes with its process, however that ends.

    Raises :class:`Unavailable` when the data directory can't be made or written."""
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(config.start_lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unavailable(
            f"the data directory {config.data_dir} can't be made or written: {error.strerror}",
            reason="STORE_UNAVAILABLE",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _opened(config: Config, provider: KeyProvider, now_us: Callable[[], int]) -> tuple[Keyring, Store]:
    """The keyring and the store that it fits, with a caller for development where that is asked for."""
    keyring = _keyring(config, provider)
    store = open_store(config)
    try:
        _check_keys(keyring, store.reader, store.writer)
        if config.dev:
            _ensure_dev_caller(config, store.reader, store.writer, now_us)
    except BaseException:
        store.close()
        raise
    return keyring, store


def _keyring(config: Config, provider: KeyProvider) -> Keyring:
    """The keyring; for development, a new one where there is neither keyring nor database."""
    is_file = provider.name == FILE_PROVIDER
    if config.dev and is_file and not config.keyring_path.exists() and not has_store(config):
        provider.create(new_keyring())
    return load_keyring(config, provider)


def _check_keys(keyring: Keyring, reader: Connection, writer: Writer) -> None:
    """Refuses a keyring that is not this database's; the first start records whose it is."""
    store = Subjects()
    recorded = store.key_checks(reader)
    check_keyring(keyring, recorded)
    values = keyring.check_values()
    if recorded != values:
        writer.write_blocking(lambda connection: store.put_key_checks(connection, values))


def _ensure_dev_caller(config: Config, reader: Connection, writer: Writer, now_us: Callable[[], int]) -> None:
    """A caller with every role for trials on this machine; its key lies in a file that only its owner can
    read.

    Raises :class:`FailedPrecondition` when the server could be reached from elsewhere.
    """
    if not config.loopback:
        raise FailedPrecondition(
            f"--dev makes a caller that may do everything: it needs a loopback address, not {config.listen}",
            reason="DEV_NOT_ON_LOOPBACK",
        )
    path = config.dev_key_path
    if path.exists() and callers.find(reader, hash_key(path.read_text().strip())):
        return
    if any(row.name == DEV_CALLER for row in callers.listing(reader)):
        raise FailedPrecondition(
            f"the development caller exists, and its key file {path} is gone or another's; "
            "restore the file, or take a new data directory",
            reason="DEV_KEY_MISSING",
        )
    key = new_key()
    # The file comes first: a start that is cut off in between leaves a key without a caller, and the next one
    # makes another; a caller without its key could never be used.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    CallerDesk(writer, now_us).add(DEV_CALLER, [role.value for role in Role], ["*"], key=key)
