"""Every fault of policy.toml is found at load, all of them at once, each with its key and a remedy."""

from pathlib import Path

import pytest

from dlp.errors import ConfigError, Fault
from dlp.model import Action
from dlp.policy.people import People, Person
from tests.policy.builders import a_policy, a_rule

PEOPLE = People.of(
    [Person(address="li@example.com", roles=("head",), department="law"), Person(address="wu@example.com", roles=("head",))],
    roles=["head", "president"],
)


def faults(tmp_path: Path, text: str, profile: str = "cn-enterprise") -> list[Fault]:
    with pytest.raises(ConfigError) as caught:
        a_policy(tmp_path, text, people=PEOPLE, profile=profile)
    assert all(fault.where == str(tmp_path / "policy.toml") for fault in caught.value.faults)
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("when", "key", "what"),
    [
        ('chanel = "mail"', "chanel", "unknown key (did you mean 'channel'?)"),
        ('channel = "fax"', "channel.0", "'clamd'"),
        ("channel = []", "channel", "empty list"),
        ("channel = 3", "channel", "valid array"),
        ('level = ">=secrett"', "level", "unknown level of the profile cn-enterprise 'secrett' (did you mean 'secret'?"),
        ('level = "=>secret"', "level", "unknown level"),
        ('level = "at least secret"', "level", "no comparison"),
        ('level = ["secret", "x"]', "level", "unknown level"),
        ('level = ">top-secret"', "level", "no level of the profile cn-enterprise is >top-secret"),
        ("level = []", "level", "empty list"),
        ('category = "contract"', "category", "unknown category of the profile 'contract' (did you mean 'contracts'?"),
        ('category = "zzz"', "category", "known: audit-reports, bids"),
        ("signature = []", "signature", "empty list"),
        ('zone = "margin"', "zone.0", "'header'"),
        ("confidence = 101", "confidence", "0 to 100"),
        ('confidence = ">=50"', "confidence", "valid integer"),
        ("count = 0", "count", "least number"),
        (f'count = ">={"9" * 5000}"', "count", "least number"),
        ('size = ">=５"', "size", "no size in bytes"),
        ("count = true", "count", "valid string"),
        ('count = "<=5"', "count", "an upper bound would let a finding lower the action"),
        ('count = ">=many"', "count", "least number"),
        ("unscannable = false", "unscannable", "valid array"),
        ('unscannable = "locked"', "unscannable.0", "'encrypted'"),
        ("unscannable = []", "unscannable", "empty list"),
        ('recipients = "extern"', "recipients", "external, internal, partner, stranger"),
        ('recipients = "mail*.example.com"', "recipients", "* inside a domain"),
        ("recipients = []", "recipients", "empty list"),
        ('transport = "verified"', "transport.0", "'clear' or 'unverified'"),
        ("transport = []", "transport", "empty list"),
        ("destination_tls = true", "destination_tls", "write destination_tls = false"),
        ('destination_tls = "no"', "destination_tls", "valid boolean"),
        ('sender = "somebody"', "sender.address", "neither an address"),
        ("sender = {}", "sender", "empty table"),
        ("sender = 3", "sender", "object"),
        ('sender = { rle = "head" }', "sender.rle", "did you mean 'role'?"),
        ('sender = { role = "hed" }', "sender.role", "unknown role of people.toml 'hed' (did you mean 'head'?"),
        ('sender = { not_role = "x" }', "sender.not_role", "known: head, president"),
        ('sender = { department = "lav" }', "sender.department", "did you mean 'law'?"),
        ('sender = { status = "retired" }', "sender.status", "known: ex-staff, intern, leaver, probation, staff"),
        ("sender = { role = [] }", "sender.role", "empty list"),
        ("user = []", "user", "empty list"),
        ("device = []", "device", "empty list"),
        ("path = []", "path", "empty list"),
        ('size = "big"', "size", "no size in bytes"),
        ('size = ">=1MB"', "size", "no size in bytes"),
        ("time = {}", "time", "empty table"),
        ('time = { form = "18:00" }', "time.form", "did you mean 'from'?"),
        ('time = { days = ["saturday"] }', "time.days", "unknown day 'saturday'"),
        ("time = { days = [] }", "time.days", "list of days"),
        ("time = { days = 3 }", "time.days", "list of days"),
        ('time = { from = "6pm" }', "time.from", "no time of day"),
        ('time = { to = "24:00" }', "time.to", "no time of day"),
        ("time = { to = 18:00:30 }", "time.to", "no time of day"),
        ('time = { from = "08:00", to = "08:00" }', "time.to", "span is empty"),
    ],
)
def test_a_condition_that_means_nothing(tmp_path: Path, when: str, key: str, what: str) -> None:
    assert [what in str(fault) for fault in faults(tmp_path, a_rule(when)) if fault.key == f"rule.0.when.{key}"] == [True]


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ("", "rule", "is missing"),
        ("rule = []", "rule", "everything would pass"),
        ("rule = 3", "rule", "valid array"),
        ("rule = [3]", "rule.0", "object"),
        (a_rule("", name="a") + a_rule("", name="a"), "rule", "'a' comes twice"),
        (a_rule("", name=" "), "rule.0.name", "is blank"),
        (a_rule("", then="drop"), "rule.0.then", "'quarantine'"),
        ('[[rule]]\nname = "a"\nthen = "block"', "rule.0.when", "is missing"),
        ('[[rule]]\nname = "a"\nwhen = "mail"\nthen = "block"', "rule.0.when", "object"),
        (a_rule("", more='aprove_by = ["head"]'), "rule.0.aprove_by", "did you mean 'approve_by'?"),
        (a_rule("", more='approve_by = ["boss"]'), "rule.0.approve_by", "unknown role of people.toml 'boss'"),
        (a_rule("", then="alert", more='approve_by = ["head"]'), "rule.0.approve_by", "nothing that could be released"),
        (a_rule("", more='notify = ["boss"]'), "rule.0.notify", "known: head, president"),
        (
            a_rule('channel = "mail"', then="alert", more="replace = true"),
            "rule.0.replace",
            "nothing back that could be replaced",
        ),
        (a_rule('channel = ["mail", "usb"]', more="replace = true"), "rule.0.replace", "only messages have attachments"),
        (a_rule("", more="replace = true"), "rule.0.replace", 'say channel = "mail"'),
        (a_rule('channel = "mail"', more='replace = "yes"'), "rule.0.replace", "bool"),
        ("[[rules]]", "rules", "did you mean 'rule'?"),
    ],
)
def test_a_rule_that_means_nothing(tmp_path: Path, text: str, key: str, what: str) -> None:
    assert [what in str(fault) for fault in faults(tmp_path, text) if fault.key == key] == [True]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = a_rule('level = "x", category = "y"', name="a") + a_rule('recipients = ["p", "q"]', name="b", more='notify = "z"')
    keys = [fault.key for fault in faults(tmp_path, text)]
    assert sorted(keys) == [
        "rule.0.when.category",
        "rule.0.when.level",
        "rule.1.notify",
        "rule.1.when.recipients",
        "rule.1.when.recipients",
    ]


def test_a_level_that_a_profile_drops_is_known_by_its_alias_only(tmp_path: Path) -> None:
    (rule,) = a_policy(tmp_path, a_rule('level = "top-secret"'), profile="cn-data").rules
    assert "restricted" in str(rule.conditions)
    (fault,) = faults(tmp_path, a_rule('level = "core"'), profile="cn-data")
    assert "cn-data" in fault.what


@pytest.mark.parametrize(
    ("notify", "who"),
    [
        ('"a@example.com"', ("a@example.com",)),
        ('["sender", "a@example.com"]', ("sender", "a@example.com")),
        ('["head", "wu@example.com"]', ("li@example.com", "wu@example.com")),
        ('"president"', ()),
    ],
)
def test_whom_a_rule_notifies(tmp_path: Path, notify: str, who: tuple[str, ...]) -> None:
    (rule,) = a_policy(tmp_path, a_rule("", more=f"notify = {notify}"), people=PEOPLE).rules
    assert rule.notify == who


def test_the_rule_of_the_design(tmp_path: Path) -> None:
    people = People.of([], roles=["custodian", "department-head"])
    text = """
[[rule]]
name = "classified mail leaves only by its custodian"
when = { channel = "mail", level = ">=confidential", recipients = "external", sender = { not_role = "custodian" } }
then = "quarantine"
approve_by = ["department-head"]
"""
    (rule,) = a_policy(tmp_path, text, people=people).rules
    assert (rule.then, rule.approve_by, len(rule.conditions)) == (Action.QUARANTINE, ("department-head",), 4)
