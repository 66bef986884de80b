"""What a start does before it serves: the keyring and the store that belong together, made where there are
none yet.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator

from segserver.config import Config
from segserver.engine.callers import CallerDesk, hash_key, new_key
from segserver.engine.keys import load_keyring
from segserver.engine.store import Store, has_store, open_store
from segserver.errors import FailedPrecondition, Unavailable
from segserver.model import Role
from segserver.privacy.keyring import Keyring, check_keyring, new_keyring
from segserver.privacy.keys import FILE_PROVIDER, KeyProvider
from segserver.storage import callers
from segserver.storage.contract import Connection
from segserver.storage.subjects import Subjects
from segserver.storage.writer import Writer

DEV_CALLER = "dev"


@contextlib.contextmanager
def start_lock(config: Config) -> Iterator[None]:
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


def open_keyring_and_store(
    config: Config, provider: KeyProvider, now_us: Callable[[], int]
) -> tuple[Keyring, Store]:
    """The keyring and the store that it fits, with a caller for development where that is asked for.

    Raises :class:`FailedPrecondition` for a missing or wrong keyring, an affected SQLite library, or a server
    for development that could be reached from elsewhere; :class:`Unavailable` for a store that can't be used.
    """
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
