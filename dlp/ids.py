"""Identifiers of items: unique, sorting by time, safe in a file name, a header and a label of a person's notes."""

import secrets
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's Base 32, lower case: no i, l, o, u to misread."""


def new_id(now: datetime) -> str:
    """Milliseconds since 1970 and 40 random bits in Base 32: 10 + 8 characters, sortable as text."""
    return _base32(int(now.timestamp() * 1000), 10) + _base32(secrets.randbits(40), 8)


def _base32(number: int, width: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(width)))
