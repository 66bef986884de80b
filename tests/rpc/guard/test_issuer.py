"""An issuer's keys over https: fetched when they are needed, kept when it is down, and never guessed."""

import asyncio
import threading

import pytest
from certificates import Authority
from issuers import KEYS, TestIssuer

from segserver.config import JwtSettings
from segserver.errors import Unavailable
from segserver.rpc.guard.issuer import RETRY_S, UNKNOWN_KEY_S, Issuer

REFRESH_S, STALE_S = 300.0, 3_600.0


@pytest.fixture(scope="module")
def authority():
    return Authority()


class Time:
    now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def remote(tmp_path, authority):
    issuer = TestIssuer()
    with issuer.serving(tmp_path, authority):
        yield issuer


@pytest.fixture
def settings(remote, tmp_path, authority):
    return {"issuer": remote.name, "ca_file": authority.write(tmp_path), "fetch_s_max": 60}


@pytest.fixture
def keys(settings, clock):
    return Issuer(JwtSettings(**settings), clock)


async def fetched(remote, count):
    while remote.requests.count("/keys") < count:
        await asyncio.sleep(0.005)


async def test_keys_are_found_by_discovery_and_fetched_once(remote, keys):
    found = await asyncio.gather(*(keys.find("first", "ES256") for _ in range(50)))
    assert {key.kid for key in found} == {"first"}
    assert remote.requests == ["/.well-known/openid-configuration", "/keys"]


async def test_the_address_of_the_keys_may_be_given(remote, settings, clock):
    keys = Issuer(JwtSettings(**settings, jwks_url=f"{remote.name}/keys"), clock)
    assert await keys.find("first", "ES256")
    assert remote.requests == ["/keys"]


async def test_a_new_key_is_fetched_when_a_token_names_it_but_not_for_every_guess(remote, keys, clock):
    await keys.find("first", "ES256")
    remote.keys["second"] = KEYS["ES256"]("second")
    assert await keys.find("second", "ES256") is None
    clock.now += UNKNOWN_KEY_S
    assert await keys.find("second", "ES256")
    for number in range(100):
        assert await keys.find(f"guess{number}", "ES256") is None
    assert remote.requests.count("/keys") == 2


async def test_keys_are_fetched_again_in_the_background_and_a_removed_one_is_gone(remote, keys, clock):
    changes = []
    keys.on_change(lambda: changes.append(clock.now))
    await keys.find("first", "ES256")
    remote.keys = {"second": KEYS["ES256"]("second")}
    clock.now += REFRESH_S + 1
    assert await keys.find("first", "ES256")
    await fetched(remote, 2)
    while len(changes) < 2:
        await asyncio.sleep(0.005)
    assert await keys.find("first", "ES256") is None
    assert await keys.find("second", "ES256")


async def test_while_the_issuer_is_down_its_keys_hold_for_a_while_and_then_nobody_gets_in(
    remote, keys, clock
):
    await keys.find("first", "ES256")
    remote.works = False
    clock.now += STALE_S - 1
    assert await keys.find("first", "ES256")
    clock.now += RETRY_S + 2
    for _ in range(2):  # the first may wait for the fetch that began before
        with pytest.raises(Unavailable) as refused:
            await keys.find("first", "ES256")
        assert refused.value.reason == "TOKEN_KEYS_UNAVAILABLE"
    asked = len(remote.requests)
    for _ in range(50):
        with pytest.raises(Unavailable):
            await keys.find("first", "ES256")
    assert len(remote.requests) == asked
    remote.works = True
    clock.now += RETRY_S
    assert await keys.find("first", "ES256")


@pytest.mark.parametrize("wrong", ["issuer", "address", "nonsense"])
async def test_a_discovery_document_that_is_not_the_issuer_s_is_not_followed(
    remote, keys, wrong, monkeypatch
):
    documents = remote.documents()
    found = documents["/.well-known/openid-configuration"]
    if wrong == "issuer":
        found["issuer"] = "https://evil.example"
    elif wrong == "address":
        found["jwks_uri"] = found["jwks_uri"].replace("https", "http")
    else:
        documents["/.well-known/openid-configuration"] = ["nonsense"]
    monkeypatch.setattr(remote, "documents", lambda: documents)
    with pytest.raises(Unavailable):
        await keys.find("first", "ES256")
    assert "/keys" not in remote.requests


async def test_an_issuer_with_another_certificate_is_not_believed(remote, clock):
    keys = Issuer(JwtSettings(issuer=remote.name), clock)
    with pytest.raises(Unavailable):
        await keys.find("first", "ES256")
    assert remote.requests == []


async def test_a_fetch_that_hangs_ends(settings, monkeypatch):
    monkeypatch.setattr("segserver.rpc.guard.issuer._download", lambda _: hold.wait())
    hold = threading.Event()
    keys = Issuer(JwtSettings(**{**settings, "fetch_s_max": 0.02}))
    with pytest.raises(Unavailable):
        await keys.find("first", "ES256")
    hold.set()
