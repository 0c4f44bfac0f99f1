"""Chinese numerals, as format codes ask for them ([DBNum1] to [DBNum3]; ECMA-376 part 1, 18.8.31)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Numerals:
    """Ten digits, and the words for ten, a hundred, a thousand, ten thousand and a hundred million."""

    marks: str
    powers: str
    short_ten: bool
    """Whether ten is written without a one before it where it counts days or hours."""

    def digits(self, number: str) -> str:
        """Digit by digit: 2024 is 二〇二四."""
        return number.translate({ord("0") + value: mark for value, mark in enumerate(self.marks)})

    def number(self, number: str) -> str:
        """With the powers of ten: 10203.5 is 一万〇二百〇三.五."""
        sign = "-" if number.startswith("-") else ""
        whole, point, rest = number.removeprefix("-").partition(".")
        return sign + self._whole(whole) + point + self.digits(rest)

    def count(self, number: str) -> str:
        """A day, a month, an hour: 12 is 十二."""
        found = self._whole(number.lstrip("0") or "0")
        return found[1:] if self.short_ten and found[:2] == self.marks[1] + self.powers[0] else found

    def _whole(self, number: str) -> str:
        out = ""
        skipped = False
        for place, digit in enumerate(number):
            left = len(number) - 1 - place
            if digit == "0":
                skipped = bool(out)
            else:
                out += (self.marks[0] if skipped else "") + self.marks[int(digit)] + ("", *self.powers[:3])[left % 4]
                skipped = False
            if left and left % 4 == 0 and number[max(place - 3, 0) : place + 1].strip("0"):
                out += self.powers[3 if left // 4 % 2 else 4]
        return out or self.marks[0]


NUMERALS = {
    "dbnum1": Numerals("〇一二三四五六七八九", "十百千万亿", short_ten=True),
    "dbnum2": Numerals("零壹贰叁肆伍陆柒捌玖", "拾佰仟万亿", short_ten=False),
    "dbnum3": Numerals("０１２３４５６７８９", "十百千万亿", short_ten=False),
}
"""By the word in brackets, in lower case."""
