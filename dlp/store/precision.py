"""How right the signatures have been: what reviewers said of incidents, counted by signature.

A finding was looked at if its incident is confirmed or a false positive. It was a false alarm if it bears the mark, which
`dlp incidents close` sets for all signatures of an incident or for some; a finding of an incident that was reviewed as a whole
before there were marks counts as the incident does. What became of "other" tells nothing of a signature.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from dlp.model import Finding
from dlp.ports import Incident

MARK = "review"
FALSE_POSITIVE = "false-positive"


@dataclass(frozen=True, slots=True)
class Tally:
    """One signature's findings: all, those looked at, those that were false alarms."""

    findings: int = 0
    reviewed: int = 0
    false: int = 0

    @property
    def precision(self) -> float | None:
        """The share of what was looked at that was right, 0 to 1; None where nothing was."""
        return (self.reviewed - self.false) / self.reviewed if self.reviewed else None


def reviewed_findings(findings: Sequence[Finding], false: Collection[str]) -> tuple[Finding, ...]:
    """The findings, those of the signatures in `false` marked as false alarms and the others not."""
    return tuple(replace(finding, facts=_marked(finding, false=finding.signature in false)) for finding in findings)


def tallies(incidents: Iterable[Incident]) -> dict[str, Tally]:
    """By name, for every signature that found anything."""
    counted: dict[str, Tally] = {}
    for incident in incidents:
        looked = incident.review in ("confirmed", FALSE_POSITIVE)
        unmarked = not any(MARK in finding.facts for finding in incident.findings)
        for finding in incident.findings:
            wrong = finding.facts.get(MARK) == FALSE_POSITIVE or (unmarked and incident.review == FALSE_POSITIVE)
            known = counted.get(finding.signature, Tally())
            counted[finding.signature] = Tally(known.findings + 1, known.reviewed + looked, known.false + (looked and wrong))
    return counted


def _marked(finding: Finding, *, false: bool) -> dict[str, str]:
    rest = {name: value for name, value in finding.facts.items() if name != MARK}
    return rest | ({MARK: FALSE_POSITIVE} if false else {})
