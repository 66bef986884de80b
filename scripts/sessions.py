"""Runs the console sessions of the documentation, and writes what they print; with --check, only compares.

A session is every block fenced as ``console`` below a comment ``<!-- session: NAME -->``, up to the next such
comment. Lines that begin with ``$`` are run, one after the other, against one server; what follows them is
their output. Names are those of :data:`SCENES`. What differs from run to run (ids, digests, times, ports) is
compared by its form."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
START_TIMEOUT_S = 60.0
WIDTH = 100

FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"<!-- session: ([a-z_]+) -->")

VOLATILE = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\b[ar]1-[0-9a-f]{32}\b"), "<token>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"\bcatalog [0-9a-f]{12}\b"), "catalog <digest>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<digest>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?"), "<time>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"\d+(\.\d+)? (ms|s|seconds|rows/s)\b"), "<duration>"),
    (re.compile(r"[━╸╺─]{3,}"), "───"),
    (re.compile(r"[ \t]+"), " "),
]


@dataclass(frozen=True)
class Scene:
    """What a session begins with: a catalog that serves, and files of the real data beside it."""

    catalog: str
    files: tuple[str, ...] = ()


SCENES = {
    "everyday": Scene("examples/catalog"),
    "customers": Scene("examples/customer_personality/catalog", ("customer_personality.tsv",)),
    "personality": Scene("examples/sapa_spi/catalog", ("sapa_spi.csv",)),
    "user_agents": Scene("examples/user_agents/catalog", ("user_agents.txt",)),
}


def documents() -> list[Path]:
    """Every page that has a session."""
    pages = [
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "examples").rglob("*.md")),
    ]
    return [page for page in pages if page.exists() and SESSION.search(page.read_text(encoding="utf-8"))]


def needs_data(page: Path) -> bool:
    """Whether a session of this page imports real data."""
    return any(SCENES[name].files for name in SESSION.findall(page.read_text(encoding="utf-8")))


def rewritten(page: Path) -> str:
    """The page with the output of its sessions as it is now."""
    parts = SESSION.split(page.read_text(encoding="utf-8"))
    text = parts[0]
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        with scene(SCENES[name]) as run:
            ran = FENCE.sub(lambda block, run=run: _ran(block[1], run), body)
        text += f"<!-- session: {name} -->{ran}"
    return text


def normal(text: str) -> list[str]:
    """The lines of a page with everything volatile replaced by its form."""
    for pattern, form in VOLATILE:
        text = pattern.sub(form, text)
    return [line.strip() for line in text.splitlines()]


class Runner:
    """Runs commands in a folder, with a server's address and key in the environment."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment

    def __call__(self, command: str) -> str:
        """What a command prints, errors too. An exit code other than 0 is shown as a last line."""
        words = shlex.split(command)
        if words[0] == "make":
            words = ["segserver", "demo", "--once", "--data-dir", str(self._folder / "demo")]
        words = [sys.executable, "-m", *words] if words[0] == "segserver" else words
        done = subprocess.run(
            words,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
        if done.returncode:
            lines.append(f"[exit {done.returncode}]")
        return "\n".join(lines)


@contextmanager
def scene(setting: Scene) -> Iterator[Runner]:
    """A server with the scene's catalog on a free port, in a folder that has the examples and the files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "examples").symlink_to(ROOT / "examples")
        for file in setting.files:
            (folder / file).symlink_to(DATA / file)
        environment = {
            **os.environ,
            "COLUMNS": str(WIDTH),
            "NO_COLOR": "1",
            "SEGSERVER_DATA_DIR": str(folder / "data"),
        }
        ready = folder / "ready"
        serve = [
            "serve",
            "--dev",
            "--listen",
            "127.0.0.1:0",
            "--catalog",
            setting.catalog,
            "--ready-file",
            str(ready),
        ]
        server = subprocess.Popen(
            [sys.executable, "-m", "segserver", *serve],
            cwd=folder,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not ready.exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the server of {setting.catalog} did not start")
                time.sleep(0.02)
            yield Runner(folder, {**environment, "SEGSERVER_ADDRESS": ready.read_text(encoding="utf-8")})
        finally:
            server.terminate()
            server.wait(20)


def _ran(block: str, run: Runner) -> str:
    lines = []
    for line in block.splitlines():
        if line.startswith("$ "):
            lines.append(line)
            printed = run(line[2:])
            lines += [printed] if printed else []
    return "```console\n" + "\n".join(lines) + "\n```"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 when a page is not what runs"
    )
    parser.add_argument("pages", nargs="*", type=Path, help="only these pages")
    arguments = parser.parse_args()
    stale = False
    for page in [path.resolve() for path in arguments.pages] or documents():
        new = rewritten(page)
        if arguments.check:
            if normal(new) != normal(page.read_text(encoding="utf-8")):
                print(f"stale: {page.relative_to(ROOT)}; run 'make docs'")
                stale = True
        else:
            page.write_text(new, encoding="utf-8")
            print(f"wrote {page.relative_to(ROOT)}")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
