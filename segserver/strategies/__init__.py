"""Strategies: the plugin API, the manager that finds plugins, and the host that runs their code.

A plugin imports its nouns from :mod:`segserver.strategies.api` and its hook marker from here::

    from segserver.strategies import hookimpl
    from segserver.strategies.api import Attribute, Segment, Strategy, Trait
"""

import pluggy

PROJECT = "segserver"
"""The pluggy project, and the entry-point group that plugins register in."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function as the implementation of one of the hooks in :mod:`segserver.strategies.hookspecs`."""
