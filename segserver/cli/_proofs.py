"""Proofs of entries and of results: written, and verified without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from segserver.cli._output import console, json_option, table, visible, write_json
from segserver.cli._server import Server, server_options
from segserver.errors import InvalidInput

if TYPE_CHECKING:
    from segserver.audit.note import NoteKey

_FILE = click.Path(path_type=Path, dir_okay=False)
_SUBJECT_HELP = (
    "A file with the subject's id, or - to type it: arguments can be seen by others on this machine."
)


@click.command("results")
@click.option("--subject-file", type=click.File("r"), help=_SUBJECT_HELP)
@click.option(
    "--token", "audit_token", default="", help="The subject's token in the log, in place of its id."
)
@json_option
@server_options
def results(subject_file: TextIO | None, audit_token: str, as_json: bool, server: Server) -> None:
    """List the evaluations of everybody that answered for a subject, newest first.

    \b
    Example:
      segserver audit results --subject-file -
    """
    with server.connect() as client:
        records = list(client.audit_results(_subject(subject_file, audit_token), audit_token))
    if as_json:
        write_json([{"log_index": item.log_index, "entry": json.loads(item.payload)} for item in records])
        return
    made = table("entry", "time", "caller", "purpose", "evaluation")
    for item in records:
        entry = item.entry()
        made.add_row(str(item.log_index), entry.time, entry.caller, entry.purpose, entry.request_id)
    console().print(made)


@click.command("prove-result")
@click.argument("log_index", type=click.IntRange(min=0))
@click.option("--subject-file", type=click.File("r"), help=_SUBJECT_HELP)
@click.option(
    "--token", "audit_token", default="", help="The subject's token in the log, in place of its id."
)
@click.option("--to", "file", type=_FILE, help="The file to write; without it, stdout.")
@server_options
def prove_result(
    log_index: int, subject_file: TextIO | None, audit_token: str, file: Path | None, server: Server
) -> None:
    """Write the proof of what an evaluation of everybody answered for one subject.

    LOG_INDEX is one of those that "audit results" lists. The proof verifies offline, like that of an entry.

    \b
    Example:
      segserver audit prove-result 1042 --subject-file - --to 1042.result-proof
    """
    with server.connect() as client:
        proof = client.prove_result(log_index, _subject(subject_file, audit_token), audit_token)
    write_proof(proof, file)


def _subject(file: TextIO | None, audit_token: str) -> str | None:
    if file is None and not audit_token:
        raise click.UsageError("name the subject: --subject-file FILE, or --token")
    return None if file is None else file.read().strip()


def write_proof(proof: str, file: Path | None) -> None:
    """A proof into a file that only its owner can read, or to stdout."""
    if file is None:
        click.echo(proof, nl=False)
        return
    file.touch(mode=0o600)
    file.write_text(proof, encoding="utf-8", newline="\n")
    click.echo(f"wrote {file}", err=True)


def verify_file(file: Path, key_file: Path) -> None:
    """Verifies a proof of either kind and says what it shows. Raises :class:`IntegrityError`."""
    from segserver.audit.proof import verify_proof
    from segserver.audit.results import is_result_proof, verify_result

    proof, keys = text_of(file), [key_of(key_file)]
    if is_result_proof(proof):
        found = verify_result(proof, keys)
        click.echo(visible(found.payload.decode()))
        for segment, outcome in found.outcomes.items():
            click.echo(visible(f"{segment}: {outcome}"))
        proven = found.entry
        what = f"result {found.index} of {proven.entry.subjects} under entry"
    else:
        proven = verify_proof(proof, keys)
        click.echo(visible(proven.payload.decode()))
        what = "entry"
    click.echo(
        f"{what} {proven.log_index} of {proven.checkpoint.origin} ({proven.checkpoint.size} entries): proven",
        err=True,
    )


def text_of(file: Path) -> str:
    """What a text file holds."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"{file} is not text", reason="FILE_MALFORMED") from None


def key_of(file: Path) -> NoteKey:
    """The log's public key in a file."""
    from segserver.audit.note import NoteKey

    return NoteKey.parse(text_of(file))
