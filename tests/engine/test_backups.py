"""A store that moves, is backed up while it serves, and comes back."""

from __future__ import annotations

import asyncio
from contextlib import closing
from functools import partial

import pytest
from servers import open_engine, running
from stores import postgres_server, postgres_url, store_url

from segserver.audit.note import open_checkpoint
from segserver.audit.proof import prove_growth, verify_proof
from segserver.audit.witness import Witness
from segserver.config import Config
from segserver.engine.backups import create, migrate, restore, verify_backup
from segserver.engine.store import open_database
from segserver.errors import Conflict, FailedPrecondition, IntegrityError, Unavailable
from segserver.privacy.keyring import load_file, new_keyring
from segserver.storage.copying import count_rows
from segserver.storage.sqlite import Database as File

__all__ = ["postgres_server", "postgres_url", "store_url"]

CATALOG = {
    "catalog.yaml": """
purposes:
  care: {legal_basis: contract, categories: [demographic]}
  marketing: {legal_basis: consent, categories: [demographic]}
attributes:
  orders: {type: int, category: demographic}
segments:
  - {id: shop/buyer, rule: orders > 0}
"""
}


async def fill(server, subjects=30):
    """Writes of every kind that a store holds; a proof of one of them."""
    client = server.client()
    for number in range(subjects):
        await client.upsert_profile(f"s{number}", {"orders": number})
    await client.record_consent("s1", "marketing", notice_version="1", method="web")
    await client.add_alias("s1", "email:one@example.org")
    await client.open_request("s2", "access")
    evaluation = await client.evaluate("s1", "marketing")
    assert evaluation.results[0].outcome.name == "MEMBER"
    return await client.prove_entry(3)


async def check_filled(server, proof, subjects=30):
    """What was written is there, the log goes on, and the proof of before verifies still."""
    client = server.client()
    assert (await client.get_profile(f"s{subjects - 1}")).attributes == {"orders": subjects - 1}
    evaluation = await client.evaluate("email:one@example.org", "marketing")
    assert evaluation.results[0].outcome.name == "MEMBER"
    assert len((await client.requests())["requests"]) == 1
    assert verify_proof(proof, [server.engine.audit.key]).log_index == 3
    assert verify_proof(await client.prove_entry(3), [server.engine.audit.key]).log_index == 3


@pytest.fixture
def source(tmp_path):
    return File(tmp_path / "data" / "segserver.db")


async def test_a_store_moves_to_postgresql_and_back_with_everything(tmp_path, postgres_url):
    async with running(open_engine(tmp_path, CATALOG)) as server:
        proof = await fill(server)
        key = server.engine.audit.key
    file, target = File(tmp_path / "data/segserver.db"), open_database(Config(store=postgres_url))
    told = []
    report = await asyncio.to_thread(migrate, file, target, [key], lambda *done: told.append(done))
    assert report.signed == report.size > 30
    with file.snapshot() as before, target.snapshot() as after:
        assert count_rows(before, file.tables()) == count_rows(after, target.tables())
    assert dict(told)["subjects"] == 30
    async with running(open_engine(tmp_path, store=postgres_url)) as server:
        await check_filled(server, proof)
    back = File(tmp_path / "back.db")
    await asyncio.to_thread(migrate, target, back, [key])
    assert back.path.stat().st_size > 0
    with pytest.raises(FailedPrecondition, match="not empty"):
        await asyncio.to_thread(migrate, file, target, [key])


async def test_a_copy_that_is_cut_off_leaves_the_target_empty(tmp_path, postgres_url):
    async with running(open_engine(tmp_path, CATALOG)) as server:
        await fill(server)
        key = server.engine.audit.key
    file, target = File(tmp_path / "data/segserver.db"), open_database(Config(store=postgres_url))

    def cut(table, _rows):
        if table == "subjects":
            raise Unavailable("cut off")

    with pytest.raises(Unavailable, match="cut off"):
        await asyncio.to_thread(migrate, file, target, [key], cut)
    with target.snapshot() as connection:
        assert set(count_rows(connection, target.tables()).values()) == {0}
    await asyncio.to_thread(migrate, file, target, [key])


async def test_a_damaged_log_is_not_moved(tmp_path, postgres_url):
    async with running(open_engine(tmp_path, CATALOG)) as server:
        await fill(server)
        key = server.engine.audit.key
    file, target = File(tmp_path / "data/segserver.db"), open_database(Config(store=postgres_url))
    with closing(file.connect()) as connection:
        connection.execute("UPDATE log_head SET root = ?", [bytes(32)])
    with pytest.raises(IntegrityError):
        await asyncio.to_thread(migrate, file, target, [key])
    with target.snapshot() as connection:
        assert set(count_rows(connection, target.tables()).values()) == {0}


async def test_a_backup_is_made_under_load_and_comes_back(tmp_path, store_url, postgres_server):
    backup, done = tmp_path / "backup.db", asyncio.Event()
    async with running(open_engine(tmp_path, CATALOG, store=store_url)) as server:
        proof = await fill(server)
        client = server.client()

        async def load():
            while not done.is_set():
                await client.evaluate("s1", "care")

        tasks = [asyncio.create_task(load()) for _ in range(4)]
        await asyncio.to_thread(create, server.engine.store.database, backup)
        done.set()
        await asyncio.gather(*tasks)
        key = server.engine.audit.key
        config = server.engine.config
        assert backup.stat().st_mode & 0o777 == 0o600
        with pytest.raises(Conflict):
            create(server.engine.store.database, backup)
    keyring = load_file(config.keyring_path)
    found = await asyncio.to_thread(verify_backup, backup, [key], keyring)
    assert found.rows["subjects"] == 30
    assert 10 < found.opened <= 30
    assert found.missing == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db", "catalog", "data"]
    with pytest.raises(FailedPrecondition):
        verify_backup(backup, [key], new_keyring())
    with pytest.raises((Conflict, FailedPrecondition)):
        restore(backup, config, open_database(config) if store_url else None, [key])
    if store_url:
        config.database_path.unlink(missing_ok=True)
    else:
        for path in config.data_dir.glob("segserver.db*"):
            path.unlink()
    await asyncio.to_thread(restore, backup, config, None, [key])
    async with running(open_engine(tmp_path)) as server:
        await check_filled(server, proof)


async def test_a_backup_of_a_file_comes_back_in_postgresql(tmp_path, postgres_url):
    backup = tmp_path / "backup.db"
    async with running(open_engine(tmp_path, CATALOG)) as server:
        proof = await fill(server)
        key = server.engine.audit.key
        await asyncio.to_thread(create, server.engine.store.database, backup)
    config = Config(data_dir=tmp_path / "data", store=postgres_url)
    await asyncio.to_thread(restore, backup, config, open_database(config), [key])
    async with running(open_engine(tmp_path, store=postgres_url)) as server:
        await check_filled(server, proof)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


async def test_a_backup_that_is_older_than_the_witness_is_found_out(tmp_path):
    backup = tmp_path / "backup.db"
    async with running(open_engine(tmp_path, CATALOG)) as server:
        await fill(server)
        config, key = server.engine.config, server.engine.audit.key
        witness = Witness(tmp_path / "witness", [key])
        witness.observe((await server.client().audit_checkpoint()).note, lambda *_: ())
        known = witness.remembered()
        await asyncio.to_thread(create, server.engine.store.database, backup)
        fresh = await asyncio.to_thread(verify_backup, backup, [key], seen=known)
        assert fresh.missing == 0
        for _ in range(5):
            await server.client().evaluate("s1", "care")
        seen = await server.client().audit_checkpoint(known.size)
        witness.observe(seen.note, lambda *_: seen.consistency)
    stale = await asyncio.to_thread(verify_backup, backup, [key], seen=witness.remembered())
    assert stale.missing >= 5
    for path in config.data_dir.glob("segserver.db*"):
        path.unlink()
    await asyncio.to_thread(restore, backup, config, None, [key])
    async with running(open_engine(tmp_path)) as server:
        note = (await server.client().audit_checkpoint()).note
        with closing(server.engine.store.connect()) as connection, pytest.raises(IntegrityError) as caught:
            witness.observe(note, partial(prove_growth, connection))
    assert caught.value.reason in ("LOG_ROLLED_BACK", "LOG_FORKED")
    assert open_checkpoint(note, [key]).size < known.size + 20


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("UPDATE subjects SET profile = x'00'", "SEAL_BROKEN"),
        ("UPDATE subjects SET state = x'00'", "CONSENT_UNREADABLE"),
        ("DELETE FROM log_groups WHERE first = (SELECT max(first) FROM log_groups)", "ENTRY_MISSING"),
        ("UPDATE log_groups SET payloads = hashes", "ENTRY_CHANGED"),
    ],
)
async def test_a_backup_that_was_changed_does_not_verify(tmp_path, damage, reason):
    backup = tmp_path / "backup.db"
    async with running(open_engine(tmp_path, CATALOG)) as server:
        await fill(server, subjects=3)
        await asyncio.to_thread(create, server.engine.store.database, backup)
        key, config = server.engine.audit.key, server.engine.config
    with closing(File(backup, []).connect()) as connection:
        connection.execute(damage)
    with pytest.raises(IntegrityError) as caught:
        await asyncio.to_thread(verify_backup, backup, [key], load_file(config.keyring_path))
    assert caught.value.reason == reason


def test_what_is_no_backup_is_said_to_be_none(tmp_path):
    for name, content in (("empty", b""), ("text", b"no database, whatever its name may say" * 200)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises((IntegrityError, Unavailable)):
            verify_backup(tmp_path / name, [])
    with pytest.raises(Unavailable):
        verify_backup(tmp_path / "missing", [])
