"""A table that shows what is in its cells, and lets none of it command the terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from segserver.cli._output import visible


class VisibleTable(Table):
    """rich's table, with every cell of text made visible."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Adds a row; see rich."""
        shown = [visible(cell) if isinstance(cell, str) else cell for cell in cells]
        super().add_row(*shown, **options)
