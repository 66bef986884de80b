"""Tokens: what is wrong with one keeps its bearer out, and nothing in it is believed before its signature."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from issuers import AUDIENCE, KEYS, TestIssuer
from joserfc import jwk, jws, jwt
from servers import NOON, open_engine, running

from segserver.audit.entry import Kind
from segserver.client import AsyncClient
from segserver.config import JwtSettings
from segserver.errors import FailedPrecondition, PermissionDenied, Unauthenticated
from segserver.model import Role
from segserver.rpc.guard.issuer import Issuer, choose, public_keys
from segserver.rpc.guard.tokens import Tokens, words

NOW = int(NOON.timestamp())
CLAIMS = {
    "iss": "https://id.example",
    "aud": AUDIENCE,
    "sub": "shop",
    "exp": NOW + 300,
    "roles": ["seg-read", "unheard-of"],
    "realm": {"purposes": "seg-analytics other"},
}
SETTINGS = {
    "issuer": "https://id.example",
    "roles": {"seg-read": "evaluator", "seg-write": "writer"},
    "purposes_claim": "realm.purposes",
    "purposes": {"seg-analytics": "analytics", "seg-all": "*"},
}


@pytest.fixture(params=list(KEYS))
def issuer(request):
    return TestIssuer(algorithm=request.param)


@pytest.fixture
def tokens(issuer, tmp_path):
    return tokens_of(issuer, tmp_path)


def tokens_of(issuer, folder, **settings):
    file = issuer.write(folder / "keys.json")
    made = JwtSettings(keys_file=file, **{**SETTINGS, **settings})
    return Tokens(made, Issuer(made), lambda: NOW * 1_000_000)


async def test_a_good_token_is_a_caller_with_what_its_claims_mean_here(issuer, tokens):
    accepted = await tokens.accept(issuer.token(CLAIMS))
    assert accepted.caller.name == "jwt:shop"
    assert accepted.caller.roles == {Role.EVALUATOR}
    assert accepted.caller.purposes == {"analytics"}
    assert accepted.remaining_s == pytest.approx(330, abs=1)
    assert (await tokens.accept(issuer.token(CLAIMS, header={"kid": None}))).caller.name == "jwt:shop"


WRONG = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "billing"},
    "audiences without us": {"aud": ["billing", "mail"]},
    "no audience": {"aud": None},
    "no expiry": {"exp": None},
    "an expiry in words": {"exp": "tomorrow"},
    "not yet valid": {"nbf": NOW + 3_600},
    "issued in the future": {"iat": NOW + 3_600},
    "no name": {"sub": None},
    "a name that is a list": {"sub": ["shop"]},
    "a name with control characters": {"sub": "shop\n{}"},
    "an endless name": {"sub": "s" * 201},
    "an empty name": {"sub": ""},
}


@pytest.mark.parametrize("wrong", list(WRONG))
async def test_a_token_with_a_wrong_claim_is_rejected(issuer, tokens, wrong):
    claims = {name: value for name, value in {**CLAIMS, **WRONG[wrong]}.items() if value is not None}
    with pytest.raises(Unauthenticated) as refused:
        await tokens.accept(issuer.token(claims))
    assert refused.value.reason == "TOKEN_REJECTED"


async def test_an_expired_token_says_so_to_its_bearer(issuer, tokens):
    with pytest.raises(Unauthenticated) as refused:
        await tokens.accept(issuer.token({**CLAIMS, "exp": NOW - 31}))
    assert refused.value.reason == "TOKEN_EXPIRED"
    assert await tokens.accept(issuer.token({**CLAIMS, "exp": NOW - 29}))


def encoded(data):
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


async def test_no_algorithm_but_the_allowed_ones(issuer, tokens, tmp_path):
    (key,) = issuer.keys.values()
    public = jwk.import_key(key.as_dict(private=False))
    forged = [
        f"{encoded({'alg': 'none', 'kid': 'first'})}.{encoded(CLAIMS)}.",
        f"{encoded({'alg': ['ES256'], 'kid': 'first'})}.{encoded(CLAIMS)}.AAAA",
        f"{encoded({'kid': 'first'})}.{encoded(CLAIMS)}.AAAA",
    ]
    # The public key used as an HMAC secret, as in CVE-2015-9235.
    secret = jwk.OctKey.import_key(json.dumps(public.as_dict()).encode() * 2)
    forged.append(jwt.encode({"alg": "HS256", "kid": "first"}, CLAIMS, secret, algorithms=["HS256"]))
    for token in forged:
        with pytest.raises(Unauthenticated):
            await tokens.accept(token)
    others = sorted({"RS256", "ES256", "Ed25519"} - {issuer.algorithm})
    with pytest.raises(Unauthenticated):
        await tokens_of(issuer, tmp_path, algorithms=others).accept(issuer.token(CLAIMS))


async def test_a_key_of_the_token_s_own_is_not_believed(issuer, tokens):
    mine = TestIssuer(algorithm=issuer.algorithm)
    header = {"jwk": mine.keys["first"].as_dict(private=False), "jku": "https://evil.example/keys"}
    with pytest.raises(Unauthenticated):
        await tokens.accept(mine.token(CLAIMS, header=header))


async def test_a_critical_header_that_nobody_knows_is_not_passed_over(issuer, tokens):
    registry = jws.JWSRegistry(algorithms=[issuer.algorithm], strict_check_header=False)
    header = {"alg": issuer.algorithm, "kid": "first", "crit": ["exp"], "exp": NOW + 9}
    token = jws.serialize_compact(
        header, json.dumps(CLAIMS).encode(), issuer.keys["first"], registry=_lenient(registry)
    )
    with pytest.raises(Unauthenticated):
        await tokens.accept(token)


def _lenient(registry):
    registry.check_header = lambda header: None
    return registry


@given(data=st.data())
async def test_a_token_with_any_change_is_rejected(data):
    issuer, tokens = _CHANGED
    token = issuer.token(CLAIMS)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCDEFGHxyz0189-_.=é \x00"))
    changed = token[:place] + other + token[place + 1 :]
    try:
        accepted = await tokens.accept(changed)
    except Unauthenticated:
        return
    # The last character of a part has bits that stand for nothing.
    assert _bytes(changed) == _bytes(token)
    assert accepted.caller.name == "jwt:shop"


def _bytes(token):
    return [base64.urlsafe_b64decode(part + "===") for part in token.split(".")]


@given(st.one_of(st.text(), st.lists(st.text(), min_size=3, max_size=3).map(".".join)))
async def test_no_text_is_an_error_of_ours(text):
    with pytest.raises(Unauthenticated):
        await _CHANGED[1].accept(text)


@pytest.fixture(autouse=True, scope="module")
def _changed(tmp_path_factory):
    issuer = TestIssuer()
    global _CHANGED
    _CHANGED = issuer, tokens_of(issuer, tmp_path_factory.mktemp("keys"))


def test_words_of_a_claim():
    assert words("a b") == words(["a", "b", 3]) == {"a", "b"}
    assert words(None) == words({"a": 1}) == words(3) == frozenset()


def test_a_key_set_gives_public_keys_for_signatures_only():
    rsa = jwk.RSAKey.generate_key(2048, {"kid": "a"})
    modulus = base64.urlsafe_b64encode(b"\xc1" * 128).rstrip(b"=").decode()  # 1,024 bits
    items = [
        rsa.as_dict(private=False),
        {"kty": "RSA", "kid": "b", "e": "AQAB", "n": modulus},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "c"},
        {**jwk.RSAKey.generate_key(2048).as_dict(private=False), "use": "enc", "kid": "d"},
        {"kty": "new", "kid": "e"},
        {"kid": "f"},
        "nonsense",
    ]
    assert [key.kid for key in public_keys(json.dumps({"keys": items}).encode())] == ["a"]
    for document in (b"", b"[]", b'{"keys": 3}', b"\xff", b"nonsense", b"[" * 100_000):
        with pytest.raises(ValueError, match=r"."):
            public_keys(document)


def test_two_keys_that_fit_are_as_good_as_none():
    keys = [jwk.ECKey.generate_key("P-256", {"kid": name}) for name in ("a", "b")]
    assert choose(keys, "b", "ES256") is keys[1]
    assert choose(keys, None, "ES256") is None
    assert choose(keys, "a", "RS256") is None
    assert choose(keys[:1], None, "ES256") is keys[0]


def test_a_key_file_that_is_none_stops_the_start(tmp_path):
    for text in (None, "nonsense"):
        file = tmp_path / "keys.json"
        if text is not None:
            file.write_text(text)
        with pytest.raises(FailedPrecondition) as refused:
            Issuer(JwtSettings(issuer="https://id.example", keys_file=file))
        assert refused.value.reason == "TOKEN_KEYS_INVALID"


async def test_a_token_opens_the_door_as_far_as_its_roles_and_purposes_go(tmp_path, documents):
    issuer = TestIssuer()
    settings = {**SETTINGS, "keys_file": issuer.write(tmp_path / "keys.json")}
    async with running(open_engine(tmp_path, documents, jwt=settings)) as server:
        client = server.client(issuer.token(CLAIMS))
        await client.evaluate("alice", "analytics")
        assert server.entries()[-1].caller == "jwt:shop"
        with pytest.raises(PermissionDenied, match="none of the roles"):
            await client.upsert_profile("alice", {"age": 3})
        nobody = server.client(issuer.token({**CLAIMS, "sub": "dev", "roles": ["evaluator", "admin"]}))
        with pytest.raises(PermissionDenied, match="jwt:dev has none"):
            await nobody.evaluate("alice", "analytics")
        with pytest.raises(PermissionDenied, match="purpose"):
            await server.client(issuer.token({**CLAIMS, "realm": {}})).evaluate("alice", "analytics")
        with pytest.raises(Unauthenticated):
            await server.client(issuer.token({**CLAIMS, "aud": "mail"})).evaluate("alice", "analytics")
        assert [e.result for e in server.entries() if e.kind is Kind.ACCESS_DENIED][-1] == "TOKEN_REJECTED"
        issuer.keys = {"second": KEYS["ES256"]("second")}
        issuer.write(tmp_path / "keys.json")
        server.server.reload()
        with pytest.raises(Unauthenticated):
            await client.evaluate("alice", "analytics")
        async with AsyncClient(server.address, token=lambda: issuer.token(CLAIMS, "second")) as current:
            await current.evaluate("alice", "analytics")
            (tmp_path / "keys.json").write_text("nonsense")
            server.server.reload()  # told in the log; the former keys stay
            await current.evaluate("alice", "analytics")


async def test_without_an_issuer_a_token_is_an_unknown_key(tmp_path, documents):
    async with running(open_engine(tmp_path, documents)) as server:
        with pytest.raises(Unauthenticated) as refused:
            await server.client(TestIssuer().token(CLAIMS)).evaluate("alice", "analytics")
    assert refused.value.reason == "UNAUTHENTICATED"
