"""``segserver audit``: read, prove and verify the log of every answer."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, TypeVar, cast

import click

from segserver.cli._installation import installation_options, key_option, log_key, progress_bar
from segserver.cli._output import console, json_option, table, visible, write_json
from segserver.cli._proofs import key_of, prove_result, results, verify_file, write_proof
from segserver.cli._request import Time
from segserver.cli._server import Server, server_options
from segserver.errors import NotFound

if TYPE_CHECKING:
    from segserver.audit.export import Record
    from segserver.audit.note import NoteKey
    from segserver.client.audit_calls import EntryFilter
    from segserver.config import Config
    from segserver.storage.contract import Connection

F = TypeVar("F", bound=Callable[..., Any])

TAIL_SECONDS = 2.0
TAIL_ENTRIES = 20
_FILE = click.Path(path_type=Path, dir_okay=False)
_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group("audit")
def command() -> None:
    """Read, prove and verify the log of every answer. Reading it is logged, too.

    \b
    Example:
      segserver audit search --segment retail/lapsed --outcome withheld
    """


def _filter_options(command: F) -> F:
    """Adds the options that say which entries; the command gets ``wanted``."""

    def chosen(**options: Any) -> Any:
        from segserver.client.audit_calls import EntryFilter

        names = EntryFilter.__dataclass_fields__
        given = {name: options.pop(name) for name in list(options) if name in names}
        file = options.pop("subject_file")
        subject = None if file is None else file.read().strip()
        return command(wanted=EntryFilter(**given, subject=subject), **options)

    chosen.__name__, chosen.__doc__ = command.__name__, command.__doc__
    chosen.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's
    for option in reversed(_FILTERS):
        option(chosen)
    return cast("F", chosen)


_FILTERS = [
    click.option("--after", type=Time(), help="At or after this time (UTC without an offset)."),
    click.option("--before", type=Time(), help="Before this time."),
    click.option("--kind", "kinds", multiple=True, help="evaluation, profile_read, …; repeatable."),
    click.option("--caller", default="", help="Who asked."),
    click.option("--purpose", default="", help="What for."),
    click.option("--segment", default="", help="A segment that was asked for."),
    click.option("--outcome", default="", help="member, not_member, unknown or withheld."),
    click.option("--withheld-by", default="", help="A reason for which some attribute was withheld."),
    click.option("--result", default="", help="OK, or the reason of an error."),
    click.option("--token", "audit_token", default="", help="A subject's token in the log."),
    click.option(
        "--subject-file",
        type=click.File("r"),
        help="A file with a subject's id, or - to type it: arguments can be seen by others on this machine.",
    ),
]


@command.command("search")
@_filter_options
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."
)
@json_option
@server_options
def search(wanted: EntryFilter, count: int, as_json: bool, server: Server) -> None:
    """Find entries, newest first.

    \b
    Example:
      segserver audit search --purpose marketing --outcome withheld --after 2026-07-01
    """
    with server.connect() as client:
        records = [
            record
            for record, _ in zip(client.audit_entries(wanted, min(count, 1000)), range(count), strict=False)
        ]
    _show(records, as_json)


@command.command("tail")
@_filter_options
@click.option("--once", is_flag=True, help="Show the newest entries and stop.")
@server_options
def tail(wanted: EntryFilter, once: bool, server: Server) -> None:
    """Show new entries as they come, until Ctrl-C. The entries about this reading are left out.

    \b
    Example:
      segserver audit tail --kind access_denied
    """
    seen = -1
    with server.connect() as client:
        while True:
            fresh = _newer(client.audit_entries(wanted, TAIL_ENTRIES), seen)
            for record in reversed(fresh):
                if record.entry().kind != "audit_read":
                    click.echo(_line(record))
            if once:
                return
            seen = max([seen, *(record.log_index for record in fresh)])
            time.sleep(TAIL_SECONDS)


def _newer(records: Iterator[Record], seen: int) -> list[Record]:
    """The records after ``seen``; at the beginning, the newest few."""
    fresh: list[Record] = []
    for record in records:
        if record.log_index <= seen or (seen < 0 and len(fresh) == TAIL_ENTRIES):
            break
        fresh.append(record)
    return fresh


@command.command("show")
@click.argument("log_index", type=click.IntRange(min=0))
@server_options
def show(log_index: int, server: Server) -> None:
    """Show one entry, whole.

    \b
    Example:
      segserver audit show 1042
    """
    with server.connect() as client:
        record = client.audit_entry(log_index)
    click.echo(visible(json.dumps(json.loads(record.payload), indent=2, ensure_ascii=False)))


@command.command("stats")
@_filter_options
@json_option
@server_options
def stats(wanted: EntryFilter, as_json: bool, server: Server) -> None:
    """Count entries by kind, caller, purpose, result, outcome and withheld reason.

    \b
    Example:
      segserver audit stats --after 2026-07-01
    """
    with server.connect() as client:
        counts = client.audit_stats(wanted)
    if as_json:
        write_json({name: dict(sorted(values.items())) for name, values in sorted(counts.items())})
        return
    made = table("what", "value", "entries")
    for name in sorted(counts):
        for value, count in sorted(counts[name].items(), key=lambda item: (-item[1], item[0])):
            made.add_row(name, value, str(count))
    console().print(made)


@command.command("export")
@_filter_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "parquet", "ocsf"]),
    default="jsonl",
    show_default=True,
)
@click.option("--to", "file", type=_FILE, required=True, help="The file to write; readable by you only.")
@server_options
def export(wanted: EntryFilter, form: str, file: Path, server: Server) -> None:
    """Write entries to a file, oldest first, for other programs.

    \b
    Example:
      segserver audit export --format ocsf --to july.ocsf.jsonl --after 2026-07-01 --before 2026-08-01
    """
    from segserver.audit.export import export as write
    from segserver.audit.note import NoteKey

    file.touch(mode=0o600)
    with server.connect() as client, file.open("wb") as output:
        origin = NoteKey.parse(client.audit_checkpoint().key).name
        count = write(client.export_audit(wanted), form, cast("BinaryIO", output), origin=origin)
    click.echo(f"wrote {count} entries to {file}", err=True)


@command.command("prove")
@click.argument("log_index", type=click.IntRange(min=0))
@click.option("--to", "file", type=_FILE, help="The file to write; without it, stdout.")
@server_options
def prove(log_index: int, file: Path | None, server: Server) -> None:
    """Write the proof that one entry is in the log. It verifies offline, without this program.

    \b
    Example:
      segserver audit prove 1042 --to 1042.tlog-proof
    """
    with server.connect() as client:
        proof = client.prove_entry(log_index)
    write_proof(proof, file)


command.add_command(results)
command.add_command(prove_result)


_CHANGES = {
    "INPUTS_CHANGED": "other values are visible than then",
    "ATTRIBUTES_BROUGHT": "the call brought values of its own, which are never kept",
    "CONSENT_CHANGED": "another consent holds, or other attributes are withheld",
    "STRATEGIES_CHANGED": "the installed strategies are not those of the recorded catalog",
}


@command.command("replay")
@click.argument("log_index", type=click.IntRange(min=0))
@click.option(
    "--subject-file",
    type=click.File("r"),
    required=True,
    help="A file with the subject's id, or - to type it.",
)
@json_option
@server_options
def replay(log_index: int, subject_file: TextIO, as_json: bool, server: Server) -> None:
    """Evaluate a recorded question again: does the same answer come out, and if not, what changed?

    \b
    Example:
      segserver audit replay 1042 --subject-file -
    """
    with server.connect() as client:
        found = client.replay_entry(log_index, subject_file.read().strip())
    if as_json:
        write_json({"same": found.same, "changes": found.changes, "differences": found.differences})
        return
    click.echo("the same" if found.same else f"not the same: {', '.join(found.changes) or 'outcomes differ'}")
    for change in found.changes:
        click.echo(f"{change}: {_CHANGES.get(change, 'unknown to this program')}")
    for segment, (recorded, replayed) in found.differences.items():
        click.echo(f"{segment}: {recorded} then, {replayed} now")


@command.command("key")
@server_options
def key(server: Server) -> None:
    """Show the log's public key. Keep it where the operator can't change it.

    \b
    Example:
      segserver audit key > log.key
    """
    with server.connect() as client:
        click.echo(client.audit_checkpoint().key)


@command.command("verify")
@click.option(
    "--proof", "proof_file", type=_EXISTING, help="Verify this proof, with no database and no server."
)
@key_option
@click.option(
    "--checkpoint",
    "state",
    type=_FILE,
    help="A checkpoint from before, which the log must contain; kept up to date.",
)
@click.option("--resume", is_flag=True, help="Read only the entries after that checkpoint.")
@installation_options
def verify(
    proof_file: Path | None, key_file: Path | None, state: Path | None, resume: bool, config: Config
) -> None:
    """Verify the whole log of a data directory, or one proof.

    \b
    Example:
      segserver audit verify --key log.key --checkpoint last-verified
      segserver audit verify --proof 1042.tlog-proof --key log.key
    """
    if proof_file is not None:
        if key_file is None:
            raise click.UsageError("--proof needs --key: a key that came with the proof shows nothing")
        verify_file(proof_file, key_file)
        return
    if resume and state is None:
        raise click.UsageError("--resume needs --checkpoint: it goes on from that one")
    from segserver.audit.proof import prove_growth
    from segserver.audit.verify import verified_checkpoint
    from segserver.audit.verify import verify as verify_log
    from segserver.audit.witness import Witness

    with _log(config, key_file) as (connection, public):
        witness = None if state is None else Witness(state, [public])
        trusted = None if witness is None else witness.remembered()
        with progress_bar("verifying") as progress:
            report = verify_log(connection, [public], trusted=trusted, resume=resume, progress=progress)
        note = verified_checkpoint(connection, report)
        if witness is not None and note is not None:
            witness.observe(note, partial(prove_growth, connection))
    click.echo(
        f"entries {report.start} to {report.size}: verified; signed up to {report.signed}; "
        f"{report.pruned} pruned"
    )
    click.echo(f"checkpoints compared: {report.checkpoints}; root: {report.root.hex()}")


@command.command("witness")
@click.argument("state", type=_FILE)
@click.option(
    "--key", "key_file", type=_EXISTING, required=True, help="The log's public key, had from elsewhere."
)
@server_options
def witness(state: Path, key_file: Path, server: Server) -> None:
    """Remember the log's newest checkpoint, and refuse a log that contradicts what was seen before.

    Run it from time to time, on a machine that the log's operator does not control.

    \b
    Example:
      segserver audit witness /var/lib/witness/shop --key log.key
    """
    from segserver.audit.witness import Witness

    keeper = Witness(state, [key_of(key_file)])
    known = keeper.remembered()
    with server.connect() as client:
        seen = client.audit_checkpoint(known.size if known else 0)
    if not seen.note:
        raise NotFound("the log is empty: there is nothing to witness", reason="LOG_EMPTY")
    checkpoint = keeper.observe(seen.note, lambda _old, _new: seen.consistency)
    click.echo(f"{checkpoint.origin}: {checkpoint.size} entries, consistent")


@command.command("prune")
@click.option("--before", required=True, type=Time(), help="Drop the payloads of entries before this time.")
@click.confirmation_option(prompt="Payloads are gone for good. Go on?")
@server_options
def prune(before: dt.datetime, server: Server) -> None:
    """Drop what old entries say. Their hashes stay, so the log and old proofs still verify.

    \b
    Example:
      segserver audit prune --before 2025-01-01 --yes
    """
    with server.connect() as client:
        click.echo(f"dropped {client.prune_audit(before)} payloads")


@command.command("reindex")
@installation_options
def reindex(config: Config) -> None:
    """Make the search index anew from the entries, with or without a running server.

    \b
    Example:
      segserver audit reindex --data-dir .data
    """
    from segserver.audit.log import Log
    from segserver.audit.search import rebuild
    from segserver.engine.store import has_store, open_database
    from segserver.storage.writer import Writer

    if not has_store(config):
        raise click.ClickException(f"{config.data_dir} holds no database")
    database = open_database(config)
    writer, connection = Writer(database, Log().append), database.connect(read_only=True)
    try:
        blocks = rebuild(connection, writer)
    finally:
        connection.close()
        writer.close()
    click.echo(f"indexed {blocks} blocks of 4,096 entries; search reads the entries after them as they are")


@contextmanager
def _log(config: Config, key_file: Path | None) -> Iterator[tuple[Connection, NoteKey]]:
    """The log of an installation, read only, and its key."""
    from segserver.engine.store import has_store, open_unchanged

    if not has_store(config):
        raise click.ClickException(f"{config.data_dir} holds no database")
    key = log_key(config, key_file)
    connection = open_unchanged(config)
    try:
        yield connection, key
    finally:
        connection.close()


def _show(records: list[Record], as_json: bool) -> None:
    if as_json:
        write_json(
            [{"log_index": record.log_index, "entry": json.loads(record.payload)} for record in records]
        )
        return
    made = table("entry", "time", "kind", "caller", "purpose", "subject", "result")
    for record in records:
        entry = record.entry()
        made.add_row(
            str(record.log_index),
            entry.time,
            entry.kind,
            entry.caller,
            entry.purpose,
            entry.subject,
            entry.result,
        )
    console().print(made)


def _line(record: Record) -> str:
    entry = record.entry()
    parts = (
        str(record.log_index),
        entry.time,
        entry.kind,
        entry.caller,
        entry.purpose,
        entry.subject,
        entry.result,
    )
    return visible("  ".join(part for part in parts if part))
