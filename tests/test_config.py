"""Settings: what can't be one is refused by name."""

import pytest

from segserver.config import load
from segserver.errors import InvalidInput


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:0", "localhost:65535", "[::1]:50051", "[fe80::1%eth0]:1", "0.0.0.0:80"]
)
def test_an_address_has_a_host_and_a_port(listen):
    assert load(listen=listen).listen == listen


@pytest.mark.parametrize(
    "listen",
    [
        *("", "nonsense", ":50051", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "a:-1", "a:1e3"),
        *("a:\u0661", "::1:50051", "::1", "[::1]", "[::1", "[shop]:1", "a b:1", "http://a:1", "a:1\n"),
    ],
)
def test_an_address_that_is_none_is_refused(listen):
    with pytest.raises(InvalidInput) as refused:
        load(listen=listen)
    assert [violation.field for violation in refused.value.violations] == ["listen"]


def test_the_command_line_overrides_settings_one_by_one(tmp_path):
    file = tmp_path / "segserver.toml"
    file.write_text('listen = "127.0.0.1:1"\n[tls]\ncert_file = "a"\nkey_file = "b"\n', encoding="utf-8")
    config = load(file, listen=None, tls={"cert_file": "c"})
    assert (config.listen, str(config.tls.cert_file), str(config.tls.key_file)) == ("127.0.0.1:1", "c", "b")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('lissten = "a:1"', "lissten: there is no such setting; did you mean listen?"),
        ("[limits]\nlist_item_max = 3", "limits.list_item_max: there is no such setting; did you mean"),
        ('colour = "red"', "colour: there is no such setting"),
        ('strict = "often"', "strict: expected true or false"),
        ("[limits]\nbatch_subjects_max = 0", "limits.batch_subjects_max: expected at least 1"),
        ("[limits]\nlist_items_max = 1.5", "limits.list_items_max: expected a whole number"),
        ("[upkeep]\nsweep_interval_s = 0", "upkeep.sweep_interval_s: expected more than 0"),
        ('[upkeep]\nsweep_interval_s = "x"', "upkeep.sweep_interval_s: expected a number"),
        ("limits = 3", "limits: expected a table of settings"),
        ("key_provider = 3", "key_provider: expected text"),
        ("data_dir = 3", "data_dir: expected the path of a folder"),
        ('phone_region = "de"', "phone_region: expected two capital letters"),
        ('listen = "127.0.0.1"', "listen: expected HOST:PORT"),
        ('[tls]\ncert_file = "a.pem"', "tls: cert_file and key_file go together"),
        ('[tls]\nclient_ca_file = "a.pem"', "tls: client_ca_file needs cert_file and key_file"),
        ('[jwt]\nalgorithms = ["none"]', "jwt: algorithms: none can't be allowed; choose among"),
        ('[jwt]\nalgorithms = ["HS256"]', "jwt: algorithms: HS256 can't be allowed; choose among"),
        ('[jwt]\njwks_url = "http://id.example"', "jwt.jwks_url: expected an address that begins with https"),
        ('[jwt]\nissuer = "http://id.example"', "jwt: the issuer is no https address"),
        ('[jwt.roles]\nboss = "boss"', "jwt.roles.boss: expected 'evaluator', 'writer'"),
        ('[jwt.purposes]\nall = "**"', "jwt.purposes.all: expected the name of a purpose"),
        ("[rates.callers]\nshop = 0", "rates.callers.shop: expected more than 0"),
    ],
)
def test_a_wrong_settings_file_is_told_in_our_words(tmp_path, settings, message):
    file = tmp_path / "segserver.toml"
    file.write_text(settings, encoding="utf-8")
    with pytest.raises(InvalidInput) as refused:
        load(file)
    assert refused.value.message.startswith(f"the settings are wrong: {message}")
    assert refused.value.reason == "CONFIG_INVALID"
