"""Distributions of plugins in a folder of their own, as ``pip install --target`` makes them."""

from __future__ import annotations

import textwrap
from pathlib import Path

HEAD = """
import os, sys, time
from segserver.strategies import hookimpl
from segserver.strategies.api import Attribute, Function, Segment, Settings, Strategy, Trait
"""


def distribution(folder: Path, name: str, source: str, *, version: str = "1.0") -> Path:
    """Installs a distribution with one module and one entry point, all of this name; returns the module."""
    folder.mkdir(parents=True, exist_ok=True)
    module = folder / f"{name}.py"
    module.write_text(HEAD + textwrap.dedent(source), encoding="utf-8")
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[segserver]\n{name} = {name}\n")
    return module


def with_code(name: str, code: str) -> str:
    """The source of a plugin with one strategy of this name, whose trait ``t`` is made of ``text`` by
    ``code``, the body of ``function(text)``."""
    return f"""
def function(text):
{textwrap.indent(textwrap.dedent(code), "    ")}

@hookimpl
def segserver_strategies():
    yield Strategy(
        name="{name}", version="1.0.0",
        attributes=[Attribute("text", "string", category="behavioral")],
        traits=[Trait("t", "string", reads=["text"], function=function, example=["example"])],
        segments=[Segment("{name}/yes", rule='{name}.t == "yes"')],
    )
"""
