"""The catalog: definitions in YAML, resolved with the installed strategies, compiled, and named by a
digest."""

from segserver.catalog.catalog import (
    Attribute,
    Bulk,
    Catalog,
    Program,
    Segment,
    Strategy,
    Trait,
)
from segserver.catalog.compile import resolve
from segserver.catalog.documents import fit_document
from segserver.catalog.source import Source, from_texts, read_directory

__all__ = [
    "Attribute",
    "Bulk",
    "Catalog",
    "Program",
    "Segment",
    "Source",
    "Strategy",
    "Trait",
    "fit_document",
    "from_texts",
    "read_directory",
    "resolve",
]
