import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.policy.addresses import Address, AddressPattern, DomainPattern, canonical_domain
from dlp.policy.faults import Wrong


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("例子.公司", "xn--fsqu00a.xn--55qx5d"),
        ("例子。公司", "xn--fsqu00a.xn--55qx5d"),
        ("ｅxample．com", "example.com"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
    ],
)
def test_domains_compare_in_one_form(written: str, same: str) -> None:
    assert canonical_domain(written) == same
    assert canonical_domain(same) == same


def test_letters_that_idna_2008_keeps_apart_stay_apart() -> None:
    assert canonical_domain("straße.example") != canonical_domain("strasse.example")


@pytest.mark.parametrize(
    ("text", "local", "domain", "routed"),
    [
        ("Alice@Example.com", "alice", "example.com", False),
        ('"alice"@example.com', "alice", "example.com", False),
        ('"a\\"b"@example.com', 'a"b', "example.com", False),
        ("张三@例子.公司", "张三", "xn--fsqu00a.xn--55qx5d", False),
        ("postmaster", "postmaster", "", False),
        ("", "", "", False),
        ("bob%example.org@example.com", "bob%example.org", "example.com", True),
        ('"bob@example.org"@example.com', "bob@example.org", "example.com", True),
        ("example.org!bob@example.com", "example.org!bob", "example.com", True),
        ("@example.org:bob@example.com", "@example.org:bob", "example.com", True),
    ],
)
def test_an_address_is_taken_apart(text: str, local: str, domain: str, routed: bool) -> None:
    address = Address.of(text)
    assert (address.local, address.domain, address.routed) == (local, domain, routed)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_taken_apart_into_a_domain_that_dns_could_spell(text: str) -> None:
    domain = Address.of(text).domain
    assert domain.isascii()
    assert domain == domain.lower()


@pytest.mark.parametrize(
    ("pattern", "address", "matches"),
    [
        ("example.com", "a@example.com", True),
        ("example.com", "a@sub.example.com", False),
        ("example.com", "a@notexample.com", False),
        ("@example.com", "a@EXAMPLE.com", True),
        ("*.example.com", "a@sub.example.com", True),
        ("*.example.com", "a@deep.sub.example.com", True),
        ("*.example.com", "a@example.com", False),
        (".example.com", "a@sub.example.com", True),
        ("*.gov.cn", "a@miit.gov.cn", True),
        ("*.gov.cn", "a@gov.cn.example.com", False),
        ("alice@example.com", "ALICE@example.com", True),
        ("alice@example.com", "bob@example.com", False),
        ("hr-*@example.com", "hr-leavers@example.com", True),
        ("hr-*@example.com", "it-hr-1@example.com", False),
        ("*@localhost", "root@localhost", True),
        ("*.公司", "a@例子.公司", True),
        ("张三@例子.公司", "张三@xn--fsqu00a.xn--55qx5d", True),
        ("[192.0.2.1]", "a@[192.0.2.1]", True),
        ("example.com", "", False),
    ],
)
def test_a_pattern(pattern: str, address: str, matches: bool) -> None:
    assert AddressPattern.of(pattern).matches(Address.of(address)) is matches


@pytest.mark.parametrize("text", ["*", "extern", "mail*.example.com", "a b@exa mple.com", "a@", "a..b", "*.", ".", "http://a.b"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(Wrong):
        AddressPattern.of(text)


labels = st.lists(st.sampled_from(["a", "b", "com", "公司"]), min_size=1, max_size=5).map(".".join)


@given(labels, labels, st.booleans())
def test_looking_a_domain_up_finds_what_asking_every_pattern_finds(domain: str, name: str, below: bool) -> None:
    pattern, canonical = DomainPattern(canonical_domain(name), below), canonical_domain(domain)
    assert (pattern in DomainPattern.covering(canonical)) is pattern.matches(canonical)
