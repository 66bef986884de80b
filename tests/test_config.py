"""Settings: what can't be one is refused by name."""

import pytest

from segserver.config import load
from segserver.errors import InvalidInput


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:65535", "[::1]:50051"])
def test_an_address_has_a_host_and_a_port(listen):
    assert load(listen=listen).listen == listen


@pytest.mark.parametrize(
    "listen",
    ["", "nonsense", ":50051", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "a:-1", "a:1e3", "a:\u0661"],
)
def test_an_address_that_is_none_is_refused(listen):
    with pytest.raises(InvalidInput) as refused:
        load(listen=listen)
    assert [violation.field for violation in refused.value.violations] == ["listen"]
