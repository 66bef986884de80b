"""The tables in PostgreSQL: steps, of which each runs once in a database, in order.

Text sorts by code point (``COLLATE "C"``), as in SQLite and as the search index needs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the schema. A step that was released is never changed."""

    name: str
    statements: tuple[str, ...]


STEPS = (
    Step(
        "subjects",
        (
            """CREATE TABLE subjects (
                subject_key BYTEA PRIMARY KEY,
                wrapped_key BYTEA NOT NULL,
                key_version BIGINT NOT NULL,
                salt BYTEA NOT NULL,
                profile BYTEA NOT NULL,
                state BYTEA NOT NULL,
                revision BIGINT NOT NULL,
                updated_us BIGINT NOT NULL
            )""",
            "CREATE INDEX subjects_by_key_version ON subjects (key_version)",
            "CREATE TABLE aliases (alias_key BYTEA PRIMARY KEY, subject_key BYTEA NOT NULL)",
            "CREATE INDEX aliases_by_subject ON aliases (subject_key)",
            'CREATE TABLE key_checks (name TEXT COLLATE "C" PRIMARY KEY, value BYTEA NOT NULL)',
            "CREATE TABLE retired_keys (version BIGINT PRIMARY KEY)",
        ),
    ),
    Step(
        "consents",
        (
            """CREATE TABLE consent_records (
                subject_key BYTEA NOT NULL,
                number BIGINT NOT NULL,
                evidence BYTEA NOT NULL,
                PRIMARY KEY (subject_key, number)
            )""",
            """CREATE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'a consent record is never changed'; END $$""",
            """CREATE TRIGGER consent_records_are_final BEFORE UPDATE ON consent_records
            FOR EACH ROW EXECUTE FUNCTION refuse_update()""",
        ),
    ),
    Step(
        "requests",
        (
            """CREATE TABLE subject_requests (
                request_id TEXT COLLATE "C" PRIMARY KEY,
                kind TEXT COLLATE "C" NOT NULL,
                subject TEXT COLLATE "C" NOT NULL,
                received_us BIGINT NOT NULL,
                due_us BIGINT NOT NULL,
                completed_us BIGINT
            )""",
            "CREATE INDEX open_requests ON subject_requests (due_us) WHERE completed_us IS NULL",
            """CREATE TABLE identifications (
                request_id TEXT COLLATE "C" PRIMARY KEY,
                subject TEXT COLLATE "C" NOT NULL,
                reason TEXT COLLATE "C" NOT NULL,
                asked_by TEXT COLLATE "C" NOT NULL,
                asked_us BIGINT NOT NULL,
                approved_by TEXT COLLATE "C"
            )""",
        ),
    ),
    Step(
        "catalogs",
        (
            """CREATE TABLE catalogs (
                version BIGINT PRIMARY KEY,
                digest TEXT COLLATE "C" NOT NULL,
                published_us BIGINT NOT NULL,
                publisher TEXT COLLATE "C" NOT NULL,
                note TEXT COLLATE "C" NOT NULL,
                documents TEXT COLLATE "C" NOT NULL
            )""",
        ),
    ),
    Step(
        "callers",
        (
            """CREATE TABLE callers (
                name TEXT COLLATE "C" PRIMARY KEY,
                roles TEXT COLLATE "C" NOT NULL,
                purposes TEXT COLLATE "C" NOT NULL,
                created_us BIGINT NOT NULL,
                revoked_us BIGINT
            )""",
            """CREATE TABLE caller_keys (
                key_hash BYTEA PRIMARY KEY,
                name TEXT COLLATE "C" NOT NULL,
                number BIGINT NOT NULL,
                created_us BIGINT NOT NULL,
                expires_us BIGINT
            )""",
            """CREATE TABLE caller_certificates (
                identity TEXT COLLATE "C" PRIMARY KEY,
                name TEXT COLLATE "C" NOT NULL
            )""",
        ),
    ),
    Step(
        "events",
        (
            """CREATE TABLE event_parts (
                subject_key BYTEA NOT NULL,
                stream BYTEA NOT NULL,
                part BIGINT NOT NULL,
                events BIGINT NOT NULL,
                head BYTEA,
                body BYTEA NOT NULL,
                PRIMARY KEY (subject_key, stream, part)
            )""",
            """CREATE TABLE event_ids (
                subject_key BYTEA NOT NULL,
                id BYTEA NOT NULL,
                content BYTEA NOT NULL,
                PRIMARY KEY (subject_key, id)
            )""",
        ),
    ),
    Step(
        "memberships",
        (
            """CREATE TABLE memberships (
                number BIGINT PRIMARY KEY,
                subject_key BYTEA NOT NULL,
                purpose TEXT COLLATE "C" NOT NULL,
                segment TEXT COLLATE "C" NOT NULL,
                entered_us BIGINT NOT NULL,
                reason TEXT COLLATE "C" NOT NULL
            )""",
            "CREATE UNIQUE INDEX memberships_by_subject ON memberships (subject_key, purpose, segment)",
            "CREATE INDEX memberships_by_segment ON memberships (purpose, segment, number)",
            """CREATE TABLE membership_changes (
                sequence BIGINT PRIMARY KEY,
                subject_key BYTEA,
                recipient TEXT COLLATE "C",
                token TEXT COLLATE "C",
                purpose TEXT COLLATE "C" NOT NULL,
                segment TEXT COLLATE "C" NOT NULL,
                change BIGINT NOT NULL,
                at_us BIGINT NOT NULL,
                reason TEXT COLLATE "C" NOT NULL
            )""",
            "CREATE INDEX membership_changes_by_subject ON membership_changes (subject_key)",
            "CREATE INDEX membership_changes_by_purpose ON membership_changes (purpose, sequence)",
            """CREATE TABLE membership_due (
                subject_key BYTEA PRIMARY KEY,
                due_us BIGINT NOT NULL,
                reason TEXT COLLATE "C" NOT NULL,
                marks BIGINT NOT NULL
            )""",
            "CREATE INDEX membership_due_by_time ON membership_due (due_us)",
            'CREATE TABLE membership_catalog (digest TEXT COLLATE "C" PRIMARY KEY)',
            "CREATE TABLE membership_counter (id BIGINT PRIMARY KEY CHECK (id = 1), last BIGINT NOT NULL,"
            " forgotten BIGINT NOT NULL)",
            """CREATE TABLE membership_readers (
                recipient TEXT COLLATE "C" NOT NULL,
                purpose TEXT COLLATE "C" NOT NULL,
                PRIMARY KEY (recipient, purpose)
            )""",
        ),
    ),
    Step(
        "lists",
        (
            'CREATE TABLE lists (name TEXT COLLATE "C" PRIMARY KEY, version BIGINT NOT NULL,'
            ' owner TEXT COLLATE "C" NOT NULL, size BIGINT NOT NULL, uploaded_us BIGINT NOT NULL,'
            " expires_us BIGINT)",
            "CREATE TABLE list_versions (version BIGINT PRIMARY KEY, touched_us BIGINT NOT NULL)",
            "CREATE TABLE list_members (version BIGINT NOT NULL, member BYTEA NOT NULL,"
            " PRIMARY KEY (version, member))",
            "CREATE INDEX list_members_by_member ON list_members (member)",
            "CREATE TABLE list_counter (id BIGINT PRIMARY KEY CHECK (id = 1), last BIGINT NOT NULL)",
        ),
    ),
    Step(
        "log",
        (
            "CREATE TABLE log_groups (first BIGINT PRIMARY KEY, entries BIGINT NOT NULL,"
            " hashes BYTEA NOT NULL, payloads BYTEA)",
            "CREATE TABLE log_head"
            " (id BIGINT PRIMARY KEY CHECK (id = 1), size BIGINT NOT NULL, root BYTEA NOT NULL)",
            'CREATE TABLE log_checkpoints (size BIGINT PRIMARY KEY, note TEXT COLLATE "C" NOT NULL)',
            "CREATE TABLE log_prunes (log_index BIGINT PRIMARY KEY)",
            "CREATE TABLE log_terms (term BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
            ' name TEXT COLLATE "C" NOT NULL UNIQUE)',
            "CREATE TABLE log_postings (term BIGINT NOT NULL, block BIGINT NOT NULL,"
            " positions BYTEA NOT NULL, PRIMARY KEY (term, block))",
            'CREATE TABLE log_blocks (block BIGINT PRIMARY KEY, time_min TEXT COLLATE "C" NOT NULL,'
            ' time_max TEXT COLLATE "C" NOT NULL)',
            "CREATE TABLE log_subjects (block BIGINT PRIMARY KEY, fingerprints BYTEA NOT NULL)",
        ),
    ),
)
