"""The two kinds of notices: who is told what, and that no value can be more than text."""

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.errors import ConfigError
from dlp.metrics import Metrics
from dlp.model import Action, Channel, Envelope, FileOrigin, Finding, Mode, Unscannable, Verdict, Why
from dlp.notify.events import ocsf
from dlp.notify.letters import LISTED, Letters
from dlp.notify.mail import MailNotices
from dlp.notify.notices import Words
from dlp.notify.templates import KINDS, MANY, ONE, Kind, Template, line_of, load_templates
from dlp.ports import Incident
from tests.policy.builders import CONFIG

NAMES = {"zh": {"internal": "内部", "secret": "机密"}, "en": {"internal": "internal", "secret": "secret"}}
LETTERS = Letters(
    words=Words("zh", NAMES),  # type: ignore[arg-type]
    templates=load_templates(CONFIG / "notices", ("zh", "en")),
    inside=lambda address: address.endswith("@example.com"),
    titles={"zh": {"cn_id": "身份证号码"}, "en": {"cn_id": "Chinese identity number"}},
    organisation="Example",
)
MAIL = Envelope(
    peer="10.0.0.1:5",
    sender="ann@example.com",
    recipients=("bob@example.org", "blind@example.net"),
    user="ann",
    subject="pl************an",
    queue_id="4F2A",
)
INCIDENT = Incident(
    id="inc-1",
    opened=datetime(2026, 1, 2, tzinfo=UTC),
    channel=Channel.MAIL,
    origin=MAIL,
    verdict=Verdict(
        action=Action.QUARANTINE,
        level="secret",
        rules=("rule-one", "rule-two"),
        reasons=("reason-one", "reason-two"),
        approve_by=("head",),
        notify=("sender", "security@example.com", "boss@example.com"),
    ),
    findings=(
        Finding(signature="cn_id", level="secret", count=3, excerpt="11**58"),
        Finding(signature="cn_id", level="internal", count=2, excerpt="22**59"),
        Finding(signature="mark", level="internal", excerpt="33**60"),
        Finding(signature="hushed", level="secret", mode=Mode.SHADOW),
    ),
    unscannable=(Unscannable(why=Why.ENCRYPTED), Unscannable(why=Why.ENCRYPTED)),
    quarantine="q-7",
    state="closed",
    enforced=True,
)


async def sent(incident: Incident, letters: Letters = LETTERS) -> dict[str, EmailMessage]:
    """What goes out for `incident`, by recipient."""
    told: dict[str, EmailMessage] = {}

    async def deliver(sender: str, recipients: Sequence[str], content: bytes) -> None:
        assert sender == ""
        (recipient,) = recipients
        assert recipient not in told
        assert b"\n" not in content.replace(b"\r\n", b"")
        told[recipient] = email.message_from_bytes(content, policy=email.policy.default)  # type: ignore[assignment]

    notices = MailNotices(deliver=deliver, author="dlp@example.com", letters=letters, metrics=Metrics())
    await notices.incident(incident)
    await notices.drain()
    return told


def text_of(message: EmailMessage) -> str:
    text: str = message.get_content()
    return text.replace("\r\n", "\n")


async def test_the_sender_learns_what_he_needs_and_nothing_of_how_it_was_found() -> None:
    message = (await sent(INCIDENT))["ann@example.com"]
    body = text_of(message)
    assert (message["Auto-Submitted"], message["To"], message["From"]) == ("auto-generated", "ann@example.com", "dlp@example.com")
    assert message["Subject"] == "[dlp] 您的邮件：隔离（inc-1）"
    for said in ("事件编号：inc-1", "Incident: inc-1", "主题（已遮盖）：pl************an", "Not delivered to: blind@example.net"):
        assert said in body, said
    assert body.count("bob@example.org") == body.count("blind@example.net") == 2
    assert "held for review" in body
    assert re.search(r"时间：2026-01-0[12] \d\d:00:00 [+-]\d{4}", body)
    for unsaid in ("rule-", "reason-", "mark", "身份证", "identity", "**58", "机密", "secret", "security@"):
        assert unsaid not in body, unsaid


async def test_security_learns_how_it_was_found_and_no_recipient() -> None:
    told = await sent(INCIDENT)
    assert set(told) == {"ann@example.com", "security@example.com", "boss@example.com"}
    message = told["security@example.com"]
    body = text_of(message)
    assert message["Subject"] == "[dlp] 事件 inc-1：隔离"
    for said in (
        "发件人：ann@example.com",
        "Authenticated as: ann\n",
        "From: 10.0.0.1:5",
        "queue id: 4F2A",
        "收件人数：2",
        "发现：身份证号码 · 机密 · 5",
        "Finding: Chinese identity number · secret · 5",
        "Finding: mark · internal · 1",
        "Not read: encrypted",
        "规则：rule-one\n  规则：rule-two",
        "Because: reason-two",
        "Release needs: head",
        'dlp quarantine release q-7 --reason "..."',
        "dlp incidents show inc-1",
        "(carried out)",
    ):
        assert said in body, said
    for unsaid in ("bob@", "blind@", "boss@", "hushed", "**58", "pl***", "File:", "Owner:", "Device:", "$"):
        assert unsaid not in body, unsaid


@pytest.mark.parametrize(
    ("action", "words", "named"),
    [(Action.ALERT, "was sent", False), (Action.QUARANTINE, "is held", True), (Action.BLOCK, "was refused", True)],
)
async def test_the_sender_is_told_whom_his_message_did_not_reach(action: Action, words: str, named: bool) -> None:
    incident = replace(INCIDENT, verdict=replace(INCIDENT.verdict, action=action))
    body = text_of((await sent(incident))["ann@example.com"])
    assert words in body
    assert ("blind@example.net" in body) is named
    assert ("Not delivered" in body) is named


async def test_people_and_machines_are_told_that_the_rest_was_sent() -> None:
    replaced = replace(INCIDENT, verdict=replace(INCIDENT.verdict, replace=True))
    for told, yes in ((await sent(INCIDENT), False), (await sent(replaced), True)):
        assert ("附件已替换为通知" in text_of(told["ann@example.com"])) is yes
        assert ("with a notice in place of" in text_of(told["ann@example.com"])) is yes
        assert ("with a notice for each attachment" in text_of(told["security@example.com"])) is yes
    assert "bob@example.org" not in text_of((await sent(replaced))["ann@example.com"])
    failed = replace(replaced, state="failed")
    assert "not carried out" in text_of((await sent(failed))["security@example.com"])
    events = [ocsf(one)["unmapped"]["attachments_replaced"] for one in (INCIDENT, replaced, failed)]
    assert events == [False, True, False]


async def test_the_security_team_is_told_why_without_the_excerpt() -> None:
    found = (
        Finding(signature="cn_id", count=3, trail=("a.zip\r\nBcc: x",), excerpt="11**58", facts={"checks": "check digit"}),
        Finding(signature="hushed", mode=Mode.SHADOW),
    )
    told = await sent(replace(INCIDENT, findings=found))
    body = text_of(told["security@example.com"])
    assert "依据：身份证号码：在a.zip Bcc: x 的正文；3 处不同的匹配；已核验：校验位；可信度 100。" in body
    assert (
        "Why: Chinese identity number: in a.zip Bcc: x (body); 3 distinct matches; checked: check digit; confidence 100." in body
    )
    assert "11**58" not in body
    assert "hushed" not in body
    assert "check digit" not in text_of(told["ann@example.com"]), "which would teach how to pass"


async def test_of_a_divided_message_those_are_named_who_do_not_get_it() -> None:
    apart = replace(INCIDENT, origin=replace(MAIL, recipients=("blind@example.net",)))
    body = text_of((await sent(apart))["ann@example.com"])
    assert "blind@example.net" in body
    assert "bob@" not in body


@pytest.mark.parametrize(
    ("sender", "user", "state", "told"),
    [
        ("ann@example.com", None, "closed", True),
        ("ann@elsewhere.example", "ann", "closed", True),
        ("forged@elsewhere.example", None, "closed", False),
        ("", None, "closed", False),
        ("", "ann", "closed", False),
        ("ann@example.com", "ann", "failed", False),
    ],
)
async def test_only_a_sender_of_ours_whose_message_was_handled_is_told(
    sender: str, user: str | None, state: str, told: bool
) -> None:
    incident = replace(INCIDENT, origin=replace(MAIL, sender=sender, user=user), state=state)
    out = await sent(incident)
    assert set(out) - {"security@example.com", "boss@example.com"} == ({sender} if told else set())
    assert "security@example.com" in out
    assert ("not carried out" in text_of(out["security@example.com"])) is (state == "failed")


async def test_a_notice_about_a_notice_is_not_sent() -> None:
    ours = replace(MAIL, sender="", user=None, recipients=("Security@example.com",))
    assert await sent(replace(INCIDENT, origin=ours)) == {}
    assert set(await sent(replace(INCIDENT, origin=replace(ours, recipients=("security@example.com", "x@y.example"))))) == {
        "security@example.com",
        "boss@example.com",
    }
    assert "security@example.com" in await sent(replace(INCIDENT, origin=replace(ours, sender="ann@example.com")))


async def test_nobody_to_tell_means_no_mail() -> None:
    assert await sent(replace(INCIDENT, verdict=replace(INCIDENT.verdict, notify=()))) == {}


async def test_a_file_has_its_place_in_the_notice_and_no_sender() -> None:
    file = FileOrigin(path="/srv/a\udcff\nb.txt", volume="/srv", owner="ann", device="8:1", inode=3)
    out = await sent(replace(INCIDENT, origin=file, quarantine=None, channel=Channel.SHARE))
    assert set(out) == {"security@example.com", "boss@example.com"}
    body = text_of(out["boss@example.com"])
    assert "File: /srv/a b.txt\n" in body
    for unsaid in ("Sender", "Recipients", "quarantine release", "Held as"):
        assert unsaid not in body


async def test_an_english_profile_has_english_notices_alone() -> None:
    templates = load_templates(CONFIG / "notices", ("en",))
    letters = replace(LETTERS, words=Words("en", NAMES), templates=templates)  # type: ignore[arg-type]
    for message in (await sent(INCIDENT, letters)).values():
        assert (message["Subject"] + text_of(message)).replace("·", "").isascii()


def test_long_lists_are_cut_and_say_so() -> None:
    many = tuple(f"r{number}@example.org" for number in range(LISTED + 7))
    _, body = LETTERS.letter("sender", replace(INCIDENT, origin=replace(MAIL, recipients=many)))
    assert body.count("Not delivered to: r") == LISTED
    assert "Not delivered to: … and 7 more" in body
    assert "另有 7 项" in body


FIELDS = [
    "Auto-Submitted",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "From",
    "MIME-Version",
    "Message-ID",
    "Subject",
    "To",
]
HOSTILE = [
    "a\r\nBcc: x@y.example",
    "=?utf-8?B?YQ0KQmNjOiB4?=",
    "$rule ${level} $$ $",
    "\u2028\u202e\x00\x85",
    "\udcff",
    "<a@b>,\r\n c@d",
    "x" * 3000,
]
anything = st.text(st.characters(), max_size=80) | st.sampled_from(HOSTILE)


@given(text=anything, other=anything, kind=st.sampled_from(KINDS))
async def test_whatever_a_value_holds_it_is_text_on_its_line(text: str, other: str, kind: Kind) -> None:
    placeholders = [*ONE[kind], *MANY[kind]]
    lines = ("= $incident", *(f"{name}=${name}" for name in placeholders))
    subject = "S $incident " + " ".join(f"${name}" for name in ONE[kind])
    template = Template(kind=kind, subject=subject, lines=lines)
    letters = replace(LETTERS, templates={(kind, "zh"): template, (kind, "en"): template})
    origin = Envelope(peer=other, sender=f"{text}@example.com", recipients=(text, other), user=text, subject=text, queue_id=text)
    told = ("sender",) if kind == "sender" else (other + "@",)
    verdict = replace(INCIDENT.verdict, rules=(text, other), reasons=(other,), approve_by=(text,), notify=told)
    (message,) = (await sent(replace(INCIDENT, origin=origin, verdict=verdict, quarantine=other), letters)).values()
    assert sorted(message.keys()) == FIELDS
    assert not message.defects
    assert message["Subject"].startswith("S inc-1 ")
    for line in text_of(message).split("\n"):
        assert line == "" or line.partition("=")[0] in ["", *placeholders]
        value = line.partition("=")[2]
        assert line_of(value) == " ".join(value.split())


# The files

GOOD = "Subject $incident\n\nText $incident\n"


def folder(tmp_path: Path, **files: str) -> Path:
    """All four files, well formed but for those given by their names with "_" for "."."""
    for name in ("sender_en", "sender_zh", "security_en", "security_zh"):
        (tmp_path / f"{name.replace('_', '.')}.txt").write_text(files.get(name, GOOD), "utf-8")
    return tmp_path


def test_the_shipped_ones_use_every_placeholder_there_is() -> None:
    for kind in KINDS:
        for language in ("zh", "en"):
            text = (CONFIG / "notices" / f"{kind}.{language}.txt").read_text("utf-8")
            missing = {name for name in ONE[kind] | MANY[kind] if f"${name}" not in text}
            assert missing <= {"organisation"}, (kind, language)


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ("S\n\nHello $recipent\n", "line 3", "did you mean $recipient?"),
        ("S\n\nHello $rule\n", "line 3", "unknown placeholder $rule (known here: $action, $advice"),
        ("S $recipient\n\nHello\n", "line 1", "unknown placeholder $recipient"),
        ("S\n\nPay 5 $\n", "line 3", "write $$"),
        ("S\n\n${incident\n", "line 3", "write $$"),
        ("S\n\n${incident.__class__}\n", "line 3", "write $$"),
        ("S\n\n", "", "no subject or no text"),
        ("\nText\n", "", "no subject or no text"),
        ("", "", "is empty"),
    ],
)
def test_a_faulty_file_is_named_with_its_line_and_a_remedy(tmp_path: Path, text: str, key: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_templates(folder(tmp_path, sender_en=text), ("zh", "en"))
    (fault,) = caught.value.faults
    assert (fault.where, fault.key) == (str(tmp_path / "sender.en.txt"), key)
    assert what in str(fault)


def test_two_placeholders_that_repeat_a_line_do_not_share_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 3: has \$rule and \$reason"):
        load_templates(folder(tmp_path, security_zh="S\n\n$rule $reason\n"), ("zh",))


def test_missing_and_unreadable_files_are_all_named_at_once(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "sender.zh.txt").unlink()
    (tmp_path / "security.en.txt").write_bytes("S\n\n密".encode("gb18030"))
    with pytest.raises(ConfigError) as caught:
        load_templates(tmp_path, ("zh", "en"))
    assert [(Path(fault.where).name, fault.what) for fault in caught.value.faults] == [
        ("sender.zh.txt", "no such file"),
        ("security.en.txt", "is not UTF-8"),
    ]
    assert set(load_templates(folder(tmp_path), ("en",))) == {("sender", "en"), ("security", "en")}


def test_a_dollar_sign_a_mark_of_order_and_windows_line_ends(tmp_path: Path) -> None:
    made = load_templates(folder(tmp_path, sender_en="\ufeffS $$5\r\n\r\n${incident}er $$\r\n"), ("en",))["sender", "en"]
    assert made.filled({"incident": ["i"]}) == ("S $5", "ier $\n")
