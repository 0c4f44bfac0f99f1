"""Classification markings, judged by where they stand: validators for `signatures/markings.yar`.

A word such as 机密 says nothing by itself: laws, lessons and disclaimers are full of it. A mark is told by its
form (★ with a term, a field, a banner by itself), its place (header, watermark, subject, top of the first
page) and what stands beside it. Each counts points from `markings.toml`, each reason to doubt takes some away, and
a candidate is confirmed at the threshold there.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.markings_english import english, portion, tlp
from dlp.detect.markings_field import field, sensitivity_label
from dlp.detect.markings_han import banner, state_secret, trade_secret
from dlp.detect.markings_patterns import Markings


def own(marks: Markings, candidate: Candidate) -> Judgement | None:
    """A mark of the organisation's own, in Latin letters or in Chinese."""
    return (english if candidate.folded.isascii() else banner)(marks, candidate)


MARKING_VALIDATORS: Mapping[str, Callable[[Markings, Candidate], Judgement | None]] = MappingProxyType(
    {
        "state_secret_mark": state_secret,
        "banner_mark": banner,
        "trade_secret_mark": trade_secret,
        "field_mark": field,
        "english_mark": english,
        "portion_mark": portion,
        "tlp_mark": tlp,
        "sensitivity_label": sensitivity_label,
        "own_mark": own,
    }
)
"""By the name that a signature's meta gives; each is asked with the tables of `markings.toml`."""


def marking_validators(marks: Markings) -> Mapping[str, Validator]:
    """The same, bound to the tables."""
    return {name: partial(validator, marks) for name, validator in MARKING_VALIDATORS.items()}
