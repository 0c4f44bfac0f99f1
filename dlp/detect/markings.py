"""Classification markings, judged by where they stand: validators for `signatures/markings.yar`.

A word such as 机密 says nothing by itself: laws, lessons and disclaimers are full of it. A mark is told by its
form (★ with a term, a field, a banner by itself), its place (header, watermark, subject, top of the first
page) and what stands beside it. Each counts points from `dlp.detect.markings_table`, each reason to doubt
takes some away, and a candidate is confirmed at THRESHOLD.
"""

from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.evidence import Validator
from dlp.detect.markings_english import english, portion, tlp
from dlp.detect.markings_field import field, sensitivity_label
from dlp.detect.markings_han import banner, state_secret, trade_secret

MARKING_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        "state_secret_mark": state_secret,
        "banner_mark": banner,
        "trade_secret_mark": trade_secret,
        "field_mark": field,
        "english_mark": english,
        "portion_mark": portion,
        "tlp_mark": tlp,
        "sensitivity_label": sensitivity_label,
    }
)
"""Validators by the name that a signature's meta gives."""
