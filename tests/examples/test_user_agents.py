"""The tech strategy against what the raw file says by its own columns and plain keywords."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import counts_user_agents as counts
import polars as pl
import pytest
from segserver_tech import STRATEGY, TechSettings
from segserver_tech.user_agent import UserAgentReader

from segserver.catalog import read_directory, resolve
from segserver.cli._mapping import RowMapping
from segserver.cli._mapping_spec import MappingSpec, SpecFile
from segserver.cli._rows import open_rows
from segserver.client import ProfileChange
from segserver.strategies.cel import folded
from segserver.strategies.manager import load

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "user_agents"

SETTINGS = TechSettings()
READER = UserAgentReader(SETTINGS)

SYSTEMS_APART = {
    ("windows", None): 13,  # Win16, "Win 98": the keywords miss them
    ("unix", "other"): 10,  # "Unix" alone, which the keywords give no family
    ("linux", None): 4,  # distributions that do not say Linux
    ("tv-os", "other"): 3,  # WebTV
    ("ios", "macos"): 1,  # "Alizee iPod 2005 (Beta; Mac OS X)", a joke of 2005
    ("blackberry", None): 1,
}

BROWSERS_APART = {
    ("other", "internet-explorer"): 328,  # MyIE2, Maxthon, Avant: shells, which the file counts as MSIE
    ("other", "netscape"): 10,  # NetFront, which calls itself Mozilla/4.08
    ("internet-explorer", "netscape"): 4,  # both names in one header, here and below
    ("internet-explorer", "firefox"): 3,
    ("internet-explorer", "text-browser"): 2,
    ("konqueror", "firefox"): 1,
    ("konqueror", "opera"): 1,
    ("netscape", "firefox"): 1,
    ("mozilla", "firefox"): 1,  # "Waterphoenix"
    (None, "text-browser"): 2,  # "Links" with nothing after it, Emacs
    (None, "netscape"): 2,  # sentences instead of names
}


DEVICES_APART = {
    ("phone", None): 26,  # telephones by name: DoCoMo, CDM-8900, WAP gateways
    ("desktop", None): 16,  # Win16, "Win XP", distributions that do not say Linux
    ("bot", None): 15,  # larbin, grub, ia_archiver
    ("desktop", "bot"): 8,  # the ICE browser is written in Java, "BOTW" and "lwpc5440" are add-ons
    ("console", None): 8,  # Dreamcast, Gameboy, Nintendo 64, Xbox
    ("bot", "desktop"): 4,
    ("phone", "desktop"): 4,  # AvantGo, WAP proxies
    ("tv", "desktop"): 3,  # WebTV
    ("desktop", "phone"): 2,  # Windows NT with the word Nokia
    ("tv", None): 1,
    ("console", "phone"): 1,  # N-Gage, which was both
}


@pytest.fixture(scope="module")
def lines(shared_data: Path) -> list[counts.Line]:
    return counts.lines(shared_data)


def label(name, table):
    if name is None:
        return None
    return next((label for label, names in table.items() if folded(name) in names), "other")


def apart(pairs):
    return {pair: size for pair, size in Counter(pairs).items() if pair[0] != pair[1]}


def test_the_file_is_the_one_that_was_counted(lines):
    assert len(lines) == 12_471
    assert not any(line.header.startswith("\ufeff") for line in lines)


def test_operating_systems(lines):
    """12,439 of 12,471 agree; in 31 of the other 32 the keywords know less."""
    found = apart(
        (label(READER.operating_system(line.header), SETTINGS.operating_systems), line.system())
        for line in lines
    )
    assert found == SYSTEMS_APART


def test_browsers(lines):
    """Of the 9,819 lines whose first column names a browser of the lists, all but 355 agree; 328 of these are
    about shells around Internet Explorer."""
    named = [line for line in lines if line.browser_label() is not None]
    found = apart(
        (label(READER.browser(line.header), SETTINGS.browsers), line.browser_label()) for line in named
    )
    assert len(named) == 9_819
    assert found == BROWSERS_APART


def test_devices(lines):
    """12,383 of 12,471 agree. The keywords know no television and no console, and no names of telephones."""
    found = apart((READER.device_type(line.header), line.device()) for line in lines)
    assert found == DEVICES_APART


def test_mapping_catalog_and_strategy_give_the_sizes_of_the_raw_file(lines, shared_data):
    """The whole way of an import and a bulk answer. What the keywords count, corrected by what is known to
    differ, is the size of each segment."""
    profiles = imported(shared_data / counts.FILE)
    assert [profile.attributes["user_agent"] for profile in profiles] == [
        line.header.strip() for line in lines
    ]
    found = sizes(profiles)
    for prefix, counted, differing in (
        ("tech/os-", Counter(line.system() for line in lines), SYSTEMS_APART),
        ("tech/device-", Counter(line.device() for line in lines), DEVICES_APART),
    ):
        for (ours, theirs), size in differing.items():
            counted[ours] += size
            counted[theirs] -= size
        segments = {
            name.removeprefix(prefix): size for name, size in found.items() if name.startswith(prefix)
        }
        assert segments == {name: counted[name] for name in segments}
        assert sum(segments.values()) > 11_000
    assert found["site/people"] == 12_471 - counted["bot"] - counted[None]
    firefox = [line.header.lower() for line in lines if line.browser_label() == "firefox"]
    assert 0 < found["site/early-firefox"] < found["tech/browser-firefox"] <= len(firefox) + 2


def imported(file: Path) -> list[ProfileChange]:
    """What ``profile import`` would write, row by row."""
    spec = SpecFile(EXAMPLE / "mapping.yaml", MappingSpec)
    mapping = RowMapping(spec, {attribute.name: attribute.type for attribute in STRATEGY.attributes})
    with open_rows(file, "tsv", spec.spec.format, list(spec.spec.columns)) as rows:
        return [
            mapping.change(number, row.cells or (), rows.read_cell) for number, row in enumerate(rows.rows, 1)
        ]


def sizes(profiles: list[ProfileChange]) -> dict[str, int]:
    """Segment id → members, by the example's catalog over one table."""
    catalog = resolve(read_directory(EXAMPLE / "catalog"), load())
    program = catalog.bulk("service")
    headers = [profile.attributes["user_agent"] for profile in profiles]
    table = pl.DataFrame({"user_agent": headers, "subject": [""] * len(headers)})
    answered = program.polars(table, now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    columns = answered.columns[-len(program.segments) :]
    return {
        segment: int(answered[column].sum() or 0)
        for segment, column in zip(program.segments, columns, strict=True)
    }
