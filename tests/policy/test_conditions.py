"""Each condition as an operator writes it, in a policy of one rule: when it holds, when it does not, and what it says."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dlp.model import Action, Channel, Finding, Inspection, Item, Mode, Transport, Why, Zone
from dlp.policy.partners import Partner, Partners
from dlp.policy.people import People, Person
from dlp.policy.policy import Policy
from tests.policy.builders import NOON, a_file, a_mail, a_policy, a_rule, found

PEOPLE = People.of(
    [
        Person(address="li.wei@example.com", department="research", roles=("custodian", "manager")),
        Person(address="new@example.com", department="sales", status="probation"),
    ],
    roles=["custodian", "manager", "president"],
)
PARTNERS = Partners.of(
    [
        Partner(name="Lab", domains=("lab.example",), nda="1", expires=date(2026, 3, 4)),
        Partner(name="Own branch", domains=("branch.example.com", "example.com"), nda="3", expires=date(2030, 1, 1)),
        Partner(name="Old", domains=("old.example",), nda="2", expires=date(2026, 3, 3), tls=True),
        Partner(name="Safe", domains=("safe.example", "*.safe.example"), nda="4", expires=date(2026, 3, 4), tls=True),
        Partner(name="Safe for longer", domains=("safe.example",), nda="5", expires=date(2027, 3, 4)),
    ]
)


def asked(tmp_path: Path, when: str) -> Policy:
    return a_policy(tmp_path, a_rule(when), people=PEOPLE, partners=PARTNERS)


def matches(tmp_path: Path, when: str, item: Item, inspection: Inspection | None = None) -> bool:
    return asked(tmp_path, when).decide(item, inspection or Inspection()).action is Action.BLOCK


def f(level: str | None = None, **kind: object) -> Finding:
    return Finding(**{"signature": "s", "level": level, **kind})  # type: ignore[arg-type]


@pytest.mark.parametrize("channel", [Channel.MAIL, Channel.SHARE, Channel.USB, Channel.CLAMD])
def test_channel(tmp_path: Path, channel: Channel) -> None:
    item = a_mail() if channel is Channel.MAIL else a_file(channel)
    assert matches(tmp_path, f'channel = "{channel}"', item)
    assert matches(tmp_path, f'channel = ["scan", "{channel}"]', item)
    others = [f'"{one}"' for one in Channel if one is not channel]
    assert not matches(tmp_path, f"channel = [{', '.join(others)}]", item)
    assert matches(tmp_path, "", item)


@pytest.mark.parametrize(
    ("words", "on"),
    [
        ('">=confidential"', "confidential secret top-secret"),
        ('">confidential"', "secret top-secret"),
        ('"<=internal"', "public internal"),
        ('"<internal"', "public"),
        ('"=secret"', "secret"),
        ('"secret"', "secret"),
        ('" >= secret "', "secret top-secret"),
        ('["<internal", ">secret"]', "public top-secret"),
        ('">=restricted"', "secret top-secret"),
    ],
)
def test_level(tmp_path: Path, words: str, on: str) -> None:
    policy = asked(tmp_path, f"level = {words}")
    held = [level for level in policy.profile.ids if policy.decide(a_mail(), found(f(level))).action is Action.BLOCK]
    assert held == on.split()
    assert policy.decide(a_mail(), found()).action is Action.ALLOW


def test_level_asks_whether_such_a_finding_is_there_not_what_the_highest_is(tmp_path: Path) -> None:
    assert matches(tmp_path, 'level = "<=internal"', a_mail(), found(f("internal"), f("secret")))


@pytest.mark.parametrize(
    ("when", "finding", "holds"),
    [
        ('category = "contracts"', f(category="contracts"), True),
        ('category = ["bids", "contracts"]', f(category="contracts"), True),
        ('category = "bids"', f(category="contracts"), False),
        ('category = "contracts"', f("confidential"), False),
        ('signature = "cn_id"', f(signature="cn_id"), True),
        ('signature = "cn_*"', f(signature="cn_id"), True),
        ('signature = ["iban", "cn_?d"]', f(signature="cn_id"), True),
        ('signature = "cn_*"', f(signature="xcn_id"), False),
        ('zone = "header"', f(zone=Zone.HEADER), True),
        ('zone = ["footer", "header"]', f(zone=Zone.BODY), False),
        ("confidence = 60", f(confidence=60), True),
        ("confidence = 60", f(confidence=59), False),
        ("count = 5", f(count=5), True),
        ('count = ">=5"', f(count=9), True),
        ('count = ">=5"', f(count=4), False),
        ('level = ">=public"', f("secret", mode=Mode.SHADOW), False),
    ],
)
def test_a_finding(tmp_path: Path, when: str, finding: Finding, holds: bool) -> None:
    assert matches(tmp_path, when, a_mail(), found(finding)) is holds


def test_conditions_on_findings_are_asked_of_the_same_finding(tmp_path: Path) -> None:
    when = 'level = ">=secret", confidence = 80'
    assert not matches(tmp_path, when, a_mail(), found(f("secret", confidence=10), f("internal", confidence=90)))
    assert matches(tmp_path, when, a_mail(), found(f("secret", confidence=10), f("secret", confidence=90)))


def test_count_adds_up_the_matching_findings_only(tmp_path: Path) -> None:
    when = 'signature = "cn_*", count = ">=5"'
    ids = [f(signature="cn_id", count=2), f(signature="cn_mobile", count=2)]
    assert not matches(tmp_path, when, a_mail(), found(*ids, f(signature="iban", count=100)))
    assert matches(tmp_path, when, a_mail(), found(*ids, f(signature="cn_id", count=1)))
    assert matches(tmp_path, when, a_mail(), found(f(signature="cn_id", count=5), f(signature="cn_id", count=-9)))


@pytest.mark.parametrize(
    ("when", "why", "holds"),
    [
        ("unscannable = true", Why.CRASHED, True),
        ('unscannable = "encrypted"', Why.ENCRYPTED, True),
        ('unscannable = ["too-deep", "encrypted"]', Why.TOO_DEEP, True),
        ('unscannable = "encrypted"', Why.CORRUPT, False),
        ("unscannable = true", None, False),
    ],
)
def test_unscannable(tmp_path: Path, when: str, why: Why | None, holds: bool) -> None:
    assert matches(tmp_path, when, a_mail(), found(f("secret"), unread=[why] if why else [])) is holds


@pytest.mark.parametrize(
    ("entry", "recipients", "holds"),
    [
        ("external", ["a@other.example"], True),
        ("external", ["a@example.com"], False),
        ("external", ["a@example.com", "a@other.example"], True),
        ("external", ["a@lab.example"], True),
        ("external", ["bob%evil.example@example.com"], True),
        ("internal", ["a@example.com", "a@other.example"], True),
        ("internal", ["a@other.example"], False),
        ("partner", ["a@lab.example"], True),
        ("partner", ["a@old.example"], False),
        ("partner", ["a@branch.example.com"], True),
        ("partner", ["a@example.com"], False),
        ("stranger", ["a@lab.example"], False),
        ("stranger", ["a@old.example"], True),
        ("stranger", ["a@example.com"], False),
        ("*.gov.cn", ["a@miit.gov.cn"], True),
        ("other.example", ["a@other.example"], True),
        ("boss@example.com", ["BOSS@example.com"], True),
        ("boss@example.com", ["a@example.com"], False),
    ],
)
def test_recipients(tmp_path: Path, entry: str, recipients: list[str], holds: bool) -> None:
    assert matches(tmp_path, f'recipients = "{entry}"', a_mail(*recipients)) is holds
    assert matches(tmp_path, f'recipients = ["nobody@no.example", "{entry}"]', a_mail(*recipients)) is holds


@pytest.mark.parametrize(
    ("arrived", "holds"),
    [(datetime(2026, 3, 4, 15, 59, tzinfo=UTC), True), (datetime(2026, 3, 4, 16, 0, tzinfo=UTC), False)],
)
def test_an_agreement_ends_at_local_midnight(tmp_path: Path, arrived: datetime, holds: bool) -> None:
    assert matches(tmp_path, 'recipients = "partner"', a_mail("a@lab.example", arrived=arrived)) is holds


@pytest.mark.parametrize(
    ("words", "on"),
    [
        ('"clear"', "clear unknown"),
        ('"unverified"', "unverified"),
        ('["clear", "unverified"]', "unverified clear unknown"),
    ],
)
def test_transport(tmp_path: Path, words: str, on: str) -> None:
    policy = asked(tmp_path, f"transport = {words}")
    met = [one.value for one in Transport if policy.decide(a_mail(transport=one), found()).action is Action.BLOCK]
    assert met == on.split()


@pytest.mark.parametrize(
    ("recipients", "holds"),
    [
        (["a@safe.example"], False),
        (["a@SAFE.example.", "b@x.safe.example", "c@example.com"], False),
        (["a@safe.example", "a@lab.example"], True),
        (["a@lab.example"], True),
        (["a@old.example"], True),
        (["a@other.example"], True),
        (["bob%evil.example@safe.example"], True),
        (["nobody"], True),
        (["a@example.com"], False),
    ],
)
def test_destination_tls(tmp_path: Path, recipients: list[str], holds: bool) -> None:
    assert matches(tmp_path, "destination_tls = false", a_mail(*recipients)) is holds


def test_only_the_recipients_without_tls_are_withheld(tmp_path: Path) -> None:
    policy = asked(tmp_path, 'destination_tls = false, level = ">=internal"')
    mail = a_mail("a@safe.example", "b@lab.example", "c@example.com")
    assert policy.withheld(mail, found(f("secret"))) == {1}


def test_a_word_about_tls_ends_with_the_agreement(tmp_path: Path) -> None:
    day_after = datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
    assert not matches(tmp_path, "destination_tls = false", a_mail("b@x.safe.example"))
    assert matches(tmp_path, "destination_tls = false", a_mail("b@x.safe.example", arrived=day_after))


@pytest.mark.parametrize(
    "when",
    [
        'recipients = "external"',
        'recipients = "internal"',
        'sender = { not_role = "custodian" }',
        'transport = ["clear", "unverified"]',
        "destination_tls = false",
    ],
)
@pytest.mark.parametrize("channel", [Channel.SHARE, Channel.USB, Channel.CLAMD])
def test_files_have_no_sender_and_no_recipients(tmp_path: Path, when: str, channel: Channel) -> None:
    assert not matches(tmp_path, when, a_file(channel))


def test_a_server_that_asks_about_a_message_has_its_recipients(tmp_path: Path) -> None:
    assert matches(tmp_path, 'channel = "clamd", recipients = "external"', a_mail(channel=Channel.CLAMD))


@pytest.mark.parametrize(
    ("sender", "by", "holds"),
    [
        ('"li.wei@example.com"', "LI.WEI@example.com", True),
        ('["x@y.example", "example.com"]', "li.wei@example.com", True),
        ('"internal"', "li.wei@example.com", True),
        ('"internal"', "", True),
        ('"external"', "", False),
        ('"external"', "a@other.example", True),
        ('"partner"', "a@lab.example", True),
        ('{ role = "custodian" }', "li.wei@example.com", True),
        ('{ role = ["president", "manager"] }', "li.wei@example.com", True),
        ('{ role = "custodian" }', "new@example.com", False),
        ('{ role = "custodian" }', "", False),
        ('{ not_role = "custodian" }', "li.wei@example.com", False),
        ('{ not_role = ["president", "custodian"] }', "li.wei@example.com", False),
        ('{ not_role = "president" }', "li.wei@example.com", True),
        ('{ not_role = "custodian" }', "unknown@example.com", True),
        ('{ not_role = "custodian" }', "", True),
        ('{ department = "research" }', "li.wei@example.com", True),
        ('{ department = "research" }', "new@example.com", False),
        ('{ status = ["probation", "intern"] }', "new@example.com", True),
        ('{ status = "staff" }', "unknown@example.com", False),
        ('{ address = "example.com", status = "probation" }', "new@example.com", True),
        ('{ address = "other.example", status = "probation" }', "new@example.com", False),
    ],
)
def test_sender(tmp_path: Path, sender: str, by: str, holds: bool) -> None:
    assert matches(tmp_path, f"sender = {sender}", a_mail(sender=by)) is holds


@pytest.mark.parametrize(
    ("when", "item", "holds"),
    [
        ('user = "alice"', a_file(owner="alice"), True),
        ('user = ["bob", "al*"]', a_file(owner="alice"), True),
        ('user = "Alice"', a_file(owner="alice"), False),
        ('user = "alice"', a_mail(user="alice"), True),
        ('user = "*"', a_mail(user=None), False),
        ('device = "SER1"', a_file(device="SER1"), True),
        ('device = ["X*", "SER?"]', a_file(device="SER1"), True),
        ('device = "SER"', a_file(device="SER1"), False),
        ('device = "*"', a_mail(), False),
        ('path = "/media/*.txt"', a_file(path="/media/a/b/c.txt"), True),
        ('path = ["/x/*", "/媒体/*"]', a_file(path="/媒体/a"), True),
        ('path = "*.txt"', a_file(path="/media/a.TXT"), False),
        ('path = "*"', a_file(path="/media/\udcff"), True),
        ('path = "*"', a_mail(), False),
        ("size = 100", a_file(size=100), True),
        ("size = 100", a_file(size=99), False),
        ('size = ">100"', a_file(size=100), False),
        ('size = "<=100"', a_file(size=100), True),
        ('size = "<100"', a_file(size=100), False),
        ('size = "=100"', a_file(size=100), True),
        ('size = "100"', a_file(size=101), False),
        ('size = ">=100"', a_mail(), True),
    ],
)
def test_where_it_stands(tmp_path: Path, when: str, item: Item, holds: bool) -> None:
    assert matches(tmp_path, when, item) is holds


# NOON is Wednesday, 4 March 2026, 12:00 in Shanghai (04:00 UTC); March 6 is a Friday.
@pytest.mark.parametrize(
    ("table", "arrived", "holds"),
    [
        ('days = ["wed"]', NOON, True),
        ('days = "wed"', NOON, True),
        ('days = ["sat", "sun"]', NOON, False),
        ('days = ["thu"]', datetime(2026, 3, 4, 16, 0, tzinfo=UTC), True),
        ('from = "12:00"', NOON, True),
        ('from = "12:01"', NOON, False),
        ("from = 12:00:00", NOON, True),
        ('to = "12:00"', NOON, False),
        ('to = "12:01"', NOON, True),
        ('from = "09:00", to = "18:00"', NOON, True),
        ('from = "18:00", to = "08:00"', NOON, False),
        ('from = "18:00", to = "08:00"', datetime(2026, 3, 4, 10, 0, tzinfo=UTC), True),
        ('from = "18:00", to = "08:00"', datetime(2026, 3, 4, 23, 59, tzinfo=UTC), True),
        ('from = "18:00", to = "08:00"', datetime(2026, 3, 5, 0, 0, tzinfo=UTC), False),
        ('days = ["fri"], from = "18:00", to = "08:00"', datetime(2026, 3, 6, 23, 0, tzinfo=UTC), True),
        ('days = ["fri"], from = "18:00", to = "08:00"', datetime(2026, 3, 5, 23, 0, tzinfo=UTC), False),
        ('days = ["sun"], from = "18:00", to = "08:00"', datetime(2026, 3, 8, 23, 0, tzinfo=UTC), True),
        ('from = "18:00", to = "00:00"', datetime(2026, 3, 4, 15, 59, tzinfo=UTC), True),
        ('from = "18:00", to = "00:00"', datetime(2026, 3, 4, 16, 0, tzinfo=UTC), False),
    ],
)
def test_time(tmp_path: Path, table: str, arrived: datetime, holds: bool) -> None:
    assert matches(tmp_path, f"time = {{ {table} }}", a_mail(arrived=arrived)) is holds


@pytest.mark.parametrize(
    ("when", "item", "inspection", "reason"),
    [
        ("", a_mail(), found(), "always"),
        (
            'level = ">=confidential", recipients = "external"',
            a_mail(),
            found(f("secret"), f("confidential")),
            "level secret (>=confidential), recipient external",
        ),
        (
            'channel = "usb", category = ["bids", "contracts"], confidence = 5, count = 2, zone = "body", device = "S*"',
            a_file(),
            found(f(category="contracts"), f(category="bids", confidence=7, count=3)),
            "channel usb, category bids, contracts, zone body, confidence 100 (>=5), count 4 (>=2), device S*",
        ),
        (
            'signature = "*", unscannable = true',
            a_mail(),
            found(*(f(signature=name) for name in "edcba"), unread=[Why.TIMEOUT, Why.CORRUPT, Why.TIMEOUT]),
            "signature a, b, c and 2 more, unscannable: corrupt, timeout",
        ),
        (
            'sender = { not_role = "president", department = "research", role = "custodian", status = "staff" }, user = "w*"',
            a_mail(user="wei"),
            found(),
            "sender has role custodian, sender without role president, sender of research, sender status staff, user w*",
        ),
        (
            'transport = ["unverified", "clear"], destination_tls = false',
            a_mail(transport=Transport.UNKNOWN),
            found(),
            "transport unknown, destination without TLS",
        ),
        (
            'path = "/media/*", size = "<200", time = { days = ["wed"] }',
            a_file(),
            found(),
            "path /media/*, size 100 (<200), arrived wed 12:00",
        ),
    ],
)
def test_the_reason_is_the_rules_own_words_and_ids(
    tmp_path: Path, when: str, item: Item, inspection: Inspection, reason: str
) -> None:
    assert asked(tmp_path, when).decide(item, inspection).reasons == (f'rule "r": {reason}',)


def test_no_reason_carries_an_address_or_a_path_of_the_item(tmp_path: Path) -> None:
    everything = (
        'recipients = ["external", "*.example"], sender = { address = "*@example.com", not_role = "president" }, user = "*",'
        ' signature = "*"'
    )
    item = a_mail("canary1@x.example", sender="canary2@example.com", user="canary3")
    (reason,) = asked(tmp_path, everything).decide(item, found(f("secret", excerpt="canary4", facts={"a": "canary5"}))).reasons
    assert "canary" not in reason
    (reason,) = (
        asked(tmp_path, 'path = "*", device = "*", user = "*"')
        .decide(a_file(path="/canary6", device="canary7", owner="canary8"), found())
        .reasons
    )
    assert "canary" not in reason
