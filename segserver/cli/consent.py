"""``segserver consent``: what people decided."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from segserver.cli._output import console, json_option, table, write_json
from segserver.cli._request import Time
from segserver.cli._server import Server, server_options


@click.group("consent")
def command() -> None:
    """Record and show what people decided: consents, objections, privacy signals.

    \b
    Example:
      segserver consent grant customer:1042 marketing --method web-form
    """


def _told(reply: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(reply)
        return
    record = reply["record"]
    about = record["purpose"] or record["signal"]
    click.echo(f"record {record['number']}: {record['kind'].replace('_', ' ')} {about}".rstrip())
    if "standing" in reply:
        click.echo(f"stands as {_word(reply['standing'])}")


def _word(standing: str) -> str:
    return standing.removeprefix("CONSENT_STANDING_").lower()


@command.command("grant")
@click.argument("subject")
@click.argument("purpose")
@click.option("--at", type=Time(), help="When the person decided; without it, now.")
@click.option("--expires", type=Time(), help="When the consent ends by itself.")
@click.option("--explicit", is_flag=True, help="Given in an express statement, as special categories need.")
@click.option("--notice", "notice_version", default="", help="The version of the notice that they saw.")
@click.option("--method", default="", help="How it was given.")
@click.option("--jurisdiction", default="", help="The person's jurisdiction, like DE or US-CA.")
@server_options
@json_option
def grant(
    subject: str,
    purpose: str,
    at: dt.datetime | None,
    expires: dt.datetime | None,
    server: Server,
    as_json: bool,
    **evidence: Any,
) -> None:
    """Record that a subject consents to a purpose.

    \b
    Example:
      segserver consent grant customer:1042 marketing --notice 2026-05 --jurisdiction DE
    """
    with server.connect() as client:
        _told(client.record_consent(subject, purpose, at=at, expires=expires, **evidence), as_json)


@command.command("refuse")
@click.argument("subject")
@click.argument("purpose")
@click.option("--method", default="", help="How it was said.")
@server_options
@json_option
def refuse(subject: str, purpose: str, method: str, server: Server, as_json: bool) -> None:
    """Record that a subject was asked, and refused.

    \b
    Example:
      segserver consent refuse customer:1042 marketing
    """
    with server.connect() as client:
        _told(client.record_consent(subject, purpose, granted=False, method=method), as_json)


@command.command("withdraw")
@click.argument("subject")
@click.argument("purpose")
@click.option("--method", default="", help="How it was withdrawn.")
@server_options
@json_option
def withdraw(subject: str, purpose: str, method: str, server: Server, as_json: bool) -> None:
    """End a subject's consent to a purpose. It holds everywhere when this command returns.

    \b
    Example:
      segserver consent withdraw customer:1042 marketing
    """
    with server.connect() as client:
        _told(client.withdraw_consent(subject, purpose, method=method), as_json)


@command.command("object")
@click.argument("subject")
@click.argument("purpose", default="")
@click.option("--lift", is_flag=True, help="The subject no longer objects.")
@click.option("--reason", default="", help="Why it was lifted.")
@server_options
@json_option
def objection(subject: str, purpose: str, lift: bool, reason: str, server: Server, as_json: bool) -> None:
    """Record an objection to a purpose, or to all direct marketing where none is named.

    \b
    Example:
      segserver consent object customer:1042
    """
    with server.connect() as client:
        _told(client.record_objection(subject, purpose, lifted=lift, reason=reason), as_json)


@command.command("signal")
@click.argument("subject")
@click.argument("signal", type=click.Choice(["gpc", "limit_sensitive"]))
@click.option("--clear", is_flag=True, help="The signal is no longer sent.")
@click.option("--jurisdiction", default="", help="The person's jurisdiction, like US-CA.")
@server_options
@json_option
def signal(subject: str, signal: str, clear: bool, jurisdiction: str, server: Server, as_json: bool) -> None:
    """Record a privacy signal: Global Privacy Control, or the limit on sensitive data.

    \b
    Example:
      segserver consent signal customer:1042 gpc --jurisdiction US-CA
    """
    with server.connect() as client:
        _told(
            client.record_privacy_signal(subject, signal, cleared=clear, jurisdiction=jurisdiction), as_json
        )


@command.command("receipt")
@click.argument("subject")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@server_options
@json_option
def receipt(subject: str, file: Path, server: Server, as_json: bool) -> None:
    """Record the decision in a receipt of the shape of ISO/IEC TS 27560.

    \b
    Example:
      segserver consent receipt customer:1042 receipt.json
    """
    with server.connect() as client:
        _told(client.record_consent_receipt(subject, file.read_text(encoding="utf-8")), as_json)


@command.command("show")
@click.argument("subject")
@server_options
@json_option
def show(subject: str, server: Server, as_json: bool) -> None:
    """Show how a subject's decisions stand. The read is audited.

    \b
    Example:
      segserver consent show customer:1042
    """
    with server.connect() as client:
        found = client.consents(subject)
    if as_json:
        write_json(found)
        return
    made = table("purpose", "consent", "until", "objection")
    for item in found["consents"]:
        made.add_row(
            item["purpose"],
            _word(item["standing"]),
            item.get("expire_time", ""),
            item.get("objection_time", ""),
        )
    out = console()
    out.print(made)
    for label, value in (
        ("objects to all marketing since", found.get("marketing_objection_time")),
        ("restricted since", found.get("restrict_time")),
        ("signals:", ", ".join(found["signals"])),
        ("jurisdiction:", found["jurisdiction"]),
    ):
        if value:
            out.print(f"{label} {value}")


@command.command("history")
@click.argument("subject")
@server_options
@json_option
def history(subject: str, server: Server, as_json: bool) -> None:
    """Show every record of a subject with its evidence, the newest first. The read is audited.

    \b
    Example:
      segserver consent history customer:1042 --json
    """
    records: list[dict[str, Any]] = []
    with server.connect() as client:
        token = ""
        while True:
            page = client.consent_history(subject, page_token=token)
            records += page["records"]
            token = page["next_page_token"]
            if not token:
                break
    if as_json:
        write_json(records)
        return
    made = table("record", "decision", "about", "when", "notice", "method", "by")
    for record in records:
        made.add_row(
            record["number"],
            record["kind"].replace("_", " "),
            record["purpose"] or record["signal"],
            record["decision_time"],
            record["notice_version"],
            record["method"],
            record["actor"],
        )
    console().print(made)
