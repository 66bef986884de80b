"""Who calls, may they, and is there room: everything between a connection and a servicer."""

from segserver.rpc.guard.guard import Guard

__all__ = ["Guard"]
