"""The embedded store: one SQLite file, one writer thread in each process, many readers."""

from segserver.storage.sqlite.database import Connection, Database
from segserver.storage.sqlite.writer import Appender, Receipt, Unit, Writer

__all__ = ["Appender", "Connection", "Database", "Receipt", "Unit", "Writer"]
