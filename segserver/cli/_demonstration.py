"""What ``segserver demo`` does: start a server beside itself, fill it, ask it, show the answers."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from segserver.cli._output import console, outcome_text, table, write_json
from segserver.cli._population import Situation, decide, population, situation, subject
from segserver.cli._population_events import events
from segserver.cli._request import reason_of
from segserver.cli._server import DEVELOPMENT_KEY, read_key
from segserver.client import Client, Evaluation, ProfileWrite
from segserver.errors import NotFound, SegserverError, Unavailable
from segserver.model import Outcome

HOST = "127.0.0.1"
START_S = 60.0
"""The first start makes keys and compiles a catalog, maybe on a slow machine."""

STOP_S = 15.0
POLL_S = 0.05
BATCH = 1_000
EVENT_BATCH = 10_000

SHOWN_SEGMENTS = 6
"""Of those that are shown to everybody."""
STANDINGS = ("journey/", "value/")
"""How the segments begin that are shown to their members only: a stage, a worth."""
SHOWN_CUSTOMERS = {"analytics": 2, "marketing": 9}
"""By purpose. Marketing needs consent: each of the first customers is in another situation."""
DECIDED_MAX = 1_000
"""So many customers decide about marketing at most: each decision is a call of its own."""


def run(
    data_dir: Path,
    port: int,
    catalog_dir: Path | None,
    customers: int,
    seed: int,
    *,
    once: bool,
    as_json: bool,
) -> None:
    """Runs the demonstration; returns when it was interrupted, or with ``once`` after the answers.

    Raises:
        Unavailable: when the port is taken or the server does not start.
    """
    catalog = catalog_dir or example_catalog()
    check_port(port)
    with _server(data_dir, port, catalog) as (process, address):
        with Client(address, api_key=read_key(data_dir / DEVELOPMENT_KEY)) as client:
            written = _fill(client, customers, seed)
            _record(client, customers, seed)
            _decide(client, min(customers, DECIDED_MAX))
            answers = list(_answers(client, customers))
        if as_json:
            write_json({"address": address, "customers": written, "purposes": dict(answers)})
        else:
            click.echo(f"{written} made-up customers in {data_dir}, catalog from {catalog}")
            for purpose, evaluations in answers:
                _print(purpose, evaluations)
        if once:
            return
        click.echo(f"Serving on {address} until you press Ctrl-C. In another terminal, try:", err=as_json)
        click.echo(
            f"  segserver explain demo-0001 age/midlife --purpose analytics "
            f"--address {address} --data-dir {data_dir}",
            err=as_json,
        )
        process.wait()
        raise Unavailable("the server has ended", reason="SERVER_ENDED")


def example_catalog() -> Path:
    """The catalog of the source tree that this package runs from.

    Raises:
        NotFound: when it runs from elsewhere.
    """
    folder = Path(__file__).resolve().parents[2] / "examples" / "catalog"
    if not folder.is_dir():
        raise NotFound(
            "there is no examples/catalog here; name a catalog with --catalog", reason="CATALOG_NOT_FOUND"
        )
    return folder


def check_port(port: int) -> None:
    """Raises :class:`Unavailable` when another program listens on the port of this machine."""
    if port == 0:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise Unavailable(
                f"port {port} is in use; end what listens there, or choose another with --port",
                reason="ADDRESS_IN_USE",
            ) from error


@contextlib.contextmanager
def _server(data_dir: Path, port: int, catalog: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server process and its address. It ends with the block, and Ctrl-C ends the block quietly."""
    with tempfile.TemporaryDirectory() as folder:
        ready, log = Path(folder, "ready"), Path(folder, "log")
        command = [sys.executable, "-m", "segserver", "serve", "--dev", "--data-dir", str(data_dir)]
        command += ["--catalog", str(catalog), "--listen", f"{HOST}:{port}", "--ready-file", str(ready)]
        with log.open("wb") as stream:
            # In a session of its own: Ctrl-C reaches this process alone, which then ends the server in order.
            process = subprocess.Popen(  # noqa: S603  # our own command
                command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL, start_new_session=True
            )
        try:
            with _interruptible():
                yield process, _address(process, ready, log)
        except KeyboardInterrupt:
            click.echo("stopping", err=True)
        finally:
            _end(process)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Lets SIGTERM, and the end of the terminal, end the block as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _address(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if ready.exists():
            return ready.read_text(encoding="utf-8").strip()
        if process.poll() is not None:
            break
        time.sleep(POLL_S)
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    raise Unavailable(f"the server did not start{f': {said}' if said else ''}", reason="SERVER_NOT_STARTED")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _fill(client: Client, customers: int, seed: int) -> int:
    """Writes the population, and returns how many customers were written. A refused one is an error here."""
    declared = {attribute.name: attribute.type for attribute in client.attributes()}
    changes = list(population(customers, seed, declared))
    written = 0
    for start in range(0, len(changes), BATCH):
        for result in client.upsert_profiles(changes[start : start + BATCH]):
            if not isinstance(result, ProfileWrite):
                raise result
            written += 1
    return written


def _record(client: Client, customers: int, seed: int) -> None:
    """Records what the customers did, dated back from now, unless a former demonstration did."""
    declared = list(client.event_definitions())
    done = list(events(customers, seed, dt.datetime.now(dt.UTC), declared))
    for start in range(0, len(done), EVENT_BATCH):
        for error in client.record_events(done[start : start + EVENT_BATCH]).rejected.values():
            if error.reason != "EVENT_ID_TAKEN":
                raise error


def _decide(client: Client, customers: int) -> None:
    """Records the decisions of customers, unless a former demonstration did."""
    if "marketing" not in {purpose.name for purpose in client.purposes()}:
        return
    standings = {item["purpose"]: item["standing"] for item in client.consents(subject(1))["consents"]}
    if standings["marketing"] == "CONSENT_STANDING_MISSING":
        for number in range(1, customers + 1):
            decide(client, number)


def _answers(client: Client, customers: int) -> Iterator[tuple[str, dict[str, Evaluation]]]:
    """For each purpose, some customers with their evaluations."""
    available = {purpose.name for purpose in client.purposes()}
    shown = (
        SHOWN_CUSTOMERS if available.issuperset(SHOWN_CUSTOMERS) else dict.fromkeys(sorted(available)[:1], 5)
    )
    for purpose, count in shown.items():
        segments = [segment.id for segment in client.segments(purpose)]
        standings = [segment for segment in segments if segment.startswith(STANDINGS)]
        others = [segment for segment in segments if not segment.startswith(STANDINGS)]
        spread = others[:: -(-len(others) // SHOWN_SEGMENTS) or 1] + standings
        numbers = range(1, min(customers, count) + 1)
        subjects = [subject(number) for number in numbers]
        evaluations: dict[str, Evaluation] = {}
        for number, answer in zip(numbers, client.evaluate_batch(subjects, purpose, spread), strict=True):
            if isinstance(answer, SegserverError):
                raise answer
            evaluations[subject(number).id] = answer
        yield purpose, evaluations


def _print(purpose: str, evaluations: Mapping[str, Evaluation]) -> None:
    made = table("customer", "segment", "outcome", "reason", title=f"For {purpose}", whole="segment")
    for number, (customer, evaluation) in enumerate(evaluations.items(), start=1):
        names = [customer, _said(situation(number)) if purpose == "marketing" else ""]
        rows = [
            (r.segment, r.outcome, reason_of(r))
            for r in evaluation.results
            if r.outcome is Outcome.MEMBER or not r.segment.startswith(STANDINGS)
        ]
        if len({(outcome, reason) for _, outcome, reason in rows}) == 1:
            rows = [("all of them", *rows[0][1:])]
        for name, row in itertools.zip_longest(names, rows):
            segment, outcome, reason = row or ("", None, "")
            made.add_row(name or "", segment, "" if outcome is None else outcome_text(outcome), reason)
    console().print(made)


def _said(found: Situation) -> str:
    return "a child" if found is Situation.CHILD else found.value
