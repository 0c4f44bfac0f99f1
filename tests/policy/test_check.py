from pathlib import Path

from dlp.policy.check import unlisted, unmatched, vacant
from dlp.policy.people import People, Person
from tests.policy.builders import a_policy, a_profile, a_rule


def test_categories_that_the_profile_does_not_list() -> None:
    assert unlisted(a_profile(), ["contracts", "recipes", "recipes", "menus"]) == ("menus", "recipes")


def test_signatures_that_no_rule_can_mean(tmp_path: Path) -> None:
    policy = a_policy(tmp_path, a_rule('signature = ["cn_*", "iban", "ibn", "zz_*"]') + a_rule("", name="other"))
    assert unmatched(policy, ["cn_id", "iban"]) == ("ibn", "zz_*")


def test_roles_that_nobody_holds(tmp_path: Path) -> None:
    people = People.of([Person(address="a@example.com", roles=("head",))], roles=["head", "president"])
    policy = a_policy(tmp_path, a_rule("", more='approve_by = ["head", "president"]'), people=people)
    assert vacant(policy) == ("president",)
