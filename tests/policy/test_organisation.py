import pytest

from dlp.errors import ConfigError
from dlp.policy.organisation import Organisation
from dlp.settings import check


@pytest.mark.parametrize(
    ("domains", "address", "inside"),
    [
        ((), "a@example.com", False),
        (("example.com",), "a@example.com", True),
        (("Example.COM",), "A@eXample.com.", True),
        (("example.com",), "a@sub.example.com", False),
        (("*.example.com",), "a@sub.example.com", True),
        ((".example.com",), "a@sub.example.com", True),
        (("*.example.com",), "a@example.com", False),
        (("例子.公司",), "张三@xn--fsqu00a.xn--55qx5d", True),
        (("xn--fsqu00a.xn--55qx5d",), "张三@例子.公司", True),
        (("example.com",), "", False),
        (("example.com",), "postmaster", False),
        (("example.com",), "@example.com", False),
        (("example.com",), "a@example.com.evil.example", False),
        (("example.com",), "bob%example.org@example.com", False),
        (("example.com",), '"bob@example.org"@example.com', False),
        (("example.com",), "example.org!bob@example.com", False),
    ],
)
def test_inside(domains: tuple[str, ...], address: str, inside: bool) -> None:
    assert Organisation(domains=domains).inside(address) is inside


def test_it_is_a_table_of_settings() -> None:
    assert check({"name": "例", "domains": ["a.example"]}, Organisation, where="x").inside("b@a.example")
    with pytest.raises(ConfigError, match="is not a domain"):
        check({"domains": ["a b"]}, Organisation, where="x")
    with pytest.raises(ConfigError, match="known keys: domains, name"):
        check({"zzz": 1}, Organisation, where="x")
