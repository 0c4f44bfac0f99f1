"""The shipped policy does under every shipped profile what it says aloud, and what design.md says it does."""

from pathlib import Path

import pytest

from dlp.model import Action, Channel, Finding, Item, Why
from dlp.policy.check import vacant
from dlp.policy.organisation import Organisation
from dlp.policy.partners import load_partners
from dlp.policy.people import load_people
from dlp.policy.policy import Policy, load_policy
from tests.policy.builders import CONFIG, SHANGHAI, SHIPPED, a_file, a_mail, a_profile, found

ALLOW, ALERT, QUARANTINE, BLOCK = Action


def load(path: Path, profile: str) -> Policy:
    return load_policy(
        path,
        profile=a_profile(profile),
        organisation=Organisation(domains=("example.com",)),
        people=load_people(CONFIG / "people.toml"),
        partners=load_partners(CONFIG / "partners.toml"),
        zone=SHANGHAI,
    )


@pytest.fixture(params=SHIPPED)
def policy(request: pytest.FixtureRequest) -> Policy:
    return load(CONFIG / "policy.toml", request.param)


OUT, INSIDE, BOTH = a_mail("b@example.org"), a_mail("b@example.com"), a_mail("b@example.com", "c@example.org")
USB, SHARE, CLAMD, SCAN = map(a_file, (Channel.USB, Channel.SHARE, Channel.CLAMD, Channel.SCAN))

TABLE = [
    # level         OUT         INSIDE  BOTH        USB         SHARE       CLAMD       SCAN
    ("public", [ALLOW, ALLOW, ALLOW, ALLOW, ALLOW, ALLOW, ALLOW]),
    ("internal", [ALERT, ALLOW, ALERT, ALERT, ALERT, ALERT, ALERT]),
    ("confidential", [QUARANTINE, ALLOW, QUARANTINE, QUARANTINE, QUARANTINE, QUARANTINE, QUARANTINE]),
    ("secret", [BLOCK, ALERT, BLOCK, BLOCK, QUARANTINE, QUARANTINE, BLOCK]),
    ("top-secret", [BLOCK, ALERT, BLOCK, BLOCK, QUARANTINE, QUARANTINE, BLOCK]),
    ("restricted", [BLOCK, ALERT, BLOCK, BLOCK, QUARANTINE, QUARANTINE, BLOCK]),
]


@pytest.mark.parametrize(("level", "actions"), TABLE)
def test_what_is_found(policy: Policy, level: str, actions: list[Action]) -> None:
    inspection = found(Finding(signature="s", level=level))
    assert [policy.decide(item, inspection).action for item in (OUT, INSIDE, BOTH, USB, SHARE, CLAMD, SCAN)] == actions


@pytest.mark.parametrize("why", Why)
def test_what_could_not_be_read(policy: Policy, why: Why) -> None:
    actions = [policy.decide(item, found(unread=[why])).action for item in (OUT, INSIDE, BOTH, USB, SHARE, CLAMD, SCAN)]
    assert actions == [QUARANTINE, QUARANTINE, QUARANTINE, QUARANTINE, ALERT, ALERT, QUARANTINE]


@pytest.mark.parametrize("item", [OUT, INSIDE, USB, SHARE, CLAMD, SCAN])
def test_what_holds_nothing_passes(policy: Policy, item: Item) -> None:
    assert policy.decide(item, found()).action is ALLOW


@pytest.mark.parametrize(
    ("category", "action"), [("credentials", BLOCK), ("personal-data", QUARANTINE), ("business-registration", ALERT)]
)
def test_categories_go_by_their_level(policy: Policy, category: str, action: Action) -> None:
    assert policy.decide(OUT, found(Finding(signature="s", category=category))).action is action


def test_without_domains_everybody_is_outside() -> None:
    policy = load_policy(
        CONFIG / "policy.toml",
        profile=a_profile(),
        organisation=Organisation(),
        people=load_people(CONFIG / "people.toml"),
        partners=load_partners(CONFIG / "partners.toml"),
    )
    assert policy.decide(INSIDE, found(Finding(signature="s", level="secret"))).action is BLOCK


def test_whoever_keeps_the_quarantine_can_release_everything(policy: Policy) -> None:
    assert not any(rule.approve_by for rule in policy.rules)
    assert vacant(policy) == ()


@pytest.mark.parametrize("profile", SHIPPED)
def test_its_examples_load_with_the_roles_of_the_shipped_people(tmp_path: Path, profile: str) -> None:
    shipped = (CONFIG / "policy.toml").read_text("utf-8")
    examples = shipped[shipped.index("# [[rule]]") :].replace("# [", "[").replace("\n# ", "\n").replace("\n#\n", "\n\n")
    path = tmp_path / "policy.toml"
    path.write_text(shipped[: shipped.index("# [[rule]]")] + examples, "utf-8")
    assert len(load(path, profile).rules) == len(load(CONFIG / "policy.toml", profile).rules) + 8


def test_every_rule_is_explained_in_chinese() -> None:
    lines = (CONFIG / "policy.toml").read_text("utf-8").splitlines()
    assert all(any("一" <= c <= "鿿" for c in line) for line in lines if "[[rule]]" in line)
