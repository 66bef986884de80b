"""Writes a catalog's documents as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from segserver.errors import Conflict, InvalidInput, SegserverError

if TYPE_CHECKING:
    from segserver.client import Document


def write_documents(directory: Path, documents: Sequence[Document]) -> None:
    """Writes each document into ``directory``.

    Raises:
        Conflict: when the directory holds something already: mixed with other files it would be another
        catalog. InvalidInput: for a name that is not a plain file name; a server must not choose where
        files go. SegserverError: when the directory can't be written.
    """
    for document in documents:
        name = PurePosixPath(document.name)
        if name.name != document.name or "\\" in document.name or name.suffix not in {".yaml", ".yml"}:
            raise InvalidInput.of("documents", "a document's name is no plain name of a YAML file")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise Conflict(f"{directory} is not empty", reason="DIRECTORY_NOT_EMPTY")
        for document in documents:
            (directory / document.name).write_text(document.text, encoding="utf-8", newline="")
    except OSError as error:
        raise SegserverError(f"{directory}: {error.strerror}", reason="NOT_WRITABLE") from error
