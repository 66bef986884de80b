"""TLS on a live server: who is trusted, who may come with which certificate, and certificates that change."""

import asyncio
import datetime as dt
import socket
import ssl

import pytest
from certificates import HOUR, Authority
from servers import open_engine, running

from segserver.audit.entry import Kind
from segserver.client import tls
from segserver.config import TlsSettings
from segserver.engine.callers import CallerDesk
from segserver.errors import FailedPrecondition, InvalidInput, PermissionDenied, Unauthenticated, Unavailable
from segserver.rpc.guard.tls import ServerTls

EVERYWHERE = "0.0.0.0"  # noqa: S104  this is what TLS is for


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def files(tmp_path, authority):
    """The files of a server with TLS, as settings."""
    certificate, key = authority.server().write(tmp_path / "tls", "server")
    return {"cert_file": certificate, "key_file": key}


@pytest.fixture
def trusted(tmp_path, authority):
    return authority.write(tmp_path / "tls")


def certificate_of(address, authority):
    """The name in the certificate that a server shows now."""
    context = ssl.create_default_context(cadata=authority.pem.decode())
    context.set_alpn_protocols(["h2"])
    host, port = address.split(":")
    with (
        socket.create_connection((host, int(port))) as plain,
        context.wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        return encrypted.getpeercert()["subject"][0][0][1]


async def test_a_key_travels_encrypted_to_a_server_that_is_trusted(tmp_path, documents, files, trusted):
    async with running(open_engine(tmp_path, documents, tls=files)) as server:
        answer = await server.client(credentials=tls(trusted)).evaluate("alice", "analytics")
        assert answer.evaluation_id
        stranger = Authority("stranger").write(tmp_path / "stranger")
        for credentials in (None, tls(), tls(stranger)):
            with pytest.raises(Unavailable):
                await server.client(credentials=credentials, retries=0).evaluate("alice", "analytics")


async def test_a_server_with_tls_may_be_reached_from_other_machines(tmp_path, documents, files, trusted):
    engine = open_engine(tmp_path, documents, tls=files)
    object.__setattr__(engine, "config", engine.config.model_copy(update={"listen": f"{EVERYWHERE}:0"}))
    async with running(engine) as server:
        server.address = server.address.replace(EVERYWHERE, "127.0.0.1")
        assert (await server.client(credentials=tls(trusted)).evaluate("alice", "analytics")).evaluation_id


async def test_certificates_change_on_a_live_server_and_calls_go_on(
    tmp_path, documents, files, trusted, authority
):
    async with running(open_engine(tmp_path, documents, tls=files)) as server:
        client = server.client(credentials=tls(trusted))
        await client.evaluate("alice", "analytics")
        assert await asyncio.to_thread(certificate_of, server.address, authority) == "server"
        authority.server("renewed").write(tmp_path / "tls", "server")
        server.server.reload()
        assert await asyncio.to_thread(certificate_of, server.address, authority) == "renewed"
        await client.evaluate("alice", "analytics")  # the connection from before
        files["key_file"].write_bytes(authority.server().key)  # half of an exchange
        server.server.reload()
        assert await asyncio.to_thread(certificate_of, server.address, authority) == "renewed"


async def test_changed_files_are_noticed_without_being_told(
    tmp_path, documents, files, authority, monkeypatch
):
    monkeypatch.setattr("segserver.rpc.guard.tls.LOOK_S", 0.0)
    async with running(open_engine(tmp_path, documents, tls=files)) as server:
        authority.server("renewed").write(tmp_path / "tls", "server")
        assert await asyncio.to_thread(certificate_of, server.address, authority) == "renewed"


@pytest.mark.parametrize("what", ["missing", "garbage", "another's key", "expired", "no authority"])
def test_files_that_can_not_be_used_stop_the_start(tmp_path, files, authority, what):
    settings = dict(files)
    if what == "missing":
        files["key_file"].unlink()
    elif what == "garbage":
        files["cert_file"].write_text("nothing")
    elif what == "another's key":
        files["key_file"].write_bytes(authority.server().key)
    elif what == "expired":
        authority.server(lasts=-HOUR).write(tmp_path / "tls", "server")
    else:
        settings["client_ca_file"] = tmp_path / "tls" / "server.key"
    with pytest.raises(FailedPrecondition) as refused:
        ServerTls(TlsSettings(**settings))
    assert refused.value.reason == "TLS_FILES_INVALID"


@pytest.fixture
def mutual(tmp_path, documents, files, trusted):
    """An engine whose server asks each client for a certificate."""
    return open_engine(tmp_path, documents, tls={**files, "client_ca_file": trusted})


def coming_with(server, trusted, signed, folder, key=""):
    certificate, private = signed.write(folder, "client")
    return server.client(key, credentials=tls(trusted, certificate, private), retries=0)


SPIFFE = "spiffe://shop.example/till"


@pytest.mark.parametrize(
    ("identity", "names"),
    [
        (SPIFFE, {"uris": (SPIFFE,)}),
        ("dns:till.shop.example", {"dns": ("Till.shop.example", "other.example")}),
        ("subject:CN=till", {}),
    ],
)
async def test_a_certificate_says_who_calls(tmp_path, mutual, trusted, authority, identity, names):
    async with running(mutual) as server:
        desk = CallerDesk(server.engine.store.writer, server.clock)
        assert desk.add("till", ["evaluator"], ["analytics"], certificates=[identity]) == ""
        client = coming_with(server, trusted, authority.client("till", **names), tmp_path / "c")
        await client.evaluate("alice", "analytics")
        assert server.entries()[-1].caller == "till"
        with pytest.raises(PermissionDenied):
            await client.upsert_profile("alice", {"age": 3})


async def test_who_is_not_known_learns_nothing(tmp_path, mutual, trusted, authority):
    async with running(mutual) as server:
        desk = CallerDesk(server.engine.store.writer, server.clock)
        desk.add("till", ["evaluator"], ["analytics"], certificates=[SPIFFE])
        desk.add("gone", ["evaluator"], ["analytics"], certificates=["dns:gone.example"])
        desk.revoke("gone")
        desk.add("both", ["evaluator"], ["analytics"], certificates=["dns:both.example"])
        said = set()
        for number, names in enumerate(
            (
                {"uris": ("spiffe://shop.example/other",)},
                {"uris": (SPIFFE, "spiffe://shop.example/second")},  # a SPIFFE certificate has one URI
                {"uris": ("https://shop.example/till",)},
                {"dns": ("gone.example",)},
                {"uris": (SPIFFE,), "dns": ("both.example",)},  # two callers' names
            )
        ):
            client = coming_with(server, trusted, authority.client(**names), tmp_path / str(number))
            with pytest.raises(Unauthenticated) as refused:
                await client.evaluate("alice", "analytics")
            said.add((refused.value.reason, refused.value.message))
        assert len(said) == 1
        denied = [entry for entry in server.entries() if entry.kind is Kind.ACCESS_DENIED]
        assert denied[0].details["network"] == "127.0.0.1"


async def test_a_key_counts_before_the_certificate_and_is_never_passed_over(
    tmp_path, mutual, trusted, authority
):
    async with running(mutual) as server:
        desk = CallerDesk(server.engine.store.writer, server.clock)
        desk.add("till", ["evaluator"], ["analytics"], certificates=[SPIFFE])
        signed = authority.client(uris=(SPIFFE,))
        client = coming_with(server, trusted, signed, tmp_path / "c", server.dev_key)
        await client.upsert_profile("alice", {"age": 3})
        client = coming_with(server, trusted, signed, tmp_path / "c", "segserver_guessed")
        with pytest.raises(Unauthenticated):
            await client.evaluate("alice", "analytics")


async def test_without_a_certificate_of_the_authority_nobody_connects(tmp_path, mutual, trusted):
    stranger = Authority("stranger").client(uris=(SPIFFE,))
    async with running(mutual) as server:
        with pytest.raises(Unavailable):
            await server.client(credentials=tls(trusted), retries=0).evaluate("alice", "analytics")
        with pytest.raises(Unavailable):
            await coming_with(server, trusted, stranger, tmp_path / "c").evaluate("alice", "analytics")


async def test_a_certificate_ends_on_a_connection_that_lasts_longer(tmp_path, mutual, trusted, authority):
    async with running(mutual) as server:
        CallerDesk(server.engine.store.writer, server.clock).add(
            "till", ["evaluator"], ["analytics"], certificates=[SPIFFE]
        )
        client = coming_with(server, trusted, authority.client(uris=(SPIFFE,)), tmp_path / "c")
        await client.evaluate("alice", "analytics")
        server.server.guard._now_us = lambda: int((dt.datetime.now(dt.UTC) + 2 * HOUR).timestamp() * 1e6)
        server.server.guard._known.clear()
        with pytest.raises(Unauthenticated) as refused:
            await client.evaluate("alice", "analytics")
        assert refused.value.reason == "CERTIFICATE_EXPIRED"


def test_a_client_names_the_file_that_is_no_certificate(tmp_path):
    (tmp_path / "x").write_text("x")
    for arguments in ([tmp_path / "x"], [tmp_path / "y"], [None, tmp_path / "x"]):
        with pytest.raises(InvalidInput) as refused:
            tls(*arguments)
        assert refused.value.reason == "TLS_FILES_INVALID"


def test_file_stamps_follow_the_links_that_kubernetes_exchanges(tmp_path, files, authority):
    first, second = tmp_path / "1", tmp_path / "2"
    authority.server("first").write(first, "server")
    authority.server("second").write(second, "server")
    link = tmp_path / "current"
    link.symlink_to(first)
    server = ServerTls(TlsSettings(cert_file=link / "server.pem", key_file=link / "server.key"))
    before = server._stamps()
    link.unlink()
    link.symlink_to(second)
    assert server._stamps() != before
    assert server.reload()
