"""Words for people: the notice left in a removed file's place, in the profile's language first and in English below it (English
alone where that is the profile's).

It names the incident and the action; it quotes nothing of the content, and says no level either: that would be a marking, and be
taken away like the file. So does the notice that stands in a message in place of an attachment. What is sent by mail is in
dlp.notify.letters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dlp.model import Action, Verdict

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

ACTION = {
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
_ATTACHMENT = {
    "zh": "此处原有一个附件，已由发件单位的数据防泄漏系统（dlp）按规定截留，未予发送。\n  事件编号：{incident}\n"
    "如需该附件，请与发件人联系；发件人可携事件编号联系本单位安全部门。\n",
    "en": "An attachment stood here. The data loss prevention agent (dlp) of the sender's organisation withheld it by policy.\n"
    "  Incident: {incident}\n"
    "If you need it, ask the sender, who may contact the security team there and name the incident.\n",
}


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
            _FILE[language].format(name=name, action=ACTION[language][verdict.action], incident=incident)
            for language in self.languages
        )

    def attachment_notice(self, incident: str) -> str:
        """The text of the notice that stands in a message in place of an attachment; whoever gets the message reads it."""
        return "\n".join(_ATTACHMENT[language].format(incident=incident) for language in self.languages)
