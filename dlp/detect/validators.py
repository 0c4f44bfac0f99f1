"""Every validator a signature may name in its meta."""

from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.content import CONTENT_VALIDATORS
from dlp.detect.content_code import FIRST_OF_BLOCK
from dlp.detect.evidence import Validator
from dlp.detect.identifiers import IDENTIFIER_VALIDATORS, WHOLE_NUMBERS
from dlp.detect.identifiers_things import THING_VALIDATORS
from dlp.detect.identifiers_travel import TRAVEL_VALIDATORS
from dlp.detect.markings import MARKING_VALIDATORS, marking_validators
from dlp.detect.markings_patterns import Markings
from dlp.detect.secrets import SECRET_VALIDATORS
from dlp.detect.secrets_lines import LINE_VALIDATORS

VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        **IDENTIFIER_VALIDATORS,
        **TRAVEL_VALIDATORS,
        **THING_VALIDATORS,
        **SECRET_VALIDATORS,
        **LINE_VALIDATORS,
        **CONTENT_VALIDATORS,
    }
)
"""Name to validator, of those that need nothing but the candidate."""

NAMES = (*VALIDATORS, *MARKING_VALIDATORS)
"""All that a meta may name."""


def validators(marks: Markings | None) -> Mapping[str, Validator]:
    """Name to validator; those of markings only where there are tables to judge them by."""
    return VALIDATORS if marks is None else {**VALIDATORS, **marking_validators(marks)}


__all__ = ["FIRST_OF_BLOCK", "MARKING_VALIDATORS", "NAMES", "VALIDATORS", "WHOLE_NUMBERS", "validators"]
