"""`Policy.decide`: who wins, what the verdict says, and the properties that are promised of it."""

import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.model import (
    Action,
    Attachment,
    Channel,
    Finding,
    Inspection,
    Item,
    Mode,
    Transport,
    Unscannable,
    Verdict,
    Why,
    Zone,
)
from dlp.policy.partners import Partner, Partners
from dlp.policy.people import People
from dlp.policy.policy import Policy
from tests.policy.builders import SHIPPED, a_file, a_mail, a_policy, a_rule, found

SECRET = Finding(signature="s", level="secret")

ROLES = People.of([], roles=["head", "president"])


def test_what_no_rule_matches_is_allowed(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule('level = ">=top-secret"'))
    assert policy.decide(a_mail(), found(SECRET)) == Verdict(action=Action.ALLOW, level="secret")
    assert policy.decide(a_mail(), found()) == Verdict()


def test_the_most_severe_rule_wins_and_is_named_first(tmp_path: Path) -> None:
    rules = [
        a_rule("", "alert", "c", 'notify = "c@example.com"'),
        a_rule("", "quarantine", "a", 'approve_by = "president"'),
        a_rule("", "block", "d", 'approve_by = "head"\nnotify = "d@example.com"'),
        a_rule("", "allow", "e"),
        a_rule("", "block", "b", 'approve_by = ["president"]'),
        a_rule('channel = "usb"', "block", "f", 'notify = "f@example.com"'),
    ]
    verdict = a_policy(tmp_path, "".join(rules), people=ROLES).decide(a_mail(), found(SECRET))
    assert verdict == Verdict(
        action=Action.BLOCK,
        level="secret",
        rules=("b", "d", "a", "c", "e"),
        reasons=tuple(f'rule "{name}": always' for name in "bdace"),
        approve_by=("head", "president"),
        notify=("c@example.com", "d@example.com"),
    )


def test_a_milder_rules_approvers_do_not_release_what_a_severer_one_holds(tmp_path: Path) -> None:
    rules = a_rule("", "quarantine", "a", 'approve_by = "head"') + a_rule("", "block", "b")
    assert a_policy(tmp_path, rules, people=ROLES).decide(a_mail(), found()).approve_by == ()


def test_shadow_findings_count_nowhere(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule('level = ">=public"'))
    assert policy.decide(a_mail(), found(replace(SECRET, mode=Mode.SHADOW))) == Verdict()


def test_findings_may_come_graded_or_not(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule('level = ">=restricted"'), profile="international")
    inspection = found(SECRET, Finding(signature="t", category="contracts"))
    assert policy.decide(a_mail(), inspection) == policy.decide(a_mail(), policy.profile.grade(inspection))
    assert policy.decide(a_mail(), inspection).level == "restricted"


@pytest.mark.parametrize(
    ("rules", "action"),
    [
        ([a_rule('channel = "usb"')], Action.BLOCK),
        ([a_rule('channel = "mail"')], Action.ALLOW),
        ([a_rule('channel = "share"')], Action.ALLOW),
        ([a_rule('channel = "usb"', name="u"), a_rule('channel = "scan", level = "secret"', "alert")], Action.ALERT),
        ([a_rule('channel = "usb"', name="u"), a_rule('channel = ["scan", "mail"], level = "public"')], Action.ALLOW),
        ([a_rule('channel = ["scan", "usb"]')], Action.BLOCK),
        ([a_rule('recipients = "external"')], Action.BLOCK),
        ([a_rule('recipients = "stranger"')], Action.BLOCK),
        ([a_rule('channel = "usb", recipients = "external"')], Action.BLOCK),
        ([a_rule('channel = "scan", recipients = "external"')], Action.BLOCK),
        ([a_rule('recipients = ["internal", "partner"]')], Action.ALLOW),
        ([a_rule('recipients = ["*@localhost", "other.example"]')], Action.ALLOW),
        ([a_rule('sender = { not_role = "head" }')], Action.ALLOW),
    ],
)
def test_a_scan_is_asked_as_a_drive_with_an_outside_recipient_unless_a_rule_names_it(
    tmp_path: Path, rules: list[str], action: Action
) -> None:
    policy = a_policy(tmp_path, "".join(rules), people=ROLES)
    assert policy.decide(a_file(Channel.SCAN), found(SECRET)).action is action


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([("quarantine", True)], True),
        ([("block", True)], True),
        ([("quarantine", True), ("quarantine", True), ("alert", False), ("allow", False)], True),
        ([("quarantine", True), ("quarantine", False)], False),
        ([("block", True), ("quarantine", False)], False),
        ([("block", False), ("quarantine", True)], False),
        ([("alert", False)], False),
    ],
)
def test_attachments_are_replaced_if_all_rules_agree_that_keep_the_message(
    tmp_path: Path, rules: list[tuple[str, bool]], wanted: bool
) -> None:
    text = "".join(
        a_rule('channel = "mail"', then, f"r{number}", "replace = true" if wants else "")
        for number, (then, wants) in enumerate(rules)
    )
    assert a_policy(tmp_path, text).decide(a_mail(), found()).replace is wanted


AB = (Attachment(name="a", start=10, end=20), Attachment(name="b", start=30, end=40), Attachment(name="b", start=50, end=60))
OFFENDING = [
    ([replace(SECRET, trail=("a",))], "a"),
    ([replace(SECRET, trail=("a", "in.zip", "x")), Finding(signature="p", level="public", trail=("b",))], "a"),
    ([replace(SECRET, trail=("b",))], "bb"),
    ([replace(SECRET, trail=("a",)), replace(SECRET, trail=("b",))], "abb"),
    ([replace(SECRET, zone=Zone.RAW, offset=35)], "bb"),
    ([replace(SECRET, zone=Zone.RAW, offset=10)], "a"),
    # Its own, or nowhere that is known:
    ([replace(SECRET, zone=Zone.RAW, offset=20)], ""),
    ([replace(SECRET, zone=Zone.RAW, offset=9)], ""),
    ([replace(SECRET, zone=Zone.BODY, offset=15)], ""),
    ([SECRET], ""),
    ([replace(SECRET, trail=("c",))], ""),
    ([replace(SECRET, trail=("c", "a"))], ""),
    ([replace(SECRET, trail=("a",)), SECRET], ""),
    # Nothing keeps it back.
    ([], ""),
    ([Finding(signature="p", level="public", trail=("a",))], ""),
    ([replace(SECRET, trail=("a",), mode=Mode.SHADOW)], ""),
]


@pytest.mark.parametrize(("where", "names"), OFFENDING)
def test_the_attachments_that_offend_are_known_by_the_trail(tmp_path: Path, where: list[Finding], names: str) -> None:
    policy = a_policy(tmp_path, a_rule('channel = "mail", level = "secret"', "quarantine", more="replace = true"))
    got = policy.offending(a_mail(), replace(found(*where), attachments=AB))
    assert "".join(one.name for one in got) == names


def test_what_offends_only_together_goes_together_and_leaves_what_does_not(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule('channel = "mail", count = ">=4", signature = "n"', "quarantine"))
    three = [Finding(signature="n", count=count, trail=(name,)) for name, count in (("a", 3), ("b", 1))]
    c = Attachment(name="c", start=70, end=80)
    inspection = replace(found(*three), attachments=(*AB, c))
    assert policy.offending(a_mail(), inspection) == AB


def test_what_the_message_itself_is_kept_for_is_no_matter_of_attachments(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule('channel = "mail"', "quarantine", more="replace = true"))
    assert policy.offending(a_mail(), replace(found(replace(SECRET, trail=("a",))), attachments=AB)) == ()


# ---- Properties ----

RULES = """
[[rule]]
name = "1"
when = { level = ">=secret", recipients = "external" }
then = "block"
approve_by = ["head"]
[[rule]]
name = "2"
when = { level = ["internal", "<public", "=confidential"], confidence = 50 }
then = "quarantine"
notify = ["a@example.com"]
[[rule]]
name = "3"
when = { signature = "a*", count = ">=4", zone = ["body", "header"] }
then = "quarantine"
approve_by = ["president"]
[[rule]]
name = "4"
when = { unscannable = ["encrypted", "crashed"], level = "<=internal" }
then = "block"
[[rule]]
name = "5"
when = { unscannable = true }
then = "alert"
[[rule]]
name = "6"
when = { category = ["contracts", "credentials"], channel = ["usb", "mail"] }
then = "alert"
notify = ["b@example.com"]
[[rule]]
name = "6a"
when = { channel = "mail", level = ">=secret" }
then = "quarantine"
replace = true
[[rule]]
name = "7"
when = {}
then = "allow"
[[rule]]
name = "8"
when = { level = ">=internal", transport = ["clear", "unverified"] }
then = "quarantine"
[[rule]]
name = "9"
when = { category = "contracts", destination_tls = false, confidence = 20 }
then = "block"
[[rule]]
name = "10"
when = { transport = "unverified", destination_tls = false }
then = "alert"
[[rule]]
name = "11"
when = { level = ">=internal", marked = false }
then = "block"
[[rule]]
name = "12"
when = { level = ">=internal", marked = true }
then = "quarantine"
"""

trails = st.sampled_from([(), ("a",), ("b", "in"), ("c",)])
findings = st.builds(
    Finding,
    signature=st.sampled_from(["a1", "a2", "b"]),
    category=st.sampled_from([None, "contracts", "credentials", "business-registration", "unheard-of"]),
    level=st.sampled_from([None, "public", "internal", "confidential", "secret", "top-secret", "restricted", "cosmic"]),
    confidence=st.integers(0, 100),
    count=st.integers(-3, 5),
    zone=st.sampled_from([Zone.BODY, Zone.HEADER, Zone.RAW]),
    mode=st.sampled_from(Mode),
    trail=trails,
    offset=st.integers(0, 70),
    facts=st.sampled_from([{}, {"mark": "机密"}]),
)
places = st.builds(Unscannable, why=st.sampled_from(Why), trail=trails)
inspections = st.builds(
    Inspection,
    findings=st.lists(findings, max_size=6).map(tuple),
    unscannable=st.lists(places).map(tuple),
    attachments=st.sampled_from([(), AB]),
)
items = st.sampled_from(
    [
        *(
            a_mail("a@example.com", "b@safe.example", *more, transport=one)
            for one in Transport
            for more in ([], ["c@example.org"])
        ),
        a_mail(),
        a_mail("a@example.com"),
        a_file(Channel.USB),
        a_file(Channel.SHARE),
        a_file(Channel.SCAN),
        a_file(Channel.CLAMD),
    ]
)


@pytest.fixture(scope="module", params=SHIPPED)
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    partners = Partners.of([Partner(name="Safe", domains=("safe.example",), nda="1", expires=date(2030, 1, 1), tls=True)])
    return a_policy(tmp_path_factory.mktemp("policy"), RULES, profile=request.param, people=ROLES, partners=partners)


@given(data=st.data(), item=items, inspection=inspections)
def test_order_never_matters(policy: Policy, data: st.DataObject, item: Item, inspection: Inspection) -> None:
    shuffled = replace(
        inspection,
        findings=tuple(data.draw(st.permutations(inspection.findings))),
        unscannable=tuple(data.draw(st.permutations(inspection.unscannable))),
    )
    other = replace(policy, rules=tuple(data.draw(st.permutations(policy.rules))))
    assert other.decide(item, shuffled) == policy.decide(item, inspection)


@given(item=items, inspection=inspections, more=inspections)
def test_what_is_added_never_lowers_the_action_or_the_level(
    policy: Policy, item: Item, inspection: Inspection, more: Inspection
) -> None:
    before = policy.decide(item, inspection)
    after = policy.decide(
        item,
        replace(inspection, findings=inspection.findings + more.findings, unscannable=inspection.unscannable + more.unscannable),
    )
    assert after.action >= before.action
    assert policy.profile.rank(after.level) >= policy.profile.rank(before.level)
    assert set(after.rules) >= set(before.rules)
    assert before.action < Action.QUARANTINE or before.replace or not after.replace, "nor makes it milder in this way"


@given(origin=st.sampled_from(["c@example.org", "b@safe.example", "a@example.com"]), inspection=inspections)
def test_a_less_safe_way_never_lowers_the_action(policy: Policy, origin: str, inspection: Inspection) -> None:
    """What nobody has said is as bad as clear, and nothing is worse. A rule may mean unverified alone, but then says so."""
    rules = tuple(rule for rule in policy.rules if rule.name != "10")
    ways = [Transport.VERIFIED, Transport.UNVERIFIED, Transport.CLEAR, Transport.UNKNOWN]
    verdicts = [replace(policy, rules=rules).decide(a_mail(origin, transport=one), inspection) for one in ways]
    actions = [verdict.action for verdict in verdicts]
    assert actions == sorted(actions)
    assert verdicts[2].action is verdicts[3].action
    assert policy.decide(a_mail(origin, transport=Transport.LOCAL), inspection).action is verdicts[0].action


@given(item=items, inspection=inspections)
def test_the_level_is_the_highest_enforced_one(policy: Policy, item: Item, inspection: Inspection) -> None:
    graded = policy.profile.grade(inspection).findings
    ranks = [policy.profile.ids.index(f.level or "") for f in graded if f.mode is Mode.ENFORCE]
    assert policy.decide(item, inspection).level == (policy.profile.ids[max(ranks)] if ranks else None)


@given(item=items, inspection=inspections)
def test_the_verdict_is_made_of_the_rules_it_names(policy: Policy, item: Item, inspection: Inspection) -> None:
    verdict = policy.decide(item, inspection)
    by_name = {rule.name: rule for rule in policy.rules}
    matched = [by_name[name] for name in verdict.rules]
    assert [rule.then for rule in matched] == sorted((rule.then for rule in matched), reverse=True)
    assert verdict.action is matched[0].then  # rule 7 always matches
    assert len(verdict.reasons) == len(matched)
    assert set(verdict.approve_by) == {role for rule in matched if rule.then is verdict.action for role in rule.approve_by}
    keeping = [rule for rule in matched if rule.then >= Action.QUARANTINE]
    assert verdict.replace is (bool(keeping) and all(rule.replace for rule in keeping))
    assert set(verdict.notify) == {who for rule in matched for who in rule.notify}


@given(item=items, inspection=inspections)
def test_deciding_again_says_the_same(policy: Policy, item: Item, inspection: Inspection) -> None:
    assert policy.decide(item, inspection) == policy.decide(item, inspection)


@given(item=items, inspection=inspections)
def test_recipients_are_withheld_a_message_where_and_only_where_that_serves_others(
    policy: Policy, item: Item, inspection: Inspection
) -> None:
    withheld = policy.withheld(item, inspection)
    everyone = frozenset(range(len(item.recipients)))
    assert withheld < everyone or not everyone
    if withheld:
        assert policy.decide(item.addressed(withheld), inspection).action >= Action.QUARANTINE
        assert policy.decide(item.addressed(everyone - withheld), inspection).action < Action.QUARANTINE
    else:
        # Whole, since it goes to all, or to none of them whoever is left out.
        single = {policy.decide(item.addressed({place}), inspection).action >= Action.QUARANTINE for place in everyone}
        assert len(single) <= 1


@given(item=items, inspection=inspections)
def test_without_what_offends_the_message_may_go_as_far_as_is_known(policy: Policy, item: Item, inspection: Inspection) -> None:
    taken = policy.offending(item, inspection)
    assert list(taken) == [one for one in inspection.attachments if one in taken], "in order"
    names = {one.name for one in taken}
    assert taken == tuple(one for one in inspection.attachments if one.name in names), "all of one name"
    if not taken:
        return

    def stays(piece: Finding | Unscannable) -> bool:
        if piece.trail or not isinstance(piece, Finding) or piece.zone is not Zone.RAW:
            return not set(piece.trail[:1]) & names
        return not any(one.start <= piece.offset < one.end for one in taken)

    assert policy.decide(item, inspection).action >= Action.QUARANTINE
    left = replace(
        inspection,
        findings=tuple(filter(stays, inspection.findings)),
        unscannable=tuple(filter(stays, inspection.unscannable)),
    )
    assert policy.decide(item, left).action < Action.QUARANTINE


def test_only_those_whom_a_rule_means_are_withheld(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule('recipients = "external", level = ">=confidential"', "quarantine"))
    mail = a_mail("ann@example.com", "bob@example.org", "carl@example.com")
    assert policy.withheld(mail, found(Finding(signature="x", level="secret"))) == {1}
    assert policy.withheld(mail, found()) == frozenset()
    assert policy.withheld(a_mail("bob@example.org"), found(Finding(signature="x", level="secret"))) == frozenset()
    assert policy.withheld(a_file(), found(Finding(signature="x", level="secret"))) == frozenset()


def test_the_machines_own_zone_serves_where_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = replace(a_policy(tmp_path, a_rule('time = { from = "12:00", to = "12:01" }')), zone=None)
    try:
        for zone, action in (("UTC-8", Action.BLOCK), ("UTC", Action.ALLOW)):  # POSIX: UTC-8 is eight hours east
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert policy.decide(a_mail(), found()).action is action
    finally:
        monkeypatch.undo()
        time.tzset()
