"""What all reference data need: to be loaded once, when first asked for, and to be found by name."""

import re
import threading
import unicodedata
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from segserver.errors import FailedPrecondition

T = TypeVar("T")

_APOSTROPHE = re.compile("['\u2019\u02bc]")
_NOT_A_WORD = re.compile(r"[\W_]+")


def once(load: Callable[[], T]) -> Callable[[], T]:
    """``load``, called once for all threads; ``functools.cache`` would let two of them load side by side."""
    lock = threading.Lock()
    loaded: list[T] = []

    def get() -> T:
        if not loaded:
            with lock:
                if not loaded:
                    loaded.append(load())
        return loaded[0]

    return get


def key(name: str) -> str:
    """``name`` as names are compared: without case, accents and punctuation; ``&`` is "and"."""
    if name.isascii() and name.isalnum():
        return name.casefold()
    if not name.isascii():
        name = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return _NOT_A_WORD.sub(" ", _APOSTROPHE.sub("", name).replace("&", " and ")).strip().casefold()


def data_file(package: str, *parts: str) -> Path:
    """A file inside an installed package, found without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FailedPrecondition(f"the package {package} is not installed", reason="REFERENCE_DATA_MISSING")
    return Path(spec.submodule_search_locations[0], *parts)
