"""The commands about catalogs against a server that answers by script."""

from __future__ import annotations

import json
import re

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from segserver.v1 import catalog_service_pb2

VERSION = catalog_service_pb2.CatalogVersion(
    version=3,
    digest=f"sha256:{'ab' * 32}",
    publish_time=Timestamp(seconds=1_772_000_000),
    publisher="ana",
    note="Autumn",
)


def test_catalog_validate_needs_no_server(run, tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
    (good / "catalog.yaml").write_text(
        "attributes: {age: {type: int, category: demographic}}\n"
        "purposes: {analytics: {legal_basis: legitimate_interest, categories: [demographic]}}\n"
        "segments:\n  - {id: adults, rule: age >= 18}\n"
    )
    (bad / "catalog.yaml").write_text(
        "attributes:\n  age: {type: number, category: demographic}\n"
        "segments:\n  - {id: a, rule: b}\n  - {id: C}\n"
    )
    assert run("catalog", "validate", good).stdout.startswith("valid: 1 segments, ")
    assert json.loads(run("catalog", "validate", good, "--json").stdout)["valid"] is True
    result = run("catalog", "validate", bad)
    assert result.exit_code == 1
    for line in (2, 4, 5):
        assert re.search(rf"^{re.escape(str(bad))}/catalog\.yaml:{line}: ", result.stdout, re.M)
    found = json.loads(run("catalog", "validate", bad, "--json").stdout)
    assert (found["valid"], found["problems"][0]["file"]) == (False, f"{bad}/catalog.yaml")
    assert run("catalog", "validate", tmp_path / "none").exit_code == 2


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "catalog"
    made.mkdir()
    (made / "a.yaml").write_text("segments: []\n")
    return made


def test_catalog_diff(run, server, folder):
    server.reply(
        "DiffCatalog",
        catalog_service_pb2.DiffCatalogResponse(
            segments=[
                {
                    "segment": "a",
                    "kind": "CHANGE_KIND_CHANGED",
                    "fields": ["rule"],
                    "entering": 120,
                    "members_before": 500,
                },
                {"segment": "b", "kind": "CHANGE_KIND_CHANGED", "through": ["segments.a", "x.z"]},
            ],
            others=[{"part": "trait", "name": "x.y", "kind": "CHANGE_KIND_ADDED"}],
            population=1_000,
        ),
        catalog_service_pb2.DiffCatalogResponse(),
    )
    shown = run("catalog", "diff", folder, "-p", "marketing").stdout
    assert re.search(r"a +changed +rule +120 +- +500 to -", shown)
    assert "through: segments.a" in shown
    assert re.search(r"trait +x\.y +added", shown)
    assert server.requests[0].documents == [
        catalog_service_pb2.Document(name="a.yaml", text="segments: []\n")
    ]
    assert run("catalog", "diff", folder).stdout == "nothing differs\n"


def test_catalog_publish(run, server, folder):
    server.reply("PublishCatalog", catalog_service_pb2.PublishCatalogResponse(version=VERSION))
    result = run("catalog", "publish", folder, "--note", "Autumn", "--expect", "sha256:00")
    assert result.stdout.startswith("published as version 3: sha256:abab")
    assert run("catalog", "publish", folder, "--check").stdout.startswith("could be published")
    first, second = server.requests
    assert (first.note, first.expected_digest, first.validate_only) == ("Autumn", "sha256:00", False)
    assert second.validate_only


def test_catalog_show_and_versions(run, server):
    segment = catalog_service_pb2.Segment(
        id="age/seniors", rule="age >= 60", purposes=["marketing"], minimum_audience=100
    )
    server.reply("GetCatalog", catalog_service_pb2.GetCatalogResponse(version=VERSION))
    server.reply("ListSegments", catalog_service_pb2.ListSegmentsResponse(segments=[segment]))
    server.reply("GetSegment", catalog_service_pb2.GetSegmentResponse(segment=segment))
    server.reply("ListCatalogVersions", catalog_service_pb2.ListCatalogVersionsResponse(versions=[VERSION]))
    assert "age/seniors" in run("catalog", "show").stdout
    assert "age >= 60" in run("catalog", "show", "age/seniors").stdout
    assert json.loads(run("catalog", "show", "age/seniors", "--json").stdout)["minimum_audience"] == 100
    assert re.search(r"3 +2026-02-25 06:13 +ana +abababababab +Autumn", run("catalog", "versions").stdout)


def test_catalog_export_writes_where_nothing_is(run, server, tmp_path):
    server.reply(
        "GetCatalog",
        catalog_service_pb2.GetCatalogResponse(
            version=VERSION, documents=[{"name": "a.yaml", "text": "a: ü\r\n"}]
        ),
    )
    target = tmp_path / "new" / "catalog"
    assert run("catalog", "export", target).exit_code == 0
    assert (target / "a.yaml").read_bytes() == "a: ü\r\n".encode()
    again = run("catalog", "export", target)
    assert again.exit_code == 1
    assert "is not empty" in again.stderr


@pytest.mark.parametrize("name", ["../a.yaml", "/a.yaml", "b/a.yaml", "..\\a.yaml", "a.sh", ""])
def test_catalog_export_lets_no_server_choose_where_files_go(run, server, tmp_path, name):
    server.reply(
        "GetCatalog",
        catalog_service_pb2.GetCatalogResponse(version=VERSION, documents=[{"name": name, "text": ""}]),
    )
    assert run("catalog", "export", tmp_path / "target").exit_code == 1
    assert not (tmp_path / "target").exists()
