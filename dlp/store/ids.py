"""Names for incidents and for what is held: sortable by time, unique, short enough to read out on the phone."""

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
"""The time now, aware, in UTC."""
Random = Callable[[int], bytes]
"""That many random bytes; os.urandom in the daemon."""

INCIDENT = "inc"
HELD = "q"

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 (https://www.crockford.com/base32.html) in lower case: without i, l, o and u, so that
nothing is misheard or misread; its order is that of ASCII, so that names sort as their numbers do."""
_TIME = 9
"""45 bits of milliseconds since 1970: enough until the year 3084."""
_CHANCE = 4
"""20 random bits: two in one millisecond meet once in a million, and then the primary key refuses the second."""


def new_id(prefix: str, now: datetime, random: Random) -> str:
    """`inc-1jd4k2m9q-7f2k`: the prefix, the time in milliseconds, then chance."""
    milliseconds = round(now.timestamp() * 1000)
    chance = int.from_bytes(random(4), "big") % 32**_CHANCE
    return f"{prefix}-{_base32(milliseconds, _TIME)}-{_base32(chance, _CHANCE)}"


def _base32(number: int, digits: int) -> str:
    return "".join(_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(digits)))
