"""The embedded store: one SQLite file, one writer at a time, many readers."""

from segserver.storage.sqlite.database import Connection, Database

__all__ = ["Connection", "Database"]
