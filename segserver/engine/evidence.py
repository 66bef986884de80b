"""What lies beside the log for each page of a bulk evaluation: one row a subject, the leaf of its result.

A row is found by the subject's audit token, and rows stand in the order of these: their places tell nothing
about the order in which a recipient got its answers, so its tokens can't be joined with those of the log.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from segserver.errors import FailedPrecondition, Unavailable
from segserver.storage.files import sync, whole_file

SUBJECT = "subject"
COLUMNS = (SUBJECT, "consent", "inputs", "outcomes", "stopped", "error", "reasons")
"""All text; the fields of :class:`segserver.audit.results.Result`. ``reasons`` are its JSON, joined by
commas.
"""
SCHEMA = pl.Schema(dict.fromkeys(COLUMNS, pl.String()))

_NAME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_MILLISECOND_BITS = 80
"""A UUID of version 7 begins with the milliseconds since the epoch; so many bits follow."""


class Evidence:
    """The folder of evidence files. Each is named like the evaluation of its page, and is on the disk before
    that page's entry is logged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, rows: pl.DataFrame) -> None:
        """Writes the rows of a page, of :data:`SCHEMA`, whole. Raises :class:`Unavailable`."""
        try:
            if not self._folder.exists():
                self._folder.mkdir(mode=0o700, exist_ok=True)
                sync(self._folder.parent)
            with whole_file(self._path(name)) as file:
                rows.write_parquet(file, compression="zstd")
        except OSError as error:
            raise Unavailable(
                f"the evidence of a bulk evaluation can't be written: {error.strerror}",
                reason="EVIDENCE_UNAVAILABLE",
            ) from error

    def read(self, name: str) -> pl.DataFrame:
        """The rows of a page. Raises :class:`FailedPrecondition` when they are not here or can't be read."""
        try:
            return pl.read_parquet(self._path(name), columns=list(COLUMNS)).cast(SCHEMA)
        except (OSError, pl.exceptions.PolarsError):
            raise FailedPrecondition(
                "the evidence of this entry is not in this server's data directory, or can't be read: "
                "restore it from its backup, or ask the server that answered",
                reason="EVIDENCE_MISSING",
            ) from None

    def names(self, name: str, subject: str) -> bool:
        """Whether a page has a row of this audit token; not where its evidence is not here."""
        try:
            rows = pl.scan_parquet(self._path(name)).filter(pl.col(SUBJECT) == subject)
            return not rows.select(SUBJECT).collect().is_empty()
        except (OSError, pl.exceptions.PolarsError):
            return False

    def drop(self, before_us: int) -> int:
        """Removes the files of pages that were evaluated before a time, and what a crash left of one; how
        many. Other files stay.
        """
        dropped = 0
        for path in self._folder.glob("*.parquet*"):
            name = path.name.partition(".")[0]
            if not _NAME.fullmatch(name):
                continue
            milliseconds = int(name.replace("-", ""), 16) >> _MILLISECOND_BITS
            if (milliseconds + 1) * 1000 <= before_us:
                path.unlink(missing_ok=True)
                dropped += 1
        return dropped

    def _path(self, name: str) -> Path:
        """Where a page's rows are. A name that no page can have leads nowhere."""
        return self._folder / (f"{name}.parquet" if _NAME.fullmatch(name) else "none")


def leaves(rows: pl.DataFrame) -> list[bytes]:
    """The leaf of each row, in order."""
    parts = [part for name in COLUMNS[:-1] for part in (pl.lit(f'"{name}":"'), pl.col(name), pl.lit('",'))]
    text = pl.concat_str(pl.lit("{"), *parts, pl.lit('"reasons":['), pl.col("reasons"), pl.lit("]}"))
    return rows.select(text.cast(pl.Binary)).to_series().to_list()
