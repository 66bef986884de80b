"""One cell of a row as a value of its column's type."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import TYPE_CHECKING, Any

from segserver.cli._text import value_of
from segserver.errors import InvalidInput
from segserver.model import Value, check_value

if TYPE_CHECKING:
    from segserver.cli._mapping_spec import ColumnSpec

CELL_CHARACTERS_MAX = 1_048_576
"""Far above what a server takes; it keeps a batch below the limit of a message."""

_DIGITS = {"1": "true", "0": "false"}


def text_cell(cell: Any, column: ColumnSpec) -> Value | None:
    """The value of a cell of text, or ``None`` when the text stands for unknown.

    Raises:
        InvalidInput: for a cell of another type or one that is too long. The message does not show the cell.
    """
    text = cell.strip()
    if text in column.unknown:
        return None
    if len(text) > CELL_CHARACTERS_MAX:
        raise InvalidInput.of("cell", f"longer than {CELL_CHARACTERS_MAX} characters")
    return value_of(_DIGITS.get(text, text) if column.type == "bool" else text, column.type, "cell")


def typed_cell(cell: Any, column: ColumnSpec) -> Value | None:
    """The value of a cell that has a type, or ``None`` when it is null or text that stands for unknown.

    It must be of the column's type, but that an int or a decimal is taken for a double, a date for its
    midnight in UTC, and text for the time that it tells.

    Raises:
        InvalidInput: for a cell of another type or one that is too long. The message does not show the cell.
    """
    if cell is None or (isinstance(cell, str) and cell in column.unknown):
        return None
    if isinstance(cell, str) and len(cell) > CELL_CHARACTERS_MAX:
        raise InvalidInput.of("cell", f"longer than {CELL_CHARACTERS_MAX} characters")
    return check_value("cell", _typed(cell, column.type), column.type)


def _typed(cell: object, type_name: str) -> Any:
    if type_name == "double" and isinstance(cell, decimal.Decimal):
        return float(cell)
    if type_name == "timestamp":
        if isinstance(cell, str):
            return value_of(cell, type_name, "cell")
        if isinstance(cell, dt.datetime):
            return cell.replace(tzinfo=dt.UTC) if cell.tzinfo is None else cell
        if isinstance(cell, dt.date):
            return dt.datetime(cell.year, cell.month, cell.day, tzinfo=dt.UTC)
    return cell
