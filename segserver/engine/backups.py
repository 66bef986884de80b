"""Copies of a whole store: backups while it serves, their verification, restoring, and moving to another.

A backup is one SQLite file, whatever kind of store it is of. The keyring is never in it.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from segserver.audit.log import read_head
from segserver.audit.note import Checkpoint, NoteKey
from segserver.audit.verify import Progress, Report, verify
from segserver.config import Config
from segserver.errors import Conflict, IntegrityError, Unavailable
from segserver.privacy.keyring import Keyring, check_keyring
from segserver.privacy.subject import SUBJECT_KEY_BYTES
from segserver.privacy.vault import Vault
from segserver.storage import copying
from segserver.storage.contract import Connection, Database
from segserver.storage.files import sync
from segserver.storage.sqlite import Database as File
from segserver.storage.sqlite.database import check_whole, open_copy, tables
from segserver.storage.subjects import Subjects

SAMPLE_SUBJECTS = 100
"""How many subjects a verification opens."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What the verification of a copy found."""

    log: Report
    rows: dict[str, int]
    opened: int | None
    """How many subjects were opened, each with its profile and decisions; ``None`` without a keyring."""
    missing: int
    """How many entries the witness saw that the copy's log does not have."""


def create(database: Database, path: Path) -> None:
    """Writes a backup of a store, as it is at one moment. Servers go on writing.

    The file appears whole or not at all, readable by its owner. Raises :class:`Conflict` when there is one
    already, :class:`Unavailable`."""
    with _appearing(path) as partial:
        if isinstance(database, File):
            database.write_copy(partial)
            return
        target = File(partial)
        with database.snapshot() as source, closing(target.connect()) as connection:
            copying.check_alike(database.tables(), target.tables())
            connection.execute("BEGIN IMMEDIATE")
            copying.copy(source, connection, target.tables())
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode=DELETE")


def verify_backup(
    path: Path,
    keys: Sequence[NoteKey],
    keyring: Keyring | None = None,
    *,
    seen: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Verified:
    """Reads a backup: the file's structure, the whole log, its signatures, and the seals of some subjects.

    ``seen`` is the last checkpoint that a witness saw. Raises :class:`IntegrityError`, and
    :class:`FailedPrecondition` for a keyring that is another store's."""
    with closing(open_copy(path)) as connection:
        check_whole(connection)
        if not {"subjects", "log_head"} <= {table.name for table in tables(connection)}:
            raise IntegrityError(f"{path} is no backup of a store", reason="NOT_A_BACKUP")
        size = read_head(connection)[0]
        older = seen is not None and seen.size > size
        report = verify(connection, keys, trusted=None if older else seen, progress=progress)
        opened = None if keyring is None else open_sample(connection, keyring)
        rows = copying.count_rows(connection, tables(connection))
        missing = seen.size - size if older and seen is not None else 0
        return Verified(report, rows, opened, missing)


def restore(path: Path, config: Config, target: Database | None, keys: Sequence[NoteKey]) -> None:
    """Puts a verified backup in the place of a store: the file of ``config`` where ``target`` is ``None``, or
    a database without rows.

    Raises :class:`Conflict` or :class:`FailedPrecondition` when something is there already."""
    if target is None:
        with _appearing(config.database_path) as partial, closing(open_copy(path)) as connection:
            connection.execute("VACUUM INTO ?", [str(partial)])
        File(config.database_path)  # brings its schema up to date
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".restoring-") as folder:
        current = Path(folder) / "store.db"
        with closing(open_copy(path)) as connection:
            connection.execute("VACUUM INTO ?", [str(current)])
        migrate(File(current), target, keys)


def migrate(
    source: Database, target: Database, keys: Sequence[NoteKey], progress: copying.Progress | None = None
) -> Report:
    """Copies everything into a store without rows, in one transaction of each, and verifies the copy.

    Nobody can write to either meanwhile. Cut off, it leaves the target empty. Raises
    :class:`FailedPrecondition` for a target that has rows or another schema, :class:`IntegrityError` when the
    copy does not verify; nothing is stored then."""
    copied = target.tables()
    copying.check_alike(source.tables(), copied)
    with closing(source.session()) as reading, closing(target.session()) as writing:
        try:
            reading.begin()
            writing.begin()
            copying.check_empty(writing.connection, copied)
            copying.copy(reading.connection, writing.connection, copied, progress)
            target.adopt(writing.connection)
            report = verify(writing.connection, keys)
            if (report.size, report.root) != read_head(reading.connection):
                raise IntegrityError(
                    "the copy's log has another root than its source", reason="ROOT_MISMATCH"
                )
            writing.commit()
        finally:
            writing.rollback()
            reading.rollback()
    return report


def open_sample(connection: Connection, keyring: Keyring) -> int:
    """Opens some subjects, chosen at random; how many. Raises :class:`IntegrityError` for one that does not
    open,
    :class:`FailedPrecondition` for a keyring that is another store's.
    """
    subjects, vault = Subjects(), Vault(keyring)
    check_keyring(keyring, subjects.key_checks(connection))
    opened: set[bytes] = set()
    for _ in range(SAMPLE_SUBJECTS):
        start = b"\x01" + secrets.token_bytes(SUBJECT_KEY_BYTES - 1)
        page = next(subjects.pages(connection, rows=1, after=start), ())
        for row in page or next(subjects.pages(connection, rows=1), ()):
            if not vault.open(row).state.readable:
                raise IntegrityError("a subject's decisions do not open", reason="CONSENT_UNREADABLE")
            opened.add(row.subject_key)
    return len(opened)


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to, which takes its place once it is written and on the disk."""
    if path.exists():
        raise Conflict(f"{path} is there already", reason="FILE_EXISTS")
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        yield partial
        sync(partial)
        partial.rename(path)
        sync(path.parent)
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}", reason="FILE_UNWRITABLE") from error
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                partial.with_name(partial.name + ending).unlink(missing_ok=True)
