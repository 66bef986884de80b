"""The functions that segserver adds to CEL, on values in rule form; ``None`` is an error."""

from __future__ import annotations

import hashlib
import math
import re

EARTH_RADIUS_KM = 6371.0088
"""The mean radius of the Earth: IUGG, 2a+b over 3, of WGS 84."""

_VERSION = re.compile(r"\s*[vV]?(\d{1,18}(?:\.\d{1,18})*)[-_.]?([^+\s]*)(?:\+\S*)?\s*", re.ASCII)
_RUNS = re.compile(r"\d{1,18}|[^\d.\-_]+", re.ASCII)


def bucket(salt: str, subject: str) -> float:
    """A number in [0, 1), the same for one subject and salt forever, and independent between salts.

    The first 53 bits of SHA-256 over the salt's length (8 bytes, big-endian), the salt, and the subject key,
    in UTF-8. The length keeps pairs such as ("ab", "c") and ("a", "bc") apart.
    """
    salted = salt.encode()
    digest = hashlib.sha256(len(salted).to_bytes(8, "big") + salted + subject.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def distance_km(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float | None:
    """The great-circle distance between two places in degrees, by the haversine formula.

    An error when a latitude is beyond ±90 or a longitude beyond ±180.
    """
    if not (abs(latitude) <= 90 and abs(other_latitude) <= 90):
        return None
    if not (abs(longitude) <= 180 and abs(other_longitude) <= 180):
        return None
    first, second = math.radians(latitude), math.radians(other_latitude)
    across = math.sin((second - first) / 2) ** 2
    along = math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    chord = across + math.cos(first) * math.cos(second) * along
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(chord, 1.0)))


def version_compare(left: str, right: str) -> int | None:
    """-1, 0 or 1 as the left version is older than, equal to or newer than the right one.

    A version is numbers joined by dots, with ``v`` before and a suffix behind allowed. Numbers compare as
    numbers, missing ones count as 0 (``2.1`` equals ``2.1.0``). A version with a suffix is older than the
    same one without (``2.1-beta`` before ``2.1``); two suffixes compare run by run, digits as numbers and
    before letters, letters by code point (``rc2`` before ``rc10``). What follows ``+`` doesn't count. An
    error when a text doesn't begin with a number.
    """
    older, newer = _version(left), _version(right)
    if older is None or newer is None:
        return None
    return (older > newer) - (older < newer)


def _version(text: str) -> tuple[tuple[int, ...], bool, tuple[tuple[int, int, str], ...]] | None:
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    numbers = [int(part) for part in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    runs = tuple(
        (0, int(run), "") if run[0].isdecimal() and run.isascii() else (1, 0, run)
        for run in _RUNS.findall(match[2])
    )
    return tuple(numbers), not runs, runs
