"""What the tests of the policy are made of: items without content, findings, and a policy from a few lines of TOML."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from dlp.blob import Blob
from dlp.model import Channel, Envelope, FileOrigin, Finding, Inspection, Item, Transport, Unscannable, Why
from dlp.policy.organisation import Organisation
from dlp.policy.partners import Partners
from dlp.policy.people import People
from dlp.policy.policy import Policy, load_policy
from dlp.policy.profiles import Profile, load_profile

CONFIG = Path(__file__).parents[2] / "config"
SHIPPED = ("cn-enterprise", "cn-trade-secret", "cn-data", "international")
SHANGHAI = timezone(timedelta(hours=8))
NOON = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
"""A Wednesday; 12:00 in Shanghai."""


def a_profile(name: str = "cn-enterprise") -> Profile:
    return load_profile(name, CONFIG / "profiles")


def a_mail(
    *recipients: str,
    sender: str = "li.wei@example.com",
    user: str | None = None,
    arrived: datetime = NOON,
    channel: Channel = Channel.MAIL,
    transport: Transport = Transport.UNKNOWN,
) -> Item:
    origin = Envelope(
        peer="192.0.2.1:1234", sender=sender, recipients=recipients or ("bob@example.org",), user=user, transport=transport
    )
    return Item(id="1", channel=channel, origin=origin, blob=a_blob(), arrived=arrived)


def a_file(
    channel: Channel = Channel.USB,
    *,
    path: str = "/media/x/a.txt",
    owner: str = "alice",
    device: str = "SER1",
    size: int = 100,
    arrived: datetime = NOON,
) -> Item:
    origin = FileOrigin(path=path, volume="/media/x", owner=owner, device=device, inode=7)
    return Item(id="2", channel=channel, origin=origin, blob=a_blob(size), arrived=arrived)


def a_blob(size: int = 100) -> Blob:
    """Content that no policy ever opens."""
    return Blob(-1, "0" * 64, size)


def found(*findings: Finding, unread: Sequence[Why] = ()) -> Inspection:
    return Inspection(findings=findings, unscannable=tuple(Unscannable(why=why) for why in unread))


def a_policy(
    path: Path,
    rules: str,
    *,
    profile: str = "cn-enterprise",
    domains: tuple[str, ...] = ("example.com",),
    people: People | None = None,
    partners: Partners | None = None,
) -> Policy:
    """The policy of the TOML `rules`, which is written under the folder `path`."""
    written = path / "policy.toml"
    written.write_text(rules, "utf-8")
    return load_policy(
        written,
        profile=a_profile(profile),
        organisation=Organisation(domains=domains),
        people=people or People(),
        partners=partners or Partners(),
        zone=SHANGHAI,
    )


def a_rule(when: str, then: str = "block", name: str = "r", more: str = "") -> str:
    return f'[[rule]]\nname = "{name}"\nwhen = {{ {when} }}\nthen = "{then}"\n{more}\n'
