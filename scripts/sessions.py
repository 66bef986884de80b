"""Runs the documentation and writes what it prints; with --check, only compares.

A page is played from its first comment ``<!-- session: NAME -->`` on; each such comment begins a new folder,
with what :data:`SCENES` says of its name. Then, in the order of the page:

* a block of any kind below ``<!-- file: PATH -->`` is written to that file;
* in a ``console`` block, each line that begins with ``$`` is run, and what follows is what it printed;
  ``segserver serve`` runs on, on a free port that the page knows as 127.0.0.1:50051, until ``kill %1``;
* a ``python`` block is executed, with the names of those before it; a ``text`` block right after it is what
  it printed.

What differs from run to run (ids, digests, times) is compared by its form, and stays as it is where the form
is the same."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
START_S = 60.0
COMMAND_S = 300.0
WIDTH = 100
ADDRESS = "127.0.0.1:50051"
"""What a page writes for the server's address."""

PART = re.compile(
    r"^<!-- session: (?P<session>[a-z_]+) -->$"
    r"|^(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>[a-z]+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)

VOLATILE = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\bsegserver_[A-Za-z0-9_-]{43}"), "<key>"),
    (re.compile(r"\b[ar]1-[0-9a-f]{32}\b"), "<token>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"\bcatalog [0-9a-f]{12}\b"), "catalog <digest>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<digest>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?"), "<time>"),
    (re.compile(r"\buntil \d{4}-\d\d-\d\d\b"), "until <day>"),
    (re.compile(r"\d+(\.\d+)? ?(ms|s|seconds|rows/s)\b"), "<duration>"),
    # Counts are released on edges that follow from the installation's key.
    (re.compile(r"(?:(?:-|\d+0) +){2}(?:-|\d+0) to (?:-|\d+0)$", re.MULTILINE), "<counts>"),
    (re.compile(r"[━╸╺─]{3,}"), "───"),
    (re.compile(r"[ \t]+"), " "),
]

_DRIVER = """
import contextlib, io, json, sys, traceback
names, answers = {"__name__": "page"}, sys.stdout
for line in sys.stdin:
    printed = io.StringIO()
    failure = ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(json.loads(line), "page", "exec"), names)
        except BaseException:
            failure = traceback.format_exc()
    print(json.dumps({"printed": printed.getvalue(), "failure": failure}), file=answers, flush=True)
"""


_COMMANDS = """
import json, os, sys, tempfile
import segserver.catalog, segserver.cli, segserver.client, segserver.engine
for line in sys.stdin:
    request = json.loads(line)
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            os.environ["SEGSERVER_ADDRESS"] = request["address"]
            sys.argv = request["words"]
            code = 1
            try:
                segserver.cli.main(prog_name="segserver")
            except SystemExit as end:
                code = end.code or 0
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        answer = {"printed": output.read().decode(), "code": code}
    print(json.dumps(answer), flush=True)
"""
"""Runs each command in a fork of a process that has imported what it needs: that takes most of its time."""

SHELL = frozenset("|&;<>$`*")


class PageError(Exception):
    """A page that can't be played; the message names the page, the line and what went wrong."""


@dataclass(frozen=True)
class Scene:
    """What a session begins with: a server with a catalog, if one is named, and files of the real data."""

    catalog: str = ""
    files: tuple[str, ...] = ()
    installs: bool = False
    """The session installs plugins: into an environment of its own, on top of this one."""


SCENES = {
    "bare": Scene(),
    "plugin": Scene(installs=True),
    "everyday": Scene("examples/catalog"),
    "customers": Scene("examples/customer_personality/catalog", ("customer_personality.tsv",)),
    "personality": Scene("examples/sapa_spi/catalog", ("sapa_spi.csv",)),
    "user_agents": Scene("examples/user_agents/catalog", ("user_agents.txt",)),
}


def documents() -> list[Path]:
    """Every page that has a session."""
    folders = ("docs", "examples", "plugins")
    pages = [ROOT / "README.md", *(page for name in folders for page in sorted((ROOT / name).rglob("*.md")))]
    return [page for page in pages if sessions_of(page)]


def sessions_of(page: Path) -> list[str]:
    """The names of the page's sessions."""
    return [part["session"] for part in PART.finditer(page.read_text(encoding="utf-8")) if part["session"]]


def needs_data(page: Path) -> bool:
    """Whether a session of this page imports real data."""
    return any(SCENES[name].files for name in sessions_of(page))


def rewritten(page: Path) -> str:
    """The page with the output of its sessions as it is now. Raises :class:`PageError`."""
    text = page.read_text(encoding="utf-8")
    parts, end = [], 0
    with contextlib.ExitStack() as stack:
        stage: Stage | None = None
        for part in PART.finditer(text):
            gap = text[end : part.start()]
            parts.append(gap)
            end = part.end()
            if part["session"]:
                stack.close()
                stage = stack.enter_context(opened(SCENES[part["session"]]))
                parts.append(part[0])
                continue
            try:
                new = part[0] if stage is None else stage.play(part, follows=not gap.strip())
            except PageError as error:
                line = text.count("\n", 0, part.start()) + 1
                raise PageError(f"{page.relative_to(ROOT)}:{line}: {error}") from error
            parts.append(part[0] if normal(new) == normal(part[0]) else new)
    return "".join(parts) + text[end:]


def normal(text: str) -> list[str]:
    """The lines of a page with everything volatile replaced by its form."""
    for pattern, form in VOLATILE:
        text = pattern.sub(form, text)
    return [line.strip() for line in text.splitlines()]


class Stage:
    """A folder in which a session is played, with at most one server."""

    def __init__(self, folder: Path, python_executable: str = sys.executable) -> None:
        self._folder = folder
        self._forks = python_executable == sys.executable  # what is installed meanwhile, a fork would not see
        self._executable = python_executable
        self._environment = {
            # Neither settings of somebody's server, nor what makes hypothesis search in another way.
            **{
                name: value
                for name, value in os.environ.items()
                if name != "CI" and not name.startswith("SEGSERVER_")
            },
            "COLUMNS": str(WIDTH),
            "GRPC_VERBOSITY": "NONE",  # its own lines hold ports and process ids
            "NO_COLOR": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this as: without isolation
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONWARNINGS": "ignore",  # of pip and pytest, about each other
            "PATH": os.pathsep.join([str(Path(python_executable).parent), os.environ.get("PATH", "")]),
        }
        self._server: subprocess.Popen[bytes] | None = None
        self._log = folder / ".log"
        self._address = ADDRESS
        self._helpers: dict[str, subprocess.Popen[str]] = {}
        self._printed: str | None = None

    def play(self, part: re.Match[str], *, follows: bool) -> str:
        """One block as it reads after it was played; ``follows`` when it stands right after the last one."""
        printed, self._printed = self._printed if follows else None, None
        if part["file"]:
            self._write(part["file"], part["body"])
        elif part["kind"] == "console":
            return self._console(part["body"])
        elif part["kind"] == "python":
            self._printed = self._executed(part["body"])
        elif part["kind"] == "text" and printed is not None:
            return f"```text\n{printed.strip(chr(10))}\n```"
        return part[0]

    def close(self) -> None:
        """Ends what runs."""
        self._stop()
        for helper in self._helpers.values():
            helper.communicate()

    def run(self, command: str) -> str:
        """What a command prints, errors too. An exit code other than 0 is shown as a last line."""
        words = shlex.split(command, comments=True)
        if command == "kill %1":
            return self._shown(*self._stop())
        if words[:2] == ["segserver", "serve"] and not {"-h", "--help"}.intersection(words):
            return self._shown(*self.serve(words[2:]))
        if words[:1] == ["segserver"] and self._forks and SHELL.isdisjoint(command):
            words = [word.replace(ADDRESS, self._address) for word in words]
            answer = self._ask(_COMMANDS, {"words": words, "address": self._address})
            return self._shown(answer["printed"], answer["code"])
        done = subprocess.run(
            ["bash", "-c", command.replace(ADDRESS, self._address)],
            cwd=self._folder,
            env={**self._environment, "SEGSERVER_ADDRESS": self._address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        return self._shown(done.stdout, done.returncode)

    def serve(self, options: list[str]) -> tuple[str, int]:
        """Starts a server: what it wrote until it was ready, or until it ended with an exit code."""
        ready = self._folder / ".ready"
        ready.unlink(missing_ok=True)
        options = [option.replace(ADDRESS, self._address) for option in options]
        if "--listen" not in options:
            options += ["--listen", "127.0.0.1:0"]
        with self._log.open("wb") as log:
            server = subprocess.Popen(
                [self._executable, "-m", "segserver", "serve", *options, "--ready-file", str(ready)],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while not ready.exists() and server.poll() is None:
            if time.monotonic() > deadline:
                server.kill()
            time.sleep(0.02)
        written = self._log.read_text(encoding="utf-8")
        if server.poll() is None:
            self._stop()
            self._server, self._address = server, ready.read_text(encoding="utf-8")
        return written, server.returncode or 0

    def _stop(self) -> tuple[str, int]:
        if self._server is None:
            return "", 0
        server, self._server = self._server, None
        before = self._log.stat().st_size
        server.terminate()
        code = server.wait(30)
        return self._log.read_text(encoding="utf-8")[before:], code

    def _write(self, name: str, text: str) -> None:
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def _console(self, body: str) -> str:
        lines: list[str] = []
        for line in body.splitlines():
            if line.startswith("$ "):
                printed = self.run(line[2:])
                lines += [line, printed] if printed else [line]
        return "\n".join(["```console", *lines, "```"])

    def _executed(self, code: str) -> str:
        answer = self._ask(_DRIVER, code.replace(ADDRESS, self._address))
        if answer["failure"]:
            raise PageError(answer["failure"])
        return str(answer["printed"]).replace(self._address, ADDRESS)

    def _ask(self, program: str, question: object) -> Any:
        """What a helper, which runs from its first question to the end of the session, answers."""
        helper = self._helpers.get(program)
        if helper is None:
            helper = self._helpers[program] = subprocess.Popen(
                [self._executable, "-c", program],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        if helper.stdin is None or helper.stdout is None:
            raise PageError("a helper without pipes")
        print(json.dumps(question), file=helper.stdin, flush=True)
        return json.loads(helper.stdout.readline())

    def _shown(self, printed: str, code: int) -> str:
        text = printed.replace(self._address, ADDRESS).replace(f"{self._folder}/", "")
        lines = [line.rstrip() for line in text.strip("\n").splitlines()]
        return "\n".join([*lines, f"[exit {code}]"] if code else lines)


@contextlib.contextmanager
def opened(scene: Scene) -> Iterator[Stage]:
    """A folder that has the examples and the scene's files, and its server if it has one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / "protos").symlink_to(ROOT / "protos")
        for file in scene.files:
            (folder / file).symlink_to(DATA / file)
        stage = Stage(folder, _environment_on_top(folder / ".venv") if scene.installs else sys.executable)
        try:
            if scene.catalog:
                written, code = stage.serve(["--dev", "--catalog", scene.catalog])
                if code:
                    raise PageError(f"the server of {scene.catalog} did not start: {written}")
            yield stage
        finally:
            stage.close()


def _environment_on_top(folder: Path) -> str:
    """The Python of a new virtual environment that sees what is installed in this one."""
    venv.create(folder, symlinks=True)
    packages = sysconfig.get_path("purelib")
    inner = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder)}))
    (inner / "on_top.pth").write_text(f"import site; site.addsitedir({packages!r})\n", encoding="utf-8")
    command = folder / "bin" / "segserver"
    command.write_text(f"#!{folder}/bin/python\nfrom segserver.cli import main\n\nmain()\n", encoding="utf-8")
    command.chmod(0o755)
    return str(folder / "bin" / "python")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 when a page is not what runs"
    )
    parser.add_argument("pages", nargs="*", type=Path, help="only these pages")
    arguments = parser.parse_args()
    stale = False
    for page in [path.resolve() for path in arguments.pages] or documents():
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
