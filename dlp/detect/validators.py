"""Every validator a signature may name in its meta, in one table."""

from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.evidence import Validator
from dlp.detect.identifiers import IDENTIFIER_VALIDATORS
from dlp.detect.markings import MARKING_VALIDATORS
from dlp.detect.secrets import SECRET_VALIDATORS

VALIDATORS: Mapping[str, Validator] = MappingProxyType({**IDENTIFIER_VALIDATORS, **SECRET_VALIDATORS, **MARKING_VALIDATORS})
"""Name to validator."""
