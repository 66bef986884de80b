"""Opening the file: which libraries are safe, and what an unusable file says."""

import pytest
from sqlite_utils.migrations import Migrations
from sqlite_utils.utils import sqlite3

from segserver.errors import FailedPrecondition, Unavailable
from segserver.storage.sqlite import Database
from segserver.storage.sqlite.database import check_library


@pytest.mark.parametrize("version", ["3.7.0", "3.40.1", "3.51.2"])
def test_a_library_with_the_wal_reset_bug_is_refused(version):
    with pytest.raises(FailedPrecondition, match=r"WAL-reset bug.*pysqlite3") as caught:
        check_library(version)
    assert caught.value.reason == "SQLITE_VERSION_AFFECTED"


@pytest.mark.parametrize("version", ["3.6.23", "3.51.3", "3.53.4", "4.0.0"])
def test_other_libraries_are_taken(version):
    check_library(version)


def test_the_installed_library_is_safe():
    check_library(sqlite3.sqlite_version)


def test_an_affected_library_stops_the_opening(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.40.1")
    with pytest.raises(FailedPrecondition):
        Database(tmp_path / "x.db", [])
    assert not (tmp_path / "x.db").exists()


def test_migrations_run_once_and_commits_are_flushed(tmp_path):
    ran = []
    migrations = Migrations("test")

    @migrations()
    def m001(db):
        ran.append(1)
        db.execute("CREATE TABLE t (x INTEGER)")

    Database(tmp_path / "x.db", [migrations])
    database = Database(tmp_path / "x.db", [migrations])
    connection = database.connect()
    assert ran == [1]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)
    connection.close()


def test_a_reader_can_not_write(tmp_path):
    connection = Database(tmp_path / "x.db", []).connect(read_only=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("CREATE TABLE t (x INTEGER)")
    connection.close()


def test_a_file_that_is_no_database_is_named_so(tmp_path):
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database, but long enough to have a header" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        Database(path, [])


def test_a_missing_folder_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="unable to open"):
        Database(tmp_path / "none" / "x.db", [])
