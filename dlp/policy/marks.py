"""Whether a document bears the mark that its content wants.

A finding is a mark where it says which word the mark is (`facts["mark"]`, dlp.detect); every other finding stands on
the content. Pure, and told to people only: no action hangs on it, since a mark more must not make one milder.
"""

from collections.abc import Iterable

from dlp.model import Finding, Mode
from dlp.policy.profiles import Language, Profile


def is_mark(finding: Finding) -> bool:
    """Whether `finding` is a classification mark of the document rather than something in its content."""
    return "mark" in finding.facts


def borne(profile: Profile, findings: Iterable[Finding], language: Language = "en") -> str | None:
    """A phrase where the enforced findings, graded, show content that no mark states, or only a lower one; else None.

    Content of the lowest level of the scale needs no mark. English has the levels' ids, as reasons do.
    """
    counted = [finding for finding in findings if finding.mode is Mode.ENFORCE]
    content = profile.highest(*(finding.level for finding in counted if not is_mark(finding)))
    mark = profile.highest(*(finding.level for finding in counted if is_mark(finding)))
    if content is None or profile.rank(content) <= max(profile.rank(mark), 0):
        return None
    if language == "zh":
        name = profile.name_of(content, "zh")
        return f"内容达到“{name}”级但未标密" if mark is None else f"所标密级“{profile.name_of(mark, 'zh')}”低于内容的“{name}”级"
    return f"content of level {content} bears no mark" if mark is None else f"mark {mark} below content {content}"
