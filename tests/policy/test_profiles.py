from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.errors import ConfigError
from dlp.model import Finding, Mode
from dlp.policy.profiles import CANONICAL, Profile, load_profile
from tests.policy.builders import CONFIG, SHIPPED, a_profile, found

CATEGORIES = {
    "personal-data",
    "payment-cards",
    "business-registration",
    "credentials",
    "password-told",
    "financial-statements",
    "personnel-files",
    "contracts",
    "source-code",
    "strategy",
    "technical-secrets",
    "customer-data",
    "meeting-minutes",
    "official-documents",
    "bids",
    "audit-reports",
    "research",
    "other",
    "project-files",
    "pricing",
    "supplier-data",
    "production-quality",
    "network-security",
    "defence-technology",
    "personal-data-bulk",
    "internal-communications",
    "internal-rules",
}

TOML = """
name = "two"
title = "Two levels"
language = "en"
unlisted = "closed"
[[level]]
id = "open"
name = "Open"
[[level]]
id = "closed"
name = "Closed"
name_zh = "不公开"
[aliases]
public = "open"
[categories]
contracts = "closed"
other = "open"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("cn-enterprise", ["公开", "内部", "秘密", "机密", "绝密"]),
        ("cn-trade-secret", ["公开", "内部", "普通商密", "核心商密"]),
        ("cn-data", ["公开", "内部", "机密", "受限"]),
        ("international", ["Public", "Internal", "Confidential", "Restricted"]),
    ],
)
def test_the_shipped_scales(name: str, names: list[str]) -> None:
    profile = a_profile(name)
    assert profile.name == name
    assert [profile.name_of(level) for level in profile.ids] == names
    assert all(profile.name_of(level, "en").isascii() and not profile.name_of(level, "zh").isascii() for level in profile.ids)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_knows_every_category_and_every_canonical_level(name: str) -> None:
    profile = a_profile(name)
    assert set(profile.categories) == CATEGORIES
    assert all(level in profile.ids or level in profile.aliases for level in CANONICAL)
    ranks = [profile.rank(level) for level in CANONICAL[:5]]
    assert ranks == sorted(ranks)
    assert all(profile.rank("secret") > profile.rank(profile.categories[c]) for c in ("contracts", "personal-data", "other"))


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (Finding(signature="s", category="contracts"), "confidential"),
        (Finding(signature="s", level="secret"), "secret"),
        (Finding(signature="s", level="secret", category="contracts"), "secret"),
        (Finding(signature="s", level="internal", category="contracts"), "confidential"),
        (Finding(signature="s", level="restricted"), "secret"),
        (Finding(signature="s", level="cosmic"), "top-secret"),
        (Finding(signature="s", category="unheard-of"), "confidential"),
        (Finding(signature="s", level="secret", category="unheard-of"), "secret"),
        (Finding(signature="s"), "confidential"),
        (Finding(signature="s", category="credentials", mode=Mode.SHADOW), "secret"),
    ],
)
def test_grading_takes_the_higher_of_the_stated_level_and_the_category(finding: Finding, level: str) -> None:
    (graded,) = a_profile().grade(found(finding)).findings
    assert graded.level == level
    assert (graded.signature, graded.category, graded.mode) == (finding.signature, finding.category, finding.mode)


levels = st.none() | st.sampled_from([*CANONICAL, "cosmic"])
categories = st.none() | st.sampled_from([*sorted(CATEGORIES), "unheard-of"])


@given(st.sampled_from(SHIPPED).map(a_profile), levels, categories)
def test_grading_twice_changes_nothing_and_lands_on_the_scale(profile: Profile, level: str | None, category: str | None) -> None:
    once = profile.grade(found(Finding(signature="s", level=level, category=category)))
    assert once.findings[0].level in profile.ids
    assert profile.grade(once) == once


def test_ranks_and_the_highest() -> None:
    profile = a_profile("international")
    assert [profile.rank(level) for level in (None, "public", "restricted", "top-secret", "cosmic")] == [-1, 0, 3, 3, 3]
    assert profile.highest(None, "internal", "secret", "public") == "restricted"
    assert profile.highest() is None
    assert profile.highest(None) is None


def test_names_of_no_level_and_of_a_level_of_yesterday() -> None:
    assert a_profile().name_of(None) == ""
    assert a_profile().name_of("restricted") == "restricted"


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    path = written(tmp_path, TOML)
    for named in (path, str(path)):
        profile = load_profile(named, CONFIG / "profiles")
        assert profile.ids == ("open", "closed")
    assert profile.title_zh == "Two levels"
    assert (profile.name_of("closed"), profile.name_of("closed", "zh"), profile.name_of("open", "zh")) == (
        "Closed",
        "不公开",
        "Open",
    )


@pytest.mark.parametrize(
    ("change", "key", "what"),
    [
        (('unlisted = "closed"', 'unlisted = "shut"'), "unlisted", "unknown level 'shut'"),
        (('contracts = "closed"', 'contracts = "close"'), "categories.contracts", "unknown level 'close'"),
        (('public = "open"', 'public = "opn"'), "aliases.public", "unknown level 'opn'"),
        (('public = "open"', 'open = "closed"'), "aliases.open", "is a level of this profile itself"),
        (('id = "closed"', 'id = "open"'), "level", "level 'open' comes twice"),
        (('id = "closed"', 'id = "Closed!"'), "level.1.id", "is not an id"),
        (('language = "en"', 'language = "fr"'), "language", "'zh' or 'en'"),
        (('title = "Two levels"', ""), "title", "is missing"),
        (('title = "Two levels"', 'titel = "Two levels"'), "titel", "unknown key"),
        (("[[level]]", "[[levels]]"), "level", "is missing"),
    ],
)
def test_faults(tmp_path: Path, change: tuple[str, str], key: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_profile(written(tmp_path, TOML.replace(*change)), tmp_path)
    assert any(fault.key == key and what in fault.what for fault in caught.value.faults)


def test_a_profile_without_levels(tmp_path: Path) -> None:
    text = 'name = "n"\ntitle = "t"\nlanguage = "zh"\nunlisted = "x"\nlevel = []\n[categories]\n'
    with pytest.raises(ConfigError, match="has no levels"):
        load_profile(written(tmp_path, text), tmp_path)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no profile 'cn-enterprize'.*cn-data, cn-enterprise, cn-trade-secret, international"):
        load_profile("cn-enterprize", CONFIG / "profiles")
    with pytest.raises(ConfigError, match="no such file"):
        load_profile("./none.toml", CONFIG / "profiles")
