"""The store on a PostgreSQL server, which several server processes on several machines can share."""

from segserver.storage.postgres.database import Database

__all__ = ["Database"]
