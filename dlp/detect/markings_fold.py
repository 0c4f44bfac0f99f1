"""The form in which the words of markings are written, and in which a mark's surroundings are compared with them."""

import re

from dlp.detect.han import narrow, simplified

_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f]"  # combining marks, variation selectors
)
_CHINESE_SPACE = re.compile(r"(?<=[\u3000-\u9fff★☆]) +| +(?=[\u3000-\u9fff★☆])")


def fold(text: str) -> str:
    """`text` in the form the tables are written in: NFKC, lower case, simplified, nothing invisible, no space beside Chinese."""
    if text.isascii():
        return text.lower()
    folded = simplified(narrow(_INVISIBLE.sub("", text)).lower())
    return _CHINESE_SPACE.sub("", folded) if " " in folded else folded
