import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dlp.errors import RelayError
from dlp.metrics import Metrics
from dlp.model import Action, Channel, Envelope, FileOrigin, Finding, Mode, Verdict
from dlp.notify.events import ocsf
from dlp.notify.letters import Letters
from dlp.notify.mail import MailNotices
from dlp.notify.notices import Words
from dlp.notify.templates import load_templates
from dlp.ports import Incident
from tests.policy.builders import CONFIG

WORDS = Words("zh", {"zh": {"secret": "机密"}, "en": {"secret": "secret"}})
LETTERS = Letters(
    words=WORDS,
    templates=load_templates(CONFIG / "notices", WORDS.languages),
    inside=lambda address: address.endswith("@example.com"),
)
MAIL = Envelope(peer="10.0.0.1:5", sender="a@example.com", recipients=("b@example.org", "blind@example.org"))
INCIDENT = Incident(
    id="inc-1",
    opened=datetime(2026, 1, 2, tzinfo=UTC),
    channel=Channel.MAIL,
    origin=MAIL,
    verdict=Verdict(action=Action.BLOCK, level="secret", rules=("r1",), notify=("sender", "security@example.com")),
    findings=(Finding(signature="mark", confidence=90), Finding(signature="cn_id", confidence=100)),
    state="closed",
    enforced=True,
)


def test_the_event_speaks_ocsf() -> None:
    event = ocsf(INCIDENT)
    assert (event["class_uid"], event["type_uid"], event["disposition"], event["severity_id"]) == (2006, 200601, "Blocked", 5)
    assert event["finding_info"] == {"uid": "inc-1", "title": "r1", "types": ["cn_id", "mark"]}
    assert event["confidence_score"] == 100
    assert event["time"] == 1767312000000
    assert ocsf(replace(INCIDENT, state="failed"))["disposition"] == "Error"
    file = FileOrigin(path="/s/x", volume="/s", owner="ann", device="8:1", inode=3)
    assert ocsf(replace(INCIDENT, origin=file))["unmapped"]["origin"]["path"] == "/s/x"


def test_what_is_in_shadow_is_told_apart_in_the_event() -> None:
    hushed = Finding(signature="hushed", confidence=99, mode=Mode.SHADOW)
    event = ocsf(replace(INCIDENT, findings=(Finding(signature="loud", confidence=50), hushed)))
    assert (event["finding_info"]["types"], event["confidence_score"]) == (["loud"], 50)
    assert event["unmapped"]["shadow"] == ["hushed"]


def test_the_file_notice_is_in_both_languages() -> None:
    text = WORDS.file_notice(INCIDENT.verdict, "inc-1", "计划.txt")
    assert "处置：阻断" in text
    assert "Action: blocked" in text
    assert text.count("计划.txt") == text.count("inc-1") == 2
    english = replace(WORDS, language="en").file_notice(INCIDENT.verdict, "inc-1", "plan")
    assert "处置" not in english


def test_the_notice_for_an_attachment_says_whom_to_ask_and_no_level() -> None:
    text = WORDS.attachment_notice("inc-1")
    assert text.count("inc-1") == 2
    assert "请与发件人联系" in text
    assert "ask the sender" in text
    assert not {"机密", "secret", "confidential"} & set(re.findall(r"机密|secret|confidential", text.lower()))
    assert "附件" not in replace(WORDS, language="en").attachment_notice("inc-1")


async def test_a_notice_that_fails_is_counted_and_stops_nothing() -> None:
    async def deliver(sender: str, recipients: Sequence[str], content: bytes) -> None:
        await asyncio.sleep(0)
        raise RelayError("451 4.4.1 later", "refused")

    metrics = Metrics()
    notices = MailNotices(deliver=deliver, author="dlp@example.com", letters=LETTERS, metrics=metrics)
    await notices.incident(INCIDENT)
    await notices.drain()
    assert metrics.registry.get_sample_value("dlp_notice_failures_total", {"way": "mail"}) == 2
