"""Words for people: the notice left in a removed file's place, and the notice sent by mail.

Each is in the profile's language first and in English below it (English alone where that is the
profile's). A notice names the incident and the action; it quotes nothing of the content. The one that is left
on a share says no level either: it would be a marking, and be taken away like the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dlp.model import Action, Envelope, Verdict
from dlp.ports import Incident

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_ACTION = {
    "zh": {Action.ALERT: "放行并告警", Action.QUARANTINE: "隔离", Action.BLOCK: "阻断"},
    "en": {Action.ALERT: "let pass, with an alert", Action.QUARANTINE: "quarantined", Action.BLOCK: "blocked"},
}
_FILE = {
    "zh": "文件“{name}”已由数据防泄漏系统（dlp）移至隔离区，原件完整保存。\n"
    "  处置：{action}\n  事件编号：{incident}\n"
    "如属误判或确需使用，请携事件编号联系本单位保密或安全部门。\n",
    "en": "The file “{name}” was moved to quarantine by the data loss prevention agent (dlp); the original is kept whole.\n"
    "  Action: {action}\n  Incident: {incident}\n"
    "If this is a mistake, or you need the file, contact your security team and name the incident.\n",
}
_SUBJECT = {"zh": "[dlp] 事件 {incident}：{action}", "en": "[dlp] incident {incident}: {action}"}
_MAIL = {
    "zh": "数据防泄漏系统（dlp）处置了一个外发项目。\n"
    "  事件编号：{incident}\n  处置：{action}{state}\n  级别：{level}\n  通道：{channel}\n  来源：{origin}\n  规则：{rules}\n"
    "查看：dlp incidents show {incident}\n",
    "en": "The data loss prevention agent (dlp) acted on an outgoing item.\n"
    "  Incident: {incident}\n  Action: {action}{state}\n  Level: {level}\n  Channel: {channel}\n  Origin: {origin}\n"
    "  Rules: {rules}\nDetails: dlp incidents show {incident}\n",
}
_NO_LEVEL = {"zh": "未定级", "en": "none"}
_FAILED = {"zh": "（未能完成）", "en": " (not carried out)"}


@dataclass(frozen=True, slots=True)
class Words:
    """The texts in one profile's language; `names` gives each level's name in each language."""

    language: Language
    names: Mapping[Language, Mapping[str, str]]

    @property
    def languages(self) -> tuple[Language, ...]:
        return LANGUAGES if self.language == "zh" else ("en",)

    def file_notice(self, verdict: Verdict, incident: str, name: str) -> str:
        """The text of the notice left where the file `name` stood."""
        return "\n".join(
            _FILE[language].format(name=name, action=_ACTION[language][verdict.action], incident=incident)
            for language in self.languages
        )

    def mail_subject(self, incident: Incident) -> str:
        """One line; the incident's id and what was done."""
        language = self.language
        return _SUBJECT[language].format(incident=incident.id, action=_ACTION[language][incident.verdict.action])

    def mail_body(self, incident: Incident) -> str:
        """The text of the notice sent by mail."""
        return "\n".join(
            _MAIL[language].format(
                incident=incident.id,
                action=_ACTION[language][incident.verdict.action],
                state=_FAILED[language] if incident.state == "failed" else "",
                level=self._level(language, incident.verdict.level),
                channel=incident.channel.value,
                origin=_origin(incident),
                rules=", ".join(incident.verdict.rules),
            )
            for language in self.languages
        )

    def _level(self, language: Language, level: str | None) -> str:
        return _NO_LEVEL[language] if level is None else self.names[language].get(level, level)


def _origin(incident: Incident) -> str:
    """Where it came from. Recipients are left out: a blind copy must not be told to the others."""
    origin = incident.origin
    return origin.sender if isinstance(origin, Envelope) else origin.path
