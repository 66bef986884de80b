"""Every public name says what it is."""

from __future__ import annotations

import ast
import inspect
import itertools
from pathlib import Path
from types import ModuleType

import pytest

import segserver.client
import segserver.rules
import segserver.strategies.api


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (module, name)
        for module in (segserver.client, segserver.rules, segserver.strategies.api)
        for name in module.__all__
    ],
    ids=lambda part: part.__name__ if isinstance(part, ModuleType) else part,
)
def test_a_public_name_has_a_docstring(module: ModuleType, name: str) -> None:
    value = getattr(module, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert own_docstring(value)
        undocumented = [
            method
            for method, function in vars(value).items()
            if not method.startswith("_") and inspect.isfunction(function) and not inspect.getdoc(function)
        ]
        assert not undocumented
    else:
        assert name in documented_constants()


def own_docstring(value: object) -> bool:
    """Whether it was written: dataclass makes one of the signature where there is none."""
    text = inspect.getdoc(value) or ""
    return bool(text) and not text.startswith(f"{getattr(value, '__name__', '')}(")


def documented_constants() -> set[str]:
    """Names of segserver that a string below them documents: what is neither class nor function."""
    names = set()
    for file in Path(segserver.client.__file__).parent.parent.rglob("*.py"):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        for statement, following in itertools.pairwise(body):
            target = (
                statement.target
                if isinstance(statement, ast.AnnAssign)
                else statement.targets[0]
                if isinstance(statement, ast.Assign)
                else None
            )
            documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            if isinstance(target, ast.Name) and documented:
                names.add(target.id)
    return names
