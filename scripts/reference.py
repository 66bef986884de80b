"""Writes the tables of the documentation that say what the code says; with --check, only compares.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``, and :data:`TABLES` makes it."""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from segserver import config, errors
from segserver.model import Role
from segserver.rpc.permissions import PERMISSIONS
from segserver.rpc.status import code_of

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "segserver"
PART = re.compile(r"(<!-- table: ([a-z_]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

KINDS: dict[str, type[errors.SegserverError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.SegserverError)
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in lines)


def code(text: object) -> str:
    """Text in the font of code."""
    return f"`{text}`"


def permissions() -> str:
    """Each method with the roles that may call it."""
    rows = []
    for method, roles in PERMISSIONS.items():
        service, name = method.removeprefix("/segserver.v1.").split("/")
        shown = "every role" if roles == frozenset(Role) else ", ".join(sorted(role.value for role in roles))
        rows.append((code(f"{service}/{name}"), shown))
    return table(("method", "roles"), rows)


def settings() -> str:
    """Each setting of the server with its default and its docstring."""
    return table(("setting", "default", "what it is"), list(_settings(config.Config, "")))


def _settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    texts = _field_texts(model)
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from _settings(type(field.default), f"{prefix}{name}.")
        else:
            yield code(prefix + name), _default(field.default), texts[name]


def _default(value: Any) -> str:
    if value is None or value in ("", {}, SecretStr("")):
        return "none"
    if isinstance(value, tuple):
        return code(json.dumps(value))
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(value) if isinstance(value, int | float) else code(f'"{value}"')


def _field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Field → its docstring, or what the docstring of the class says."""
    tree = ast.parse(Path(config.__file__).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == model.__name__:
            texts = {}
            for item, following in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    texts[item.target.id] = _docstring(following) or OTHERWISE.get(item.target.id, "")
            return texts
    raise KeyError(model.__name__)


OTHERWISE = {
    "data_dir": "The folder of the database, the keyring and, with `dev`, the development key.",
    "listen": "`HOST:PORT`; port 0 takes a free one.",
    "catalog_dir": "A catalog that is published at the start where it differs from the one that serves.",
    "name": "Who is responsible for the processing (GDPR art. 4(7)).",
    "contact": "How to reach them.",
}
"""What a field means whose class says it in its own docstring."""


def _docstring(node: ast.stmt | None) -> str:
    constant = node.value if isinstance(node, ast.Expr) else None
    if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
        return " ".join(constant.value.split())
    return ""


def reasons() -> str:
    """Every reason that the code gives an error, with the status and the messages."""
    found: dict[tuple[str, str], set[str]] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for reason, kind, message in _raised(ast.parse(file.read_text(encoding="utf-8"))):
            found.setdefault((reason, kind), set()).add(message)
    for error in KINDS.values():
        found.setdefault((error.reason, error.__name__), set()).add(_first(error))
    rows = [
        (code(reason), code(kind), "<br>".join(sorted(filter(None, messages))))
        for (reason, kind), messages in sorted(found.items())
    ]
    return table(("reason", "error", "message"), rows)


def _raised(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """The calls that make an error with a reason: reason, class, message with … for what varies."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        reason = next((k.value for k in node.keywords if k.arg == "reason"), None)
        of = isinstance(node.func, ast.Attribute) and node.func.attr == "of"
        name = node.func.value if of and isinstance(node.func, ast.Attribute) else node.func
        if isinstance(reason, ast.Constant) and isinstance(name, ast.Name) and name.id in KINDS:
            message = node.args[1 if of else 0]
            yield str(reason.value), name.id, _template(message)


def _first(kind: type) -> str:
    """The first paragraph of a docstring."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].replace("``", "`").split())


def _template(node: ast.expr) -> str:
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)
        case ast.BinOp():
            return _template(node.left) + _template(node.right)
        case _:
            return "…"


def statuses() -> str:
    """Each kind of error with the gRPC status that it travels as."""
    rows = []
    for name, kind in KINDS.items():
        if kind.__mro__[1] is errors.SegserverError:
            rows.append((code(name), code(code_of(kind("")).name), _first(kind)))
    return table(("error", "gRPC status", "meaning"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "permissions": permissions,
    "reasons": reasons,
    "settings": settings,
    "statuses": statuses,
}


def rewritten(page: Path) -> str:
    """The page with its tables as they are now."""
    return PART.sub(lambda part: part[1] + TABLES[part[2]]() + part[4], page.read_text(encoding="utf-8"))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a table is stale")
    arguments = parser.parse_args()
    stale = False
    for page in sorted((ROOT / "docs").rglob("*.md")):
        new = rewritten(page)
        if new == page.read_text(encoding="utf-8"):
            continue
        if arguments.check:
            print(f"stale: {page.relative_to(ROOT)}; run 'make docs'")
            stale = True
        else:
            page.write_text(new, encoding="utf-8")
            print(f"wrote {page.relative_to(ROOT)}")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
