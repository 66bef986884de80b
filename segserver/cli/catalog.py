"""``segserver catalog``: check, compare, publish and show catalogs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segserver.cli._failure import Exit
from segserver.cli._output import console, joined, json_option, short_digest, table, time_text, write_json
from segserver.cli._server import Server, server_options, trust_option

if TYPE_CHECKING:
    from segserver.client import CatalogDiff, Document, OtherChange, SegmentChange

_DIRECTORY = click.Path(path_type=Path, exists=True)


@click.group("catalog")
def command() -> None:
    """Catalogs: attributes, purposes, strategies and segments, as YAML files in a directory.

    \b
    Example:
      segserver catalog validate examples/catalog
    """


@command.command("validate")
@click.argument("directory", type=_DIRECTORY)
@trust_option
@json_option
def validate(directory: Path, trusted_plugins: tuple[str, ...] | None, as_json: bool) -> None:
    """Checks a catalog with the plugins installed here, without a server; reports every problem with its
    place.

    \b
    Example:
      segserver catalog validate examples/catalog
    """
    from segserver.catalog import read_directory, resolve
    from segserver.errors import CatalogError
    from segserver.strategies.isolation.isolation import Isolation
    from segserver.strategies.manager import load

    folder = directory if directory.is_dir() else directory.parent
    installed = load(isolation=Isolation(trusted=trusted_plugins or ()))
    try:
        catalog = resolve(read_directory(directory), installed)
    except CatalogError as error:
        problems = [
            replace(problem, file=str(folder / problem.file)) if problem.file else problem
            for problem in error.problems
        ]
        if as_json:
            write_json({"valid": False, "problems": problems})
        else:
            for problem in problems:
                click.echo(str(problem))
            click.echo(f"{len(error.problems)} problem{'' if len(error.problems) == 1 else 's'}", err=True)
        raise SystemExit(Exit.PROBLEM) from None
    finally:
        installed.close()
    if as_json:
        write_json({"valid": True, "digest": catalog.digest, "segments": len(catalog.segments)})
    else:
        click.echo(f"valid: {len(catalog.segments)} segments, {catalog.digest}")


@command.command("diff")
@click.argument("directory", type=_DIRECTORY)
@click.option(
    "--purpose", "-p", default="", metavar="NAME", help="Count who would enter and leave, for this purpose."
)
@server_options
@json_option
def diff(directory: Path, purpose: str, server: Server, as_json: bool) -> None:
    """Says what a catalog would change in the one that serves, and who would enter and leave each segment.

    Ends with exit code 0 whether or not something differs. A count that is too small to release is left out.

    \b
    Example:
      segserver catalog diff examples/catalog --purpose marketing
    """
    documents = _documents(directory)
    with server.connect() as client:
        found = client.diff_catalog(documents, purpose)
    if as_json:
        write_json(found)
    else:
        _print_diff(found, counted=bool(purpose))


@command.command("publish")
@click.argument("directory", type=_DIRECTORY)
@click.option("--note", "-m", default="", help="What there is to say about it.")
@click.option(
    "--expect",
    "expected_digest",
    default="",
    metavar="DIGEST",
    help="Fail unless this catalog serves until now.",
)
@click.option(
    "--check", "validate_only", is_flag=True, help="Check everything, permissions too; publish nothing."
)
@server_options
@json_option
def publish(
    directory: Path, note: str, expected_digest: str, validate_only: bool, server: Server, as_json: bool
) -> None:
    """Publishes a catalog as a new version; evaluations in progress end with the one they began with.

    \b
    Example:
      segserver catalog publish examples/catalog --note "Autumn campaign"
    """
    documents = _documents(directory)
    with server.connect() as client:
        version = client.publish_catalog(documents, note, expected_digest, validate_only=validate_only)
    if as_json:
        write_json(version)
    elif validate_only:
        click.echo(f"could be published: {version.digest}")
    else:
        click.echo(f"published as version {version.version}: {version.digest}")


@command.command("show")
@click.argument("segment", required=False)
@click.option("--purpose", "-p", default="", metavar="NAME", help="Only segments that serve this purpose.")
@click.option("--tag", default="", help="Only segments with this tag.")
@server_options
@json_option
def show(segment: str | None, purpose: str, tag: str, server: Server, as_json: bool) -> None:
    """Shows the segments of the catalog that serves, or one of them with its rule.

    \b
    Example:
      segserver catalog show demographic/age-18-24
    """
    from segserver.cli._segments import print_segment, print_segments

    with server.connect() as client:
        if segment is not None:
            one = client.segment(segment)
            write_json(one) if as_json else print_segment(one)
            return
        version = client.catalog().version
        segments = list(client.segments(purpose, tag))
        purposes = list(client.purposes())
    if as_json:
        write_json({"version": version, "purposes": purposes, "segments": segments})
    else:
        print_segments(version, purposes, segments)


@command.command("versions")
@server_options
@json_option
def versions(server: Server, as_json: bool) -> None:
    """Lists the published versions, newest first.

    \b
    Example:
      segserver catalog versions
    """
    with server.connect() as client:
        found = list(client.catalog_versions())
    if as_json:
        write_json({"versions": found})
        return
    made = table("version", "published", "by", "digest", "note")
    for version in found:
        made.add_row(
            str(version.version),
            time_text(version.publish_time)[:16].replace("T", " "),
            version.publisher,
            short_digest(version.digest),
            version.note,
        )
    console().print(made)


@command.command("export")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--version",
    type=click.IntRange(min=0),
    default=0,
    help="An older version; without it, the one that serves.",
)
@server_options
@json_option
def export(directory: Path, version: int, server: Server, as_json: bool) -> None:
    """Writes a published catalog's files into a directory that is empty or does not exist yet.

    \b
    Example:
      segserver catalog export backup/catalog
    """
    from segserver.cli._export import write_documents

    with server.connect() as client:
        catalog = client.catalog(version)
    write_documents(directory, catalog.documents)
    if as_json:
        write_json({"version": catalog.version, "files": [document.name for document in catalog.documents]})
    else:
        click.echo(f"version {catalog.version.version}: {len(catalog.documents)} files in {directory}")


def _documents(directory: Path) -> list[Document]:
    """A catalog's files. The server checks them; here only their form is read."""
    from segserver.catalog import read_directory
    from segserver.client import Document

    return [Document(name, text) for name, text in read_directory(directory).items()]


def _print_diff(found: CatalogDiff, *, counted: bool) -> None:
    out = console()
    if not found.segments and not found.others:
        out.print("nothing differs")
        return
    if found.segments:
        columns = ("enter", "leave", "members") if counted else ()
        made = table("segment", "change", "what differs", *columns, whole="segment")
        for change in found.segments:
            made.add_row(
                change.segment, change.kind.name.lower(), _differs(change), *_counts(change, counted)
            )
        out.print(made)
    if found.others:
        made = table("part", "name", "change", "what differs")
        for other in found.others:
            made.add_row(other.part, other.name, other.kind.name.lower(), _differs(other))
        out.print(made)
    if counted:
        out.print(f"of {found.population} stored subjects; a dash stands for a number too small to release")


def _differs(change: SegmentChange | OtherChange) -> str:
    through = f"through: {joined(change.through)}" if change.through else ""
    return "; ".join(filter(None, [joined(change.fields), through]))


def _counts(change: SegmentChange, counted: bool) -> tuple[str, ...]:
    if not counted:
        return ()
    members = f"{_count(change.members_before)} to {_count(change.members_after)}"
    return _count(change.entering), _count(change.leaving), members


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)
