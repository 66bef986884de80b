"""What a User-Agent tells: real headers, hostile ones, and any text at all."""

import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segserver_tech import TechSettings, user_agent
from segserver_tech.user_agent import UserAgentReader
from segserver_tech.vocabulary import DEVICE_TYPES

READER = UserAgentReader(TechSettings())
KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"

HEADERS = [
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.0 Mobile/15E148 Safari/604.1",
        ("phone", "iOS", "17.0", "Mobile Safari"),
    ),
    (
        "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 "
        "Mobile/15E148 Safari/604.1",
        ("tablet", "iOS", "16.6", "Mobile Safari"),
    ),
    (
        f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {KHTML} Chrome/120.0.6099.43 Mobile Safari/537.36",
        ("phone", "Android", "14", "Chrome Mobile"),
    ),
    (
        f"Mozilla/5.0 (Linux; Android 13; SM-X700) {KHTML} Chrome/120.0.0.0 Safari/537.36",
        ("tablet", "Android", "13", "Chrome"),
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KHTML} Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91",
        ("desktop", "Windows", "10", "Edge"),
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:121.0) Gecko/20100101 Firefox/121.0",
        ("desktop", "Mac OS X", "10.15", "Firefox"),
    ),
    (
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {KHTML} Chrome/120.0.0.0 Safari/537.36",
        ("desktop", "Chrome OS", "14541.0.0", "Chrome"),
    ),
    (
        f"Mozilla/5.0 (PlayStation; PlayStation 5/2.26) {KHTML} Version/13.0 Safari/605.1.15",
        ("console", None, None, "Safari"),
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) "
        f"{KHTML} Chrome/44.0.2403.140 Safari/537.36 Edge/12.0",
        ("console", "Windows", "10", "Edge"),
    ),
    (
        f"Mozilla/5.0 (Web0S; Linux/SmartTV) {KHTML} Chrome/94.0.4606.128 Safari/537.36 WebAppManager",
        ("tv", "Web0S", None, "Chrome"),
    ),
    (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        ("bot", None, None, "Googlebot"),
    ),
    (
        f"{'Mozilla/5.0'} {KHTML}; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0",
        ("bot", None, None, "bingbot"),
    ),
    ("curl/8.4.0", ("bot", None, None, "curl")),
    ("Mozilla/4.7 [en] (Macintosh; I; PPC)", ("desktop", "Mac OS", None, "Netscape")),
    ("", (None, None, None, None)),
    ("no one's browser", (None, None, None, None)),
]


@pytest.mark.parametrize(
    ("header", "told"), HEADERS, ids=lambda value: value[:40] or "empty" if isinstance(value, str) else ""
)
def test_what_a_header_tells(header, told):
    assert (
        READER.device_type(header),
        READER.operating_system(header),
        READER.operating_system_version(header),
        READER.browser(header),
    ) == told


def test_the_version_of_a_browser():
    header = f"Mozilla/5.0 (Linux; Android 14) {KHTML} Chrome/120.0.6099.43 Mobile Safari/537.36"
    assert READER.browser_version(header) == "120.0.6099"
    assert READER.browser_version("w3m/0.5") is None


@given(
    st.text()
    | st.lists(st.sampled_from(["Mozilla/5.0 (", "Android ", "Windows NT ", ";", "bot", "\0", "é"])).map(
        "".join
    )
)
def test_any_text_gives_a_value_or_none(text):
    assert READER.device_type(text) in (*DEVICE_TYPES, None)
    for function in (
        READER.browser,
        READER.browser_version,
        READER.operating_system,
        READER.operating_system_version,
    ):
        assert function(text) != ""


@given(st.text(min_size=64, max_size=200), st.text())
def test_nothing_beyond_the_limit_is_read(head, tail):
    reader = UserAgentReader(TechSettings(user_agent_length_max=64))
    assert reader.device_type(head[:64] + tail) == reader.device_type(head[:64])
    assert reader.browser(head[:64] + tail) == reader.browser(head[:64])


def test_threads_that_come_first_together_get_one_answer(monkeypatch):
    monkeypatch.setattr(user_agent, "_resolvers", {})
    reader = UserAgentReader(TechSettings())
    built, build = [], user_agent._build
    monkeypatch.setattr(user_agent, "_build", lambda domain: built.append(domain) or build(domain))
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(reader.browser(HEADERS[0][0]))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["Mobile Safari"] * 8
    assert len(built) == 1


def test_a_catalog_can_add_its_own_rule():
    rule = {"device_type": "tv", "tokens": ["Acme-Box/"]}
    reader = UserAgentReader(TechSettings.model_validate({"device_rules": [rule]}))
    assert reader.device_type("ACME-BOX/2") == "tv"
    assert reader.device_type(HEADERS[0][0]) is None


def test_a_reader_travels_to_another_process():
    travelled = pickle.loads(pickle.dumps(READER.browser))  # noqa: S301 - our own bytes, just made
    assert travelled(HEADERS[0][0]) == "Mobile Safari"


def test_what_is_remembered_is_bounded():
    reader = UserAgentReader(TechSettings())
    for number in range(user_agent.HEADERS_MAX + 10):
        reader.device_type(f"header {number}")
    assert reader._device_type.cache_info().currsize == user_agent.HEADERS_MAX
