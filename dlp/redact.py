"""The one door from content to anything printed or stored.

Nothing of an item's text reaches a log, metric, incident, notice or database but through `mask` or
`fingerprint`.
"""

import hashlib
import hmac

MASK = "*"
KEPT = 2
"""Characters left readable at each end of a long value."""
LONGEST = 24
"""Characters of a masked value at the most; a longer one is shortened in its middle."""
_WHOLE = 8
"""A value shorter than this keeps nothing."""


def mask(text: str) -> str:
    """`text` with all but the first and last two characters starred, at most 24 characters long.

    A value of fewer than eight characters is starred whole; the number of stars tells its length up
    to the limit. White space is folded, so the result is one line.

    >>> mask("110101199003077758")
    '11**************58'
    """
    value = " ".join(text.split())
    if len(value) < _WHOLE:
        return MASK * len(value)
    stars = min(len(value), LONGEST) - 2 * KEPT
    return f"{value[:KEPT]}{MASK * stars}{value[-KEPT:]}"


def fingerprint(text: str, key: bytes) -> str:
    """A keyed digest (HMAC-SHA256, RFC 2104, first 16 hex digits): equal texts compare equal, none is readable back."""
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]
