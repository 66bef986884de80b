"""``build(config)`` wires everything; there is no other place, and no global."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segserver import __version__
from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.catalog import Catalog, read_directory
from segserver.config import Config
from segserver.engine.audit import AuditDesk, log_signer
from segserver.engine.behavior import Behavior
from segserver.engine.bulk import BulkEvaluator
from segserver.engine.callers import Callers, Denial, denial_entry
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
from segserver.engine.lists import ListDesk
from segserver.engine.memberships import MembershipKeeper
from segserver.engine.plugins import load_plugins, record_breakers
from segserver.engine.portable import PortableEvents
from segserver.engine.profiles import ProfileDesk
from segserver.engine.refresh import Refresher
from segserver.engine.replay import Replayer
from segserver.engine.rights import RightsDesk
from segserver.engine.serving import Serving
from segserver.engine.starting import open_keyring_and_store, start_lock
from segserver.engine.store import Store
from segserver.engine.upkeep import Upkeep
from segserver.engine.watching import Watcher
from segserver.observe.counts import Counts
from segserver.privacy.consent import Consents
from segserver.privacy.gate import Gate
from segserver.privacy.keyring import Keyring
from segserver.privacy.keys import KeyProvider, Keys, choose
from segserver.privacy.primitives import derive, mac
from segserver.privacy.profiles import Profiles
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.receipt import Controller
from segserver.privacy.release import Release
from segserver.privacy.rights import Identifications, Register, Rights
from segserver.privacy.vault import Vault
from segserver.storage.catalogs import CatalogRow
from segserver.storage.consents import ConsentRecords
from segserver.storage.events import EventParts
from segserver.storage.lists import Lists
from segserver.storage.memberships import Memberships
from segserver.storage.requests import Requests
from segserver.storage.subjects import Subjects
from segserver.strategies.host import Host
from segserver.strategies.manager import Installed


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
    with start_lock(config):
        keyring, store = open_keyring_and_store(config, provider, now_us)
    record_breakers(plugins, store.writer, now_us)
    try:
        host = Host()
        shared = _shared(config, keyring, provider, store, plugins, host, now_us)
        shared.catalogs.open(documents)
        return _engine(shared, provider, plugins, host)
    except BaseException:
        store.close()
        raise


@dataclass(frozen=True, slots=True)
class _Shared:
    """What several use cases work with."""

    config: Config
    keyring: Keyring
    store: Store
    catalogs: Catalogs
    pseudonyms: Pseudonyms
    vault: Vault
    profiles: Profiles
    histories: Histories
    behavior: Behavior
    corridor: Corridor
    rights: Rights
    inputs_key: bytes
    now_us: Callable[[], int]

    def serving(self) -> Serving:
        """The catalog that serves now."""
        return self.catalogs.serving


def _shared(
    config: Config,
    keyring: Keyring,
    provider: KeyProvider,
    store: Store,
    plugins: Installed,
    host: Host,
    now_us: Callable[[], int],
) -> _Shared:
    def serve(catalog: Catalog, row: CatalogRow) -> Serving:
        return Serving(catalog, row, Gate(catalog.policy))

    def serving() -> Serving:
        return catalogs.serving

    catalogs = Catalogs(store, plugins, host, serve, now_us)
    pseudonyms = Pseudonyms(keyring, default_region=config.phone_region)
    vault = Vault(keyring, provider.load)
    memberships = MembershipKeeper(Memberships(), pseudonyms, serving, now_us)
    profiles = Profiles(vault, Subjects(), memberships.touched)
    inputs_key = derive(keyring.pseudonym_root, f"audit-inputs/{keyring.tenant}")
    histories = Histories(vault, EventParts())
    behavior = Behavior(histories, store.writer.submit)
    erasers = {"events": EventParts().erase, "lists": Lists().erase, "memberships": memberships.erase}
    return _Shared(
        config=config,
        keyring=keyring,
        store=store,
        catalogs=catalogs,
        pseudonyms=pseudonyms,
        vault=vault,
        profiles=profiles,
        histories=histories,
        behavior=behavior,
        corridor=Corridor(store.reads, pseudonyms, profiles, serving, now_us, mac(inputs_key), behavior),
        rights=Rights(vault, profiles, Subjects(), ConsentRecords(), pseudonyms, erasers),
        inputs_key=inputs_key,
        now_us=now_us,
    )


def _engine(shared: _Shared, provider: KeyProvider, plugins: Installed, host: Host) -> Engine:
    config, now_us, serving, catalogs = shared.config, shared.now_us, shared.serving, shared.catalogs
    store, pseudonyms, vault, profiles = shared.store, shared.pseudonyms, shared.vault, shared.profiles
    histories, behavior, corridor = shared.histories, shared.behavior, shared.corridor
    reads, writer = store.reads, store.writer
    keyring, counts, evidence = shared.keyring, Counts(), Evidence(config.evidence_path)
    release = Release(derive(keyring.pseudonym_root, f"release/{keyring.tenant}"))
    consents, rights = _privacy(shared)
    return Engine(
        config=config,
        installed=plugins,
        host=host,
        callers=Callers(reads, now_us),
        catalogs=catalogs,
        evaluator=Evaluator(corridor, writer, now_us, counts),
        bulk=BulkEvaluator(
            corridor,
            store,
            vault,
            pseudonyms,
            behavior,
            evidence,
            now_us,
            shared.inputs_key,
            config.limits,
        ),
        lists=ListDesk(store, pseudonyms, serving, now_us, config.limits.list_ids_max),
        refresher=Refresher(store, corridor, vault, behavior, serving, now_us, config.memberships),
        watcher=Watcher(store, corridor, vault, pseudonyms, now_us),
        fitter=Fitter(store, vault, behavior, catalogs, now_us),
        comparer=Comparer(store, vault, behavior, catalogs, release, now_us),
        explainer=Explainer(corridor, writer, now_us),
        profiles=ProfileDesk(reads, writer, pseudonyms, profiles, serving, now_us, config.limits),
        events=EventDesk(writer, pseudonyms, profiles, vault, histories, serving, now_us, config.events),
        consents=consents,
        rights=rights,
        audit=AuditDesk(
            store,
            pseudonyms,
            profiles,
            log_signer(keyring),
            Replayer(corridor, catalogs, pseudonyms),
            evidence,
            now_us,
        ),
        upkeep=Upkeep(
            store,
            Keys(provider, vault, Subjects()),
            shared.rights,
            histories,
            serving,
            config.upkeep,
            now_us,
        ),
        store=store,
        counts=counts,
        now_us=now_us,
    )


def _privacy(shared: _Shared) -> tuple[ConsentDesk, RightsDesk]:
    """The desks where decisions are recorded and rights are served."""
    config, store, pseudonyms, now_us = shared.config, shared.store, shared.pseudonyms, shared.now_us
    profiles, serving = shared.profiles, shared.serving
    controller = Controller(**config.controller.model_dump())
    requests = Requests()
    ledger = Consents(shared.vault, profiles, ConsentRecords())
    consents = ConsentDesk(
        store.reads, store.writer, pseudonyms, profiles, ledger, serving, now_us, controller
    )
    desk = RightsDesk(
        store=store,
        pseudonyms=pseudonyms,
        profiles=profiles,
        consents=ledger,
        rights=shared.rights,
        register=Register(requests),
        identifications=Identifications(requests, Subjects(), pseudonyms),
        ledger=consents,
        corridor=shared.corridor,
        serving=serving,
        now_us=now_us,
        controller=controller,
        events=PortableEvents(shared.histories, config.limits.message_bytes_max // 8),
    )
    return consents, desk
