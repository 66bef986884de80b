"""Rows as profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

from segserver.cli._importing import Importer, Item, RejectedRow, Report, characters
from segserver.cli._mapping import RowMapping
from segserver.cli._rows import Rows
from segserver.client import Client, ProfileChange, ProfileWrite
from segserver.errors import SegserverError


class ProfileImporter(Importer[ProfileChange]):
    """Writes each row as a profile; the rows of one subject land in their order."""

    batch_max: ClassVar[int] = 1_000
    ordered_in_batch: ClassVar[bool] = False

    def __init__(
        self,
        client: Client,
        mapping: RowMapping,
        progress: Callable[[], None],
        on_rejected: Callable[[RejectedRow], None],
        *,
        dry_run: bool = False,
    ) -> None:
        super().__init__(client, Report(), progress, on_rejected, dry_run=dry_run)
        self._mapping = mapping

    def items(self, rows: Rows) -> Iterator[Item[ProfileChange]]:
        """A change for each row."""
        for row in rows.rows:
            change = self.take(
                row, lambda cells: self._mapping.change(self.report.rows, cells, rows.read_cell)
            )
            if change is not None:
                yield Item((row.line,), change, change.subject, characters(change.attributes))

    def send(self, things: list[ProfileChange]) -> list[SegserverError | None]:
        """Writes the profiles."""
        results = self._client.upsert_profiles(things)
        return [None if isinstance(result, ProfileWrite) else result for result in results]
