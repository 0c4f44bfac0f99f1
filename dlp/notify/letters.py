"""What a notice by mail says of an incident: the values of the templates' placeholders, in each language.

The sender's is for him: what became of his message, and which of his own recipients do not get it, blind ones included. It
names no rule and no finding, which would teach how to pass. The one for everybody else names those, and no recipient, since a
blind copy must not be told to others. Neither quotes content.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dlp.explain import sentence
from dlp.model import Action, Envelope, Finding, Mode
from dlp.notify.notices import ACTION, Language, Words
from dlp.notify.templates import Kind, Template
from dlp.ports import Incident

LISTED = 50
"""Values of one placeholder that are listed before it is said how many more there are."""
_MORE = {"zh": "……另有 {count} 项", "en": "… and {count} more"}
_OUTCOME = {
    "zh": {
        Action.ALERT: "您的邮件已经送出；其中有须登记备查的内容。",
        Action.QUARANTINE: "您的邮件已被暂扣，等待审核，没有送达下列收件人。",
        Action.BLOCK: "您的邮件已被阻断，没有送达下列收件人。",
    },
    "en": {
        Action.ALERT: "Your message was sent; something in it is on record.",
        Action.QUARANTINE: "Your message is held for review. It was not delivered to the recipients below.",
        Action.BLOCK: "Your message was refused. It was not delivered to the recipients below.",
    },
}
_REPLACED = {
    "zh": "您的邮件已经送出，但其中的相关附件已替换为通知；原件暂扣，等待审核。",
    "en": "Your message was sent with a notice in place of each attachment concerned. The original is held for review.",
}
_ADVICE = {
    "zh": {
        Action.ALERT: "无需处理。如有疑问，请携事件编号联系本单位保密或安全部门。",
        Action.QUARANTINE: "请勿重复发送。如属误判或确需发送，请携事件编号联系本单位保密或安全部门。",
        Action.BLOCK: "请勿改换方式发送。如属误判或确需发送，请携事件编号联系本单位保密或安全部门。",
    },
    "en": {
        Action.ALERT: "You need not do anything. If you have questions, contact your security team and name the incident.",
        Action.QUARANTINE: "Do not send it again. "
        "If it has to go, or this is a mistake, ask your security team, naming the incident.",
        Action.BLOCK: "Do not send it another way. "
        "If it has to go, or this is a mistake, ask your security team, naming the incident.",
    },
}
_DONE = {"zh": "已执行", "en": "carried out"}
_DONE_REPLACED = {
    "zh": "已执行：相关附件已替换为通知，邮件其余部分已送出",
    "en": "carried out: sent on, with a notice for each attachment concerned",
}
_FAILED = {"zh": "未能完成", "en": "not carried out"}
_NO_LEVEL = {"zh": "未定级", "en": "none"}
_BLANK_LINE = "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """How notices by mail are written. `titles` gives what a signature finds, by language and name; `inside` says whether an
    address is in the organisation, which is called `organisation`."""

    words: Words
    templates: Mapping[tuple[Kind, Language], Template]
    inside: Callable[[str], bool]
    titles: Mapping[Language, Mapping[str, str]] = field(default_factory=dict)
    organisation: str = ""

    def letter(self, kind: Kind, incident: Incident) -> tuple[str, str]:
        """Subject and text: the profile's language first, English below it."""
        values = self._sender if kind == "sender" else self._security
        made = [self.templates[kind, language].filled(values(language, incident)) for language in self.words.languages]
        return made[0][0], _BLANK_LINE.join(text for _, text in made)

    def _common(self, language: Language, incident: Incident) -> dict[str, Sequence[str]]:
        return {
            "incident": [incident.id],
            "action": [ACTION[language][incident.verdict.action]],
            "when": [_when(incident.opened)],
            "organisation": [self.organisation],
        }

    def _sender(self, language: Language, incident: Incident) -> dict[str, Sequence[str]]:
        action = incident.verdict.action
        delivered = action < Action.QUARANTINE or incident.verdict.replace
        mail = incident.origin if isinstance(incident.origin, Envelope) else None
        return {
            **self._common(language, incident),
            "outcome": [_REPLACED[language] if incident.verdict.replace else _OUTCOME[language][action]],
            "advice": [_ADVICE[language][action]],
            "subject": [mail.subject or ""] if mail else [],
            "recipient": _listed(language, mail.recipients if mail and not delivered else ()),
        }

    def _security(self, language: Language, incident: Incident) -> dict[str, Sequence[str]]:
        origin, verdict = incident.origin, incident.verdict
        mail, file = (origin, None) if isinstance(origin, Envelope) else (None, origin)
        return {
            **self._common(language, incident),
            "outcome": [_outcome(language, incident)],
            "level": [self._level(language, verdict.level)],
            "channel": [incident.channel.value],
            "sender": [mail.sender or "<>"] if mail else [],
            "user": [mail.user or ""] if mail else [],
            "peer": [mail.peer] if mail else [],
            "queue_id": [mail.queue_id or ""] if mail else [],
            "recipients": [str(len(mail.recipients))] if mail else [],
            "path": [file.path] if file else [],
            "owner": [file.owner] if file else [],
            "device": [file.device] if file else [],
            "size": [str(incident.size)],
            "quarantine": [incident.quarantine or ""],
            "approvers": [", ".join(verdict.approve_by)],
            "finding": _listed(language, self._findings(language, incident.findings)),
            "why": _listed(language, self._why(language, incident.findings)),
            "unread": sorted({place.why.value for place in incident.unscannable}),
            "rule": _listed(language, verdict.rules),
            "reason": _listed(language, verdict.reasons),
        }

    def _findings(self, language: Language, findings: Sequence[Finding]) -> list[str]:
        """One line a signature: its title, the highest level, how many matches; those that count only in shadow are left out."""
        ranks = list(self.words.names[language])
        by_name: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.mode is Mode.ENFORCE:
                by_name.setdefault(finding.signature, []).append(finding)
        lines = []
        for name, several in by_name.items():
            levels = [one.level for one in several if one.level is not None]
            highest = max(levels, key=lambda level: ranks.index(level) if level in ranks else len(ranks), default=None)
            count = sum(max(one.count, 0) for one in several)
            lines.append(f"{self.titles.get(language, {}).get(name, name)} · {self._level(language, highest)} · {count}")
        return lines

    def _why(self, language: Language, findings: Sequence[Finding]) -> list[str]:
        """A sentence for each finding that acts, without its excerpt."""
        titles = self.titles.get(language, {})
        acting = [one for one in findings if one.mode is Mode.ENFORCE]
        return [sentence(one, titles.get(one.signature, ""), language, excerpt=False) for one in acting]

    def _level(self, language: Language, level: str | None) -> str:
        return _NO_LEVEL[language] if level is None else self.words.names[language].get(level, level)


def _listed(language: Language, values: Sequence[str]) -> list[str]:
    more = [_MORE[language].format(count=len(values) - LISTED)] if len(values) > LISTED else []
    return [*values[:LISTED], *more]


def _when(moment: datetime) -> str:
    """Local time with its offset, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %z}"


def _outcome(language: Language, incident: Incident) -> str:
    if incident.state == "failed":
        return _FAILED[language]
    return (_DONE_REPLACED if incident.verdict.replace else _DONE)[language]
