"""``segserver subject``: what a person may ask for."""

from __future__ import annotations

import heapq
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segserver.cli._output import console, json_option, table, write_json
from segserver.cli._server import Server, server_options

if TYPE_CHECKING:
    from segserver.audit.entry import Entry

KINDS = ["access", "rectify", "restrict", "erase", "object", "port"]


@click.group("subject")
def command() -> None:
    """Serve a person's rights: export, restrict, erase, and the requests that are due.

    \b
    Example:
      segserver subject export customer:1042 --to jo.json
    """


@command.command("export")
@click.argument("subject")
@click.option(
    "--to", "file", type=click.Path(path_type=Path, dir_okay=False), help="A file; without it, stdout."
)
@server_options
def export(subject: str, file: Path | None, server: Server) -> None:
    """Export everything that is stored about a subject, as JSON.

    Many events take several files: jo.json, jo.2.json, and so on.

    \b
    Example:
      segserver subject export customer:1042 --to jo.json
    """
    following = ""
    with server.connect() as client:
        for number in itertools.count(1):
            document = client.export_subject(subject, following)
            if file is None:
                click.echo(document, nl=False)
            else:
                path = file if number == 1 else file.with_name(f"{file.stem}.{number}{file.suffix}")
                path.touch(mode=0o600)
                path.write_bytes(document)
                click.echo(f"wrote {path}", err=True)
            following = json.loads(document)["following"]
            if not following:
                return


@command.command("import")
@click.argument("subject")
@click.argument(
    "files", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, required=True
)
@server_options
def import_subject(subject: str, files: tuple[Path, ...], server: Server) -> None:
    """Store an exported subject again, with its times, decisions, evidence and events.

    An export of several files is given in their order.

    \b
    Example:
      segserver subject import customer:1042 jo.json
    """
    with server.connect() as client:
        for file in files:
            client.import_subject(subject, file.read_bytes())
    click.echo("stored")


@command.command("restrict")
@click.argument("subject")
@click.option("--reason", default="", help="Why.")
@click.option("--lift", is_flag=True, help="Processing is no longer restricted.")
@server_options
def restrict(subject: str, reason: str, lift: bool, server: Server) -> None:
    """Restrict processing: the subject stays stored and is not evaluated.

    \b
    Example:
      segserver subject restrict customer:1042 --reason "accuracy is contested"
    """
    with server.connect() as client:
        client.restrict_subject(subject, lifted=lift, reason=reason)
    click.echo("no longer restricted" if lift else "restricted")


@command.command("erase")
@click.argument("subject")
@click.option("--yes", is_flag=True, help="Do not ask.")
@server_options
@json_option
def erase(subject: str, yes: bool, server: Server, as_json: bool) -> None:
    """Erase a subject: keys, profile, consents, aliases. It can't be undone.

    \b
    Example:
      segserver subject erase customer:1042 --yes
    """
    if not yes:
        click.confirm("Erase this subject? It can't be undone", abort=True)
    with server.connect() as client:
        receipt = client.erase_subject(subject)
    if as_json:
        write_json(receipt)
        return
    removed = ", ".join(f"{name}: {count}" for name, count in sorted(receipt["removed"].items()))
    click.echo(
        f"erased at {receipt['erase_time']} ({removed})" if receipt["existed"] else "nothing was stored"
    )
    if not receipt["log_emptied"]:
        click.echo("the database's log was busy: repeat this to empty it", err=True)


@command.command("alias")
@click.argument("subject")
@click.argument("alias")
@server_options
def alias(subject: str, alias: str, server: Server) -> None:
    """Make one more id of the same person lead to its subject.

    \b
    Example:
      segserver subject alias customer:1042 email:jo@example.org
    """
    with server.connect() as client:
        client.add_alias(subject, alias)
    click.echo("joined")


@command.command("request")
@click.argument("subject")
@click.argument("kind", type=click.Choice(KINDS))
@server_options
@json_option
def request(subject: str, kind: str, server: Server, as_json: bool) -> None:
    """Enter what a person asked for; it is due in a month.

    \b
    Example:
      segserver subject request customer:1042 access
    """
    with server.connect() as client:
        entered = client.open_request(subject, kind)["request"]
    if as_json:
        write_json(entered)
    else:
        click.echo(f"{entered['request_id']} is due {entered['due_time']}")


@command.command("requests")
@click.option("--overdue", is_flag=True, help="Only those that are past due.")
@server_options
@json_option
def requests(overdue: bool, server: Server, as_json: bool) -> None:
    """List open requests, the most urgent first.

    \b
    Example:
      segserver subject requests --overdue
    """
    with server.connect() as client:
        rows: list[dict[str, Any]] = client.requests(overdue_only=overdue)["requests"]
    if as_json:
        write_json(rows)
        return
    made = table("request", "kind", "received", "due", "overdue", "subject")
    for row in rows:
        late = "overdue" if row["overdue"] else ""
        made.add_row(
            row["request_id"], row["kind"], row["receive_time"], row["due_time"], late, row["audit_token"]
        )
    console().print(made)


@command.command("done")
@click.argument("request_id")
@server_options
def done(request_id: str, server: Server) -> None:
    """Mark a request as done.

    \b
    Example:
      segserver subject done 3f2a9c0d1e4b5a67
    """
    with server.connect() as client:
        client.complete_request(request_id)
    click.echo("done")


@command.command("history")
@click.argument("subject")
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."
)
@server_options
@json_option
def history(subject: str, count: int, server: Server, as_json: bool) -> None:
    """Show who asked what about a subject, newest first. This, too, is asking, and shown the next time.

    \b
    Example:
      segserver subject history customer:1042
    """
    from segserver.client.audit_calls import EntryFilter

    with server.connect() as client:
        alone = client.audit_entries(EntryFilter(subject=subject), min(count, 1_000))
        among_others = client.audit_results(subject)
        found = heapq.merge(alone, among_others, key=lambda record: -record.log_index)
        records = list(itertools.islice(found, count))
    if as_json:
        write_json([{"log_index": r.log_index, "entry": json.loads(r.payload)} for r in records])
        return
    made = table("entry", "time", "what", "who", "purpose", "answer", "of these data", whole="time")
    for record in records:
        entry = record.entry()
        made.add_row(
            str(record.log_index),
            entry.time[:19] + "Z",
            entry.kind.replace("_", " "),
            entry.caller,
            entry.purpose,
            _answer(entry),
            ", ".join(entry.read),
        )
    console().print(made)


def _answer(entry: Entry) -> str:
    """What came out: how many segments of each outcome, or the reason of an error."""
    if entry.result != "OK":
        return entry.result
    if entry.results_root:
        return f"one of {entry.subjects}: see audit prove-result"
    counts = {name: len(getattr(entry.segments, name)) for name in ("member", "unknown", "withheld")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


@command.command("identify")
@click.argument("token_or_request")
@click.option("--reason", help="Why, in a sentence: asks, as the first officer.")
@click.option("--approve", is_flag=True, help="Approves a request, as the second officer.")
@server_options
def identify(token_or_request: str, reason: str | None, approve: bool, server: Server) -> None:
    """Find out whom an audit token means: one officer asks, another approves and gets the data.

    \b
    Example:
      segserver subject identify a1-0123456789abcdef0123456789abcdef --reason "court order 7"
      segserver subject identify 3f2a9c0d1e4b5a67 --approve
    """
    if approve is (reason is not None):
        raise click.UsageError("give --reason to ask, or --approve to approve")
    with server.connect() as client:
        if reason is None:
            click.echo(client.approve_identification(token_or_request), nl=False)
        else:
            asked = client.ask_identification(token_or_request, reason)
            click.echo(f"{asked['request_id']}: another officer must approve it")
