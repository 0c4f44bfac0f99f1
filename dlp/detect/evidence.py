"""What YARA yields and what a validator answers: the seam between evidence and decision.

YARA finds candidates; a validator, a pure Python function named in a signature's meta, looks at one
candidate in its place and confirms it or not. Validators are listed in `dlp.detect.validators`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dlp.detect.normalise import fold
from dlp.model import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One match of one YARA string, back in the text it came from.

    `text` is the part's original text (for a match on raw bytes, the bytes decoded as Latin-1) and
    `start`/`end` the match in it, in characters; `folded` is what YARA matched: the normalised form (width,
    case, traditional to simplified, no zero-width, no spacing between Chinese characters). `string` is the
    YARA string's identifier without "$". `folded_part` is the part's whole folded text, in which the match begins at
    `folded_start`; empty where nobody has folded it.
    """

    part: Part
    text: str
    start: int
    end: int
    folded: str
    string: str
    folded_part: str = ""
    folded_start: int = 0

    @property
    def match(self) -> str:
        """The match as it stands in the original."""
        return self.text[self.start : self.end]

    def around(self, reach: int = 60) -> tuple[str, str]:
        """Up to `reach` characters before and after the match, original form."""
        return self.text[max(0, self.start - reach) : self.start], self.text[self.end : self.end + reach]

    def folded_around(self, reach: int) -> tuple[str, str]:
        """Up to `reach` characters before and after the match, folded."""
        if self.folded_part:
            start, end = self.folded_start, self.folded_start + len(self.folded)
            return self.folded_part[max(0, start - reach) : start], self.folded_part[end : end + reach]
        before, after = self.around(reach)
        return fold(before).text, fold(after).text


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A candidate confirmed.

    `value` tells distinct matches apart (two spellings of one number share it). `confidence` replaces the
    signature's when given; `level` is stated by the match itself, on the canonical scale; `facts` are short,
    safe to store. What is `void` was a match once (a mark that has been lifted): it is told, and acted on by nobody.
    """

    value: str
    confidence: int | None = None
    level: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    void: bool = False


Validator = Callable[[Candidate], Judgement | None]
