"""What the headers of user_agents.txt tell, by the file's own columns and plain keywords.

It is the yardstick for the tech strategy, so neither the project nor ua-parser is used here: what a header
says is asked with ``in`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE = "user_agents.txt"

SYSTEMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("windows-phone", ("windows ce",)),
    ("symbian", ("symbian",)),
    ("windows", ("windows", "win98", "win95", "winnt", "win32", "win9x", "win 9x")),
    ("macos", ("macintosh", "mac_powerpc", "mac os", "macosx", "mac_ppc")),
    ("linux", ("linux", "lindows")),
    ("bsd", ("freebsd", "openbsd", "netbsd")),
    ("unix", ("sunos", "irix", "hp-ux", "aix ", "osf1")),
    ("other", ("amigaos", "amiga os", "beos", "os/2", "risc os", "palmos", "palmsource", "webtv", "unix")),
)

BROWSERS = {
    "MSIE": "internet-explorer",
    "Opera": "opera",
    "Netscape": "netscape",
    "Safari": "safari",
    "Konqueror": "konqueror",
    "Links": "text-browser",
    "ELinks": "text-browser",
    "Lynx": "text-browser",
    "w3m": "text-browser",
}
"""The file's first column → label; the names that stand for programs in no list are left out."""

BOTS = (
    "bot",
    "crawl",
    "spider",
    "wget",
    "curl/",
    "libwww-perl",
    "lwp",
    "python-",
    "java",
    "httpclient",
    "nutch",
)
PHONES = (
    "midp",
    "up.browser",
    "up.link",
    "symbian",
    "windows ce",
    "palmos",
    "palmsource",
    "netfront",
    "nokia",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file."""

    browser: str
    version: str
    header: str

    def system(self) -> str | None:
        """The label of the operating system, or ``None``."""
        lowered = self.header.lower()
        return next((label for label, words in SYSTEMS if _any(words, lowered)), None)

    def browser_label(self) -> str | None:
        """The label of the browser that the file's first column names, or ``None`` where it names another."""
        if self.browser == "Mozilla":
            return "firefox" if _any(("firefox", "firebird", "phoenix/"), self.header.lower()) else None
        return BROWSERS.get(self.browser)

    def device(self) -> str | None:
        """The type of device, or ``None``."""
        lowered = self.header.lower()
        if _any(BOTS, lowered):
            return "bot"
        if _any(PHONES, lowered):
            return "phone"
        return "desktop" if self.system() else None


def lines(folder: Path) -> list[Line]:
    """Every line but the comment at the top (which a byte order mark precedes)."""
    text = (folder / FILE).read_text(encoding="utf-8-sig")
    return [Line(*line.split("\t")) for line in text.splitlines() if not line.startswith("#")]


def _any(words: Iterable[str], text: str) -> bool:
    return any(word in text for word in words)
