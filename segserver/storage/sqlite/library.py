"""sqlite-utils and the driver that it chose, imported without pandas.

sqlite-utils imports pandas where some other package has installed it, to know the types of its columns.
Nothing here has such columns, and a start would be half a second longer and 60 MB larger for it."""

import sys

_hidden = "pandas" not in sys.modules
if _hidden:
    sys.modules["pandas"] = None  # type: ignore[assignment]  # what Python itself does for a module that is not there

from sqlite_utils import Database as Utils  # noqa: E402  the import is what pandas is hidden from
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # noqa: E402

if _hidden:
    del sys.modules["pandas"]

__all__ = ["Utils", "sqlite3"]
