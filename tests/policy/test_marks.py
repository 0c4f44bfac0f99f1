"""Whether a document bears the mark that its content wants: told, asked by a rule, and never a reason to be milder."""

from pathlib import Path

import pytest

from dlp.model import Action, Finding, Mode
from dlp.policy.marks import borne, is_mark
from dlp.policy.profiles import load_profile
from tests.policy.builders import a_mail, a_policy, a_rule, found

PROFILES = Path(__file__).parents[2] / "config" / "profiles"
PROFILE = load_profile("cn-enterprise", PROFILES)


def content(level: str, mode: Mode = Mode.ENFORCE) -> Finding:
    return Finding(signature="c", level=level, mode=mode)


def mark(level: str, mode: Mode = Mode.ENFORCE) -> Finding:
    return Finding(signature="m", level=level, mode=mode, facts={"mark": "机密", "evidence": "top"})


@pytest.mark.parametrize(
    ("findings", "english", "chinese"),
    [
        ([], None, None),
        ([mark("secret")], None, None),
        ([content("public")], None, None),
        ([content("secret")], "content of level secret bears no mark", "内容达到“机密”级但未标密"),
        ([content("secret"), mark("secret")], None, None),
        ([content("secret"), mark("top-secret")], None, None),
        (
            [content("internal"), content("secret"), mark("confidential")],
            "mark confidential below content secret",
            "所标密级“秘密”低于内容的“机密”级",
        ),
        ([content("secret"), mark("secret", Mode.SHADOW)], "content of level secret bears no mark", "内容达到“机密”级但未标密"),
        ([content("secret", Mode.SHADOW)], None, None),
    ],
)
def test_what_is_told(findings: list[Finding], english: str | None, chinese: str | None) -> None:
    assert borne(PROFILE, findings) == english
    assert borne(PROFILE, findings, "zh") == chinese
    assert borne(PROFILE, reversed(findings)) == english


def test_the_content_a_rule_means_is_that_which_no_mark_makes(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule('level = ">=confidential", marked = false', "quarantine"))
    verdict = policy.decide(a_mail(), found(content("secret")))
    assert verdict.action is Action.QUARANTINE
    assert verdict.reasons == ('rule "r": level secret (>=confidential), content of level secret bears no mark',)
    assert policy.decide(a_mail(), found(mark("secret"))).action is Action.ALLOW
    assert policy.decide(a_mail(), found(mark("secret"), content("internal"))).action is Action.ALLOW


def test_a_mark_more_changes_the_reason_and_never_the_action(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule('level = ">=confidential", marked = false', "quarantine"))
    low, high = (policy.decide(a_mail(), found(content("secret"), mark(level))) for level in ("internal", "secret"))
    assert low.action is high.action is Action.QUARANTINE
    assert low.reasons[0].endswith("mark internal below content secret")
    assert high.reasons[0].endswith("found by content")


def test_a_rule_may_ask_for_marks_alone(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule("marked = true", "alert"))
    assert policy.decide(a_mail(), found(content("secret"))).action is Action.ALLOW
    assert policy.decide(a_mail(), found(mark("secret"))).reasons == ('rule "r": marked',)


def test_what_a_mark_is() -> None:
    assert is_mark(mark("secret"))
    assert not is_mark(Finding(signature="c", facts={"evidence": "top"}))
