"""What is not wrong but is worth a warning from `dlp check`."""

from collections.abc import Collection
from fnmatch import fnmatchcase

from dlp.policy.conditions import FindingsAre
from dlp.policy.policy import Policy
from dlp.policy.profiles import Profile


def unlisted(profile: Profile, categories: Collection[str]) -> tuple[str, ...]:
    """Those of `categories` (which signatures name) that the profile does not list: they get its `unlisted` level."""
    return tuple(sorted(set(categories) - set(profile.categories)))


def unmatched(policy: Policy, signatures: Collection[str]) -> tuple[str, ...]:
    """The names and patterns in `signature` conditions that none of `signatures` meets."""
    asked = {
        glob
        for rule in policy.rules
        for condition in rule.conditions
        if isinstance(condition, FindingsAre)
        for glob in condition.signatures or ()
    }
    return tuple(sorted(glob for glob in asked if not any(fnmatchcase(name, glob) for name in signatures)))


def vacant(policy: Policy) -> tuple[str, ...]:
    """The roles in `approve_by` that nobody holds: what waits for them alone cannot be released."""
    named = {role for rule in policy.rules for role in rule.approve_by}
    return tuple(sorted(role for role in named if not policy.people.holders(role)))
