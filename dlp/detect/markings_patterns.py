"""The tables of `markings.toml`, compiled once when the signatures load.

All loops in the patterns are possessive, and a word of the tables matches a bounded text: a line of the document can
never make one backtrack.
"""

import re
from collections.abc import Mapping

from dlp.detect.markings_notation import alternatives
from dlp.detect.markings_table import Tables
from dlp.detect.markings_term import DATE, DURATION

STARS, WEAK_STARS = "★☆⭐✩✪✭✮", "*·•▲△◆※"
TICKED, UNTICKED = "☑☒✓✔√■●⦿◉⊠▣✅", "□☐○◯▢〇"
"""Boxes of a form."""
DECORATION = r"[\s\[\]【】『』()《》〖〗〔〕{}★☆*※=—–―_~|│·•▲◆■●:;,、。.!#+<>/\\-]"
OPEN, CLOSE = "[【(（〖〔{［<〈", "]】)）〗〕}］>〉"
QUOTES = "\"'“”‘’「」『』`"

_LOWEST = ("公开", "public", "非密", "非涉密", "一般", "无", "unclassified", "official")
"""Values of a field that state no level of ours."""
_ANY_STAR = re.escape(STARS + WEAK_STARS)
_BOX = rf"[{TICKED}{UNTICKED}]|\[[ x√✓]?\]|\((?: |x|√|✓)?\)"


class Markings:
    """Levels, points and patterns. Immutable once made, and shared by the scans of forked children.

    `term` matches how long a mark binds, directly after it, in a group of this name; the zones `telling` suffice for
    a mark by itself; `longer` are the words of marks that hold another one.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.levels: Mapping[str, str] = tables.levels
        self.points, self.evidence, self.doubts, self.zones = tables.points, tables.evidence, tables.doubts, tables.zones
        self.threshold = tables.points["threshold"]
        self.telling = frozenset(zone for zone, points in tables.zones.items() if points >= self.threshold)
        self.words = tuple(sorted((word for word in tables.levels if len(word) > 1), key=len, reverse=True))
        self.longer: Mapping[str, tuple[str, ...]] = {
            word: tuple(other for other in self.words if word in other and word != other) for word in self.words
        }
        self._common()
        self._chinese()
        self._english()
        self._fields()

    def _of(self, name: str) -> str:
        """The words of a list as one pattern; one that matches nothing where all were taken away."""
        words = self.tables.words[name]
        return alternatives(words) if words else r"(?!)"

    def _common(self) -> None:
        bound = rf"{DATE}|{DURATION}|(?:{self._of('unlimited')})|(?:{self._of('events')})[之以]?[前后]"
        lead = r"(?:保密期限|期限|解密时间|解密日期|解密条件)?(?:为|至)?[:：]?[(\[〔【《]?"
        self.unlimited = re.compile(self._of("unlimited"))
        self._term = rf"{lead}(?:{bound})"
        self.term = re.compile(rf"{lead}(?P<term>{bound})")
        self.term_line = re.compile(rf"\W*(?:保密期限|期限|解密时间|解密日期|解密条件)(?:为|至)?\W*(?P<term>{bound})")
        self.other_field = rf"(?:{self._of('fields')})[:.]?\w{{0,20}}+"
        self.policy = re.compile(self._of("policy"))
        self.policy_title = re.compile(rf"(?:{self._of('policy-titles')})(?:\W|$)|第[一1]条|第[一1]章")
        self.fiction = re.compile(self._of("fiction"))
        self.handling = re.compile(
            self._of("handling")
            + r"|do not (?:copy|distribute|forward|share|disclose)|not for (?:public|external|distribution|release)"
        )
        self.declassified = re.compile(rf"(?<![a-z])(?:{self._of('declassified')})(?!\w)")
        self.wrapped_above = re.compile(rf"(?:{self._of('wrapped-above')})$")
        self.wrapped_below = re.compile(self._of("wrapped-below"))
        self.stated = re.compile(rf"(?:\W|^)(?:{self._of('stated')})\W*$")

    def _chinese(self) -> None:
        latin = "|".join(re.escape(word) for word in self.words if word.isascii() and len(word) > 2)
        latin = rf"(?<![a-z])(?:(?:strictly|highly|company|private|and|&) ?|(?:{latin})(?![a-z]))"
        kinds, owner = self._of("kinds"), rf"[\w&]{{0,24}}(?:{self._of('owners')})"
        self.owner_before = re.compile(rf"{owner}{DECORATION}*+$")
        self.kind_after = re.compile(rf"级?(?:{kinds})")
        self.named_kinds = self.tables.words["kinds"]
        self.after = re.compile(
            rf"级?(?:{kinds}){{0,2}}+(?:{DECORATION}|(?:{self._of('handling')})|(?:{self._term})|{latin}|{self.other_field}|\d{{1,8}})*+"
        )
        self.before = re.compile(rf"(?:{DECORATION}|{latin}|{self.other_field}|\d{{1,8}})*+(?:{owner})?{DECORATION}*+")
        self.term_after = re.compile(rf"级?(?:{kinds})?[{_ANY_STAR}\s]*{self.term.pattern}")
        self.examination = re.compile(rf"[{_ANY_STAR}\s(]*(?:{self._of('examination')})")
        self.denied = re.compile(rf"(?:{self._of('denied')})$")

    def _english(self) -> None:
        controls = self._of("controls")
        han = "|".join(re.escape(word) for word in self.words if not word.isascii())
        han = rf"(?:{han})级?(?:{self._of('kinds')})?"
        self.english_before = re.compile(rf"(?:{DECORATION}|{han}|(?<!\w)(?:{self._of('english-before')})(?!\w))*+")
        self.english_after = re.compile(rf"(?:{DECORATION}|{han}|(?<!\w)(?:{self._of('english-after')})(?!\w))*+")
        self.english_verbs = re.compile(rf"(?<!\w)(?:{self._of('english-verbs')})(?!\w)")
        self.disclaimer = re.compile(self._of("disclaimer"))
        self.control = re.compile(rf"\s*//\s*(?:{controls})(?![a-z])")
        self.portion = re.compile(rf"\((?P<level>ts|s|c|cui)(?://(?:{controls})(?![a-z])|\))")

    def _fields(self) -> None:
        words = (*(word for word in self.words if len(word) > 2 or not word.isascii()), *_LOWEST)
        values = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
        self.field = re.compile(
            rf"[】\])]?[:\s|=为]*[\[【(<\"]?(?:(?:strictly|highly|company|most) )?(?P<level>{values})"
            rf"(?P<star>[{STARS}]?)级?(?:文件|资料)?(?![a-z])"
        )
        self.field_tail = re.compile(rf"(?:{DECORATION}|(?:{self._term})|{self.other_field}|\w{{2,8}}+:[\w./-]{{0,30}}+)*+")
        self.field_term = re.compile(rf"[★☆*· ]*{self.term.pattern}")
        self.box = re.compile(_BOX)
        self.box_opens = re.compile(rf"[:\s|]*(?:{_BOX})")
        self.box_first = re.compile(rf"(?P<box>{_BOX})\s*(?P<level>{values})")
        self.box_last = re.compile(rf"(?P<level>{values})级?\s*(?P<box>{_BOX})")
        self.ticked = re.compile(rf"[{TICKED}]|\[[x√✓]\]|\((?:x|√|✓)\)")
        self.label = re.compile(
            rf"[\s:=\"'>]*(?:[\w ]{{0,20}}[\\/-] ?)?(?:(?:strictly|highly|company|most) )?(?P<level>{values})(?![a-z])"
        )
