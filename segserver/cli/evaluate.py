"""``segserver evaluate``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segserver.cli._everybody import FORMATS
from segserver.cli._everybody import run as run_everybody
from segserver.cli._failure import Exit, exit_code
from segserver.cli._output import (
    console,
    json_option,
    outcome_text,
    plain,
    short_digest,
    table,
    time_text,
    write_json,
)
from segserver.cli._request import brought_attributes, reason_of, request_options
from segserver.cli._server import Server
from segserver.errors import SegserverError

if TYPE_CHECKING:
    from segserver.client import Client, Evaluation
    from segserver.model import Value

BATCH = 1_000


@click.command("evaluate")
@click.argument("subjects", nargs=-1, metavar="[SUBJECT...]")
@click.option(
    "--segment", "-s", "segments", multiple=True, metavar="ID", help="Only this segment; repeatable."
)
@click.option("--all", "everybody", is_flag=True, help="Everybody who is stored; needs --to.")
@click.option(
    "--to",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --all: the file to write, *.parquet, *.csv or *.jsonl; readable by you only.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="With --all, for a file of another name.")
@request_options
@json_option
def command(
    subjects: tuple[str, ...],
    everybody: bool,
    file: Path | None,
    form: str | None,
    segments: tuple[str, ...],
    purpose: str,
    pairs: tuple[str, ...],
    at: dt.datetime | None,
    server: Server,
    as_json: bool,
) -> None:
    """Which segments are these subjects in, for a purpose?

    A SUBJECT is type:id, or an id of type customer. With --all, the answers go to a file, one row a subject,
    who is named by a token; the file is there when it is whole.

    \b
    Example:
      segserver evaluate customer:1042 --purpose marketing --segment retail/new
      segserver evaluate --all --purpose marketing --to marketing.parquet
    """
    if everybody:
        if subjects or pairs or file is None:
            raise click.UsageError("--all needs --to, and takes neither subjects nor attributes")
        run_everybody(server, purpose, segments, at, file, form, as_json=as_json)
        return
    if not subjects or file is not None or form is not None:
        raise click.UsageError("name subjects, or say --all and --to FILE")
    with server.connect() as client:
        attributes = brought_attributes(client, pairs)
        answers = list(_answers(client, subjects, purpose, segments, attributes, at))
    if as_json:
        write_json({"evaluations": [_data(subject, answer) for subject, answer in answers]})
    else:
        _print(answers)
    failed = [answer for _, answer in answers if isinstance(answer, SegserverError)]
    if failed:
        raise SystemExit(exit_code(failed[0]) if len(failed) == len(answers) else Exit.PROBLEM)


def _answers(
    client: Client,
    subjects: tuple[str, ...],
    purpose: str,
    segments: tuple[str, ...],
    attributes: dict[str, Value],
    at: dt.datetime | None,
) -> Iterator[tuple[str, Evaluation | SegserverError]]:
    if len(subjects) == 1:
        yield subjects[0], client.evaluate(subjects[0], purpose, segments, attributes, at)
        return
    for start in range(0, len(subjects), BATCH):
        batch = subjects[start : start + BATCH]
        answers = client.evaluate_batch(batch, purpose, segments, [attributes] * len(batch), at)
        yield from zip(batch, answers, strict=True)


def _data(subject: str, answer: Evaluation | SegserverError) -> dict[str, object]:
    kind = "error" if isinstance(answer, SegserverError) else "evaluation"
    return {"subject": subject, kind: plain(answer)}


def _print(answers: list[tuple[str, Evaluation | SegserverError]]) -> None:
    out = console()
    made = table("subject", "segment", "outcome", "reason", whole="segment")
    evaluation: Evaluation | None = None
    for subject, answer in answers:
        if isinstance(answer, SegserverError):
            made.add_row(subject, "", "error", f"{answer.message} ({answer.reason})")
            continue
        evaluation = answer
        for index, result in enumerate(answer.results):
            shown = subject if index == 0 else ""
            made.add_row(shown, result.segment, outcome_text(result.outcome), reason_of(result))
    out.print(made)
    if evaluation is not None:
        out.print(
            f"as of {time_text(evaluation.evaluate_time)}, catalog {short_digest(evaluation.catalog_digest)}"
        )
