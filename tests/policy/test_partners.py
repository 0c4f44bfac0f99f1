from datetime import date
from pathlib import Path

import pytest

from dlp.errors import ConfigError
from dlp.policy.addresses import Address
from dlp.policy.partners import load_partners
from tests.policy.builders import CONFIG

TOML = """
[[partner]]
name = "Lab"
domains = ["lab.example", "*.lab.example"]
nda = "N-1"
expires = 2026-12-31
[[partner]]
name = "Lab"
domains = ["lab.example"]
nda = "N-2"
expires = 2027-06-30
[[partner]]
name = "例子"
domains = ["例子.公司"]
nda = "N-3"
expires = 2026-12-31
"""


@pytest.mark.parametrize(
    ("address", "day", "nda"),
    [
        ("a@lab.example", date(2026, 12, 31), "N-2"),
        ("a@lab.example", date(2027, 1, 1), "N-2"),
        ("a@lab.example", date(2027, 7, 1), None),
        ("a@x.lab.example", date(2026, 12, 31), "N-1"),
        ("a@x.lab.example", date(2027, 1, 1), None),
        ("a@XN--FSQU00A.xn--55qx5d", date(2026, 1, 1), "N-3"),
        ("a@other.example", date(2026, 1, 1), None),
        ("a%evil.example@lab.example", date(2026, 1, 1), None),
    ],
)
def test_an_agreement_holds_to_its_last_day(tmp_path: Path, address: str, day: date, nda: str | None) -> None:
    path = tmp_path / "partners.toml"
    path.write_text(TOML, "utf-8")
    partner = load_partners(path).find(Address.of(address), day)
    assert (partner.nda if partner else None) == nda


def test_that_mail_goes_over_tls_is_said_by_any_agreement_that_holds(tmp_path: Path) -> None:
    path = tmp_path / "partners.toml"
    path.write_text(TOML.replace('nda = "N-1"', 'nda = "N-1"\ntls = true'), "utf-8")
    partners, day = load_partners(path), date(2026, 12, 31)
    assert partners.tls(Address.of("a@lab.example"), day)
    assert partners.tls(Address.of("a@x.lab.example"), day)
    assert not partners.tls(Address.of("a@lab.example"), date(2027, 1, 1))
    assert not partners.tls(Address.of("a@例子.公司"), day)
    assert not partners.tls(Address.of("a%evil.example@lab.example"), day)


@pytest.mark.parametrize(
    ("change", "key", "what"),
    [
        (('"N-2"', '"N-1"'), "partner", "agreement 'N-1' comes twice"),
        (('["例子.公司"]', "[]"), "partner.2.domains", "names no domain"),
        (('"例子.公司"', '"例 子"'), "partner.2.domains", "is not a domain"),
        (("2027-06-30", '"soon"'), "partner.1.expires", "date"),
        (('nda = "N-3"', ""), "partner.2.nda", "is missing"),
        (("nda", "ndaa"), "partner.0.ndaa", "unknown key"),
    ],
)
def test_faults(tmp_path: Path, change: tuple[str, str], key: str, what: str) -> None:
    path = tmp_path / "partners.toml"
    path.write_text(TOML.replace(*change), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_partners(path)
    assert any(fault.key == key and what in fault.what for fault in caught.value.faults)


def test_the_shipped_file_lists_nobody() -> None:
    assert not load_partners(CONFIG / "partners.toml").by_domain


def test_its_example_loads(tmp_path: Path) -> None:
    path, shipped = tmp_path / "partners.toml", (CONFIG / "partners.toml").read_text("utf-8")
    path.write_text(shipped[shipped.index("# [[partner]]") :].replace("# [", "[").replace("\n# ", "\n"), "utf-8")
    assert load_partners(path).find(Address.of("a@lab.example.org"), date(2027, 12, 31))
