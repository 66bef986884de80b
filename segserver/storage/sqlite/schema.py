"""The tables in SQLite: sets of steps, of which each runs once in a database, in order."""

from __future__ import annotations

from sqlite_utils.migrations import Migrations

from segserver.storage.sqlite.library import Utils

subjects = Migrations("segserver.subjects")


@subjects()
def create_subjects(database: Utils) -> None:
    """Subjects, their aliases, and by what the database recognizes its keys."""
    database.execute(
        """
        CREATE TABLE subjects (
            subject_key BLOB PRIMARY KEY,
            wrapped_key BLOB NOT NULL,
            key_version INTEGER NOT NULL,
            salt BLOB NOT NULL,
            profile BLOB NOT NULL,
            state BLOB NOT NULL,
            revision INTEGER NOT NULL,
            updated_us INTEGER NOT NULL
        ) WITHOUT ROWID, STRICT
        """
    )
    database.execute("CREATE INDEX subjects_by_key_version ON subjects (key_version)")
    database.execute(
        "CREATE TABLE aliases (alias_key BLOB PRIMARY KEY, subject_key BLOB NOT NULL) WITHOUT ROWID, STRICT"
    )
    database.execute("CREATE INDEX aliases_by_subject ON aliases (subject_key)")
    database.execute(
        "CREATE TABLE key_checks (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT"
    )


@subjects()
def create_retired_keys(database: Utils) -> None:
    """The versions of the key-encryption key that nothing may be wrapped under any more."""
    database.execute("CREATE TABLE retired_keys (version INTEGER PRIMARY KEY) STRICT")


consents = Migrations("segserver.consents")


@consents()
def create_consent_records(database: Utils) -> None:
    """The ledger, and a trigger that refuses to change what was recorded."""
    database.execute(
        """
        CREATE TABLE consent_records (
            subject_key BLOB NOT NULL,
            number INTEGER NOT NULL,
            evidence BLOB NOT NULL,
            PRIMARY KEY (subject_key, number)
        ) WITHOUT ROWID, STRICT
        """
    )
    database.execute(
        """
        CREATE TRIGGER consent_records_are_final BEFORE UPDATE ON consent_records
        BEGIN SELECT RAISE(ABORT, 'a consent record is never changed'); END
        """
    )


requests = Migrations("segserver.requests")


@requests()
def create_requests(database: Utils) -> None:
    """The register of requests, and of identifications with their two officers."""
    database.execute(
        """
        CREATE TABLE subject_requests (
            request_id TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            received_us INTEGER NOT NULL,
            due_us INTEGER NOT NULL,
            completed_us INTEGER
        ) STRICT
        """
    )
    database.execute("CREATE INDEX open_requests ON subject_requests (due_us) WHERE completed_us IS NULL")
    database.execute(
        """
        CREATE TABLE identifications (
            request_id TEXT PRIMARY KEY,
            subject TEXT NOT NULL,
            reason TEXT NOT NULL,
            asked_by TEXT NOT NULL,
            asked_us INTEGER NOT NULL,
            approved_by TEXT
        ) STRICT
        """
    )


memberships = Migrations("segserver.memberships")


@memberships()
def create_memberships(database: Utils) -> None:
    """Who is in which segment, what changed, who is to be looked at again, and under which catalog."""
    database.execute(
        """
        CREATE TABLE memberships (
            number INTEGER PRIMARY KEY,
            subject_key BLOB NOT NULL,
            purpose TEXT NOT NULL,
            segment TEXT NOT NULL,
            entered_us INTEGER NOT NULL,
            reason TEXT NOT NULL
        ) STRICT
        """
    )
    database.execute(
        "CREATE UNIQUE INDEX memberships_by_subject ON memberships (subject_key, purpose, segment)"
    )
    database.execute("CREATE INDEX memberships_by_segment ON memberships (purpose, segment, number)")
    database.execute(
        """
        CREATE TABLE membership_changes (
            sequence INTEGER PRIMARY KEY,
            subject_key BLOB,
            recipient TEXT,
            token TEXT,
            purpose TEXT NOT NULL,
            segment TEXT NOT NULL,
            change INTEGER NOT NULL,
            at_us INTEGER NOT NULL,
            reason TEXT NOT NULL
        ) STRICT
        """
    )
    database.execute("CREATE INDEX membership_changes_by_subject ON membership_changes (subject_key)")
    database.execute("CREATE INDEX membership_changes_by_purpose ON membership_changes (purpose, sequence)")
    database.execute(
        "CREATE TABLE membership_due (subject_key BLOB PRIMARY KEY, due_us INTEGER NOT NULL,"
        " reason TEXT NOT NULL, marks INTEGER NOT NULL) WITHOUT ROWID, STRICT"
    )
    database.execute("CREATE INDEX membership_due_by_time ON membership_due (due_us)")
    database.execute("CREATE TABLE membership_catalog (digest TEXT PRIMARY KEY) STRICT")
    database.execute(
        "CREATE TABLE membership_counter (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL,"
        " forgotten INTEGER NOT NULL) STRICT"
    )
    database.execute(
        "CREATE TABLE membership_readers (recipient TEXT NOT NULL, purpose TEXT NOT NULL,"
        " PRIMARY KEY (recipient, purpose)) WITHOUT ROWID, STRICT"
    )


lists = Migrations("segserver.lists")


@lists()
def create_lists(database: Utils) -> None:
    """Uploaded lists: the version of each that serves, when every version that has members grew last, and
    its members."""
    database.execute(
        "CREATE TABLE lists (name TEXT PRIMARY KEY, version INTEGER NOT NULL, owner TEXT NOT NULL,"
        " size INTEGER NOT NULL, uploaded_us INTEGER NOT NULL, expires_us INTEGER) STRICT"
    )
    database.execute(
        "CREATE TABLE list_versions (version INTEGER PRIMARY KEY, touched_us INTEGER NOT NULL) STRICT"
    )
    database.execute(
        "CREATE TABLE list_members (version INTEGER NOT NULL, member BLOB NOT NULL,"
        " PRIMARY KEY (version, member)) WITHOUT ROWID, STRICT"
    )
    database.execute("CREATE INDEX list_members_by_member ON list_members (member)")
    database.execute(
        "CREATE TABLE list_counter (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL) STRICT"
    )


catalogs = Migrations("segserver.catalogs")


@catalogs(name="m001_create")
def create_catalogs(database: Utils) -> None:
    """One row for each publication; a version is never changed."""
    database.execute(
        "CREATE TABLE catalogs (version INTEGER PRIMARY KEY, digest TEXT NOT NULL,"
        " published_us INTEGER NOT NULL, publisher TEXT NOT NULL, note TEXT NOT NULL,"
        " documents TEXT NOT NULL) STRICT"
    )


callers = Migrations("segserver.callers")


@callers(name="m001_create")
def create_callers(database: Utils) -> None:
    """A caller has one key; only its SHA-256 is kept, which is enough for 256 random bits."""
    database.execute(
        "CREATE TABLE callers (name TEXT PRIMARY KEY, key_hash BLOB NOT NULL UNIQUE, roles TEXT NOT NULL,"
        " purposes TEXT NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER, revoked_us INTEGER) STRICT"
    )


@callers(name="m002_keys_and_certificates")
def create_caller_keys(database: Utils) -> None:
    """A caller has any number of keys, of which all but the newest end soon, and of certificates."""
    for statement in (
        "CREATE TABLE caller_keys (key_hash BLOB PRIMARY KEY, name TEXT NOT NULL, number INTEGER NOT NULL,"
        " created_us INTEGER NOT NULL, expires_us INTEGER) STRICT",
        "INSERT INTO caller_keys SELECT key_hash, name, 1, created_us, expires_us FROM callers",
        "CREATE TABLE callers_now (name TEXT PRIMARY KEY, roles TEXT NOT NULL, purposes TEXT NOT NULL,"
        " created_us INTEGER NOT NULL, revoked_us INTEGER) STRICT",
        "INSERT INTO callers_now SELECT name, roles, purposes, created_us, revoked_us FROM callers",
        "DROP TABLE callers",
        "ALTER TABLE callers_now RENAME TO callers",
        "CREATE TABLE caller_certificates (identity TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT",
    ):
        database.execute(statement)


log = Migrations("segserver.log")


@log(name="m001_create")
def create_log(database: Utils) -> None:
    """One row for neighbouring entries that were appended together, with the hashes of every tree node that
    each completes; pruned ones have no payloads.
    """
    for table in (
        "log_groups (first INTEGER PRIMARY KEY, entries INTEGER NOT NULL, hashes BLOB NOT NULL,"
        " payloads BLOB)",
        "log_head (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL, root BLOB NOT NULL)",
        "log_checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL)",
        "log_prunes (log_index INTEGER PRIMARY KEY)",
    ):
        database.execute(f"CREATE TABLE {table} STRICT")


@log(name="m002_index")
def create_log_index(database: Utils) -> None:
    """What search reads, a block of entries at a time; it follows from the payloads and can be made anew."""
    for table in (
        "log_terms (term INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
        "log_postings (term INTEGER NOT NULL, block INTEGER NOT NULL, positions BLOB NOT NULL,"
        " PRIMARY KEY (term, block)) WITHOUT ROWID, STRICT",
        "log_blocks (block INTEGER PRIMARY KEY, time_min TEXT NOT NULL, time_max TEXT NOT NULL) STRICT",
        "log_subjects (block INTEGER PRIMARY KEY, fingerprints BLOB NOT NULL) STRICT",
    ):
        database.execute(f"CREATE TABLE {table}")


events = Migrations("segserver.events")


@events()
def create_events(database: Utils) -> None:
    """Events in sealed parts, and the ids under which they were recorded."""
    database.execute(
        """
        CREATE TABLE event_parts (
            subject_key BLOB NOT NULL,
            stream BLOB NOT NULL,
            part INTEGER NOT NULL,
            events INTEGER NOT NULL,
            head BLOB,
            body BLOB NOT NULL,
            PRIMARY KEY (subject_key, stream, part)
        ) STRICT
        """
    )
    database.execute(
        """
        CREATE TABLE event_ids (
            subject_key BLOB NOT NULL,
            id BLOB NOT NULL,
            content BLOB NOT NULL,
            PRIMARY KEY (subject_key, id)
        ) WITHOUT ROWID, STRICT
        """
    )


MIGRATIONS = (subjects, consents, requests, events, memberships, lists, catalogs, callers, log)
"""Every set, in the order in which a new database is made."""
