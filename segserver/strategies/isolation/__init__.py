"""The plugin host process: code of distributions that are not trusted runs there, and never in the server.

The server's side: ``isolation`` decides which distribution is isolated, and holds a ``supervisor`` for each,
which keeps one ``process`` running. The other side is ``child``, behind ``walls``. Between them go
``messages``, in which ``nouns`` travel without their code. Rules and the engine ask for values by ``traits``.

This file imports nothing: the child puts its walls up before it loads anything else.
"""
