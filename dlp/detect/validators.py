"""Every validator a signature may name in its meta, in one table."""

from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.content import CONTENT_VALIDATORS
from dlp.detect.content_code import FIRST_OF_BLOCK
from dlp.detect.evidence import Validator
from dlp.detect.identifiers import IDENTIFIER_VALIDATORS, WHOLE_NUMBERS
from dlp.detect.identifiers_things import THING_VALIDATORS
from dlp.detect.identifiers_travel import TRAVEL_VALIDATORS
from dlp.detect.markings import MARKING_VALIDATORS
from dlp.detect.secrets import SECRET_VALIDATORS
from dlp.detect.secrets_lines import LINE_VALIDATORS

VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        **IDENTIFIER_VALIDATORS,
        **TRAVEL_VALIDATORS,
        **THING_VALIDATORS,
        **SECRET_VALIDATORS,
        **LINE_VALIDATORS,
        **MARKING_VALIDATORS,
        **CONTENT_VALIDATORS,
    }
)
"""Name to validator."""

__all__ = ["FIRST_OF_BLOCK", "VALIDATORS", "WHOLE_NUMBERS"]
