"""The functions that segserver adds to CEL, on values in rule form; ``None`` is an error."""

from __future__ import annotations

import hashlib
import math
import re

EARTH_RADIUS_KM = 6371.0088
"""The mean radius of the Earth: IUGG, 2a+b over 3, of WGS 84."""

BELOW_ONE = 1 - 2**-49
"""Takes off more than the rounding of a square of half the chord can add, so that it is at most 1. That is
some nanometers, and half a meter between antipodes, where the formula itself is no better. A product is much
faster over a column than a limit.
"""

SUBJECT_KEY = re.compile(r"[0-9a-f]{66}")
"""A subject key as rules get it; see :meth:`segserver.privacy.pseudonyms.Pseudonyms.subject_key`."""
MIX_FIRST, MIX_SECOND, UINT64_MAX = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 2**64 - 1

_VERSION = re.compile(r"\s*[vV]?(\d{1,18}(?:\.\d{1,18})*)[-_.]?([^+\s]*)(?:\+\S*)?\s*", re.ASCII)
_RUNS = re.compile(r"\d{1,18}|[^\d.\-_]+", re.ASCII)


def bucket(salt: str, subject: str) -> float:
    """A number in [0, 1), the same for one subject and salt forever, and independent between salts as far as
    statistics can tell.

    It follows from 64 bits of each, and leads back to the subject's: it is for shares, not for secrets.
    """
    return share(subject_bits(subject), salt_bits(salt))


def subject_bits(subject: str) -> int:
    """The 64 bits of a subject.

    A subject key, in hexadecimal, ends in those of an HMAC: its last 16 digits are taken. Of any other text
    it is the first 8 bytes of SHA-256, big-endian.
    """
    return int(subject[-16:], 16) if SUBJECT_KEY.fullmatch(subject) else salt_bits(subject)


def salt_bits(salt: str) -> int:
    """The 64 bits of a salt: the first 8 bytes of its SHA-256 in UTF-8, big-endian."""
    return int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "big")


def share(subject: int, salt: int) -> float:
    """The bits of both, mixed by the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable
    pseudorandom number generators", 2014, with the constants of Stafford's variant 13), and the first 53 as a
    fraction.
    """
    mixed = subject ^ salt
    mixed = ((mixed ^ (mixed >> 30)) * MIX_FIRST) & UINT64_MAX
    mixed = ((mixed ^ (mixed >> 27)) * MIX_SECOND) & UINT64_MAX
    return ((mixed ^ (mixed >> 31)) >> 11) / 2**53


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
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(chord * BELOW_ONE))


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
