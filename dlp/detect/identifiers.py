"""Numbers that name a person, a company or an account, confirmed by what they carry themselves: check digit, date,
region, issuer, length.

Each validator takes a candidate whose folded form holds the number, perhaps in groups divided by spaces or hyphens,
and answers with the number without them. A number inside a longer run of digits, a decimal fraction or a word of
letters and digits is none.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.nearness import fills_cell, near
from dlp.detect.normalise import fold, folded_words

_REACH = 300
"""Characters of the original on either side that are folded to look for words; folding may shorten them."""


def digits_of(candidate: Candidate) -> str:
    """The match as it compares, without the spaces and hyphens between its groups."""
    return candidate.folded.replace(" ", "").replace("-", "")


_GLUED_LEFT = re.compile(r"(?:[0-9][A-Za-z]*|[0-9][.-])\Z")
_GLUED_RIGHT = re.compile(r"[A-Za-z0-9]|[.-][0-9]")
_GROUP_LEFT = re.compile(r"[0-9][ -]\Z")
_GROUP_RIGHT = re.compile(r"[ -][0-9]")


def stands_alone(candidate: Candidate) -> bool:
    """Not part of a longer number, fraction or token; a number in groups is not part of a longer row of groups."""
    before, after = candidate.folded_around(20)
    if _GLUED_LEFT.search(before) or _GLUED_RIGHT.match(after):
        return False
    grouped = " " in candidate.folded or "-" in candidate.folded
    return not (grouped and (_GROUP_LEFT.search(before) or _GROUP_RIGHT.match(after)))


def named(candidate: Candidate, words: tuple[str, ...]) -> bool:
    """Whether one of the words stands close by, or heads the column."""
    if candidate.folded_part:
        end = candidate.folded_start + len(candidate.folded)
        return near(words, candidate.folded_part, candidate.folded_start, end)
    head = fold(candidate.text[:_REACH]).text if candidate.start > _REACH else ""
    left, match, right = (
        fold(candidate.text[max(0, candidate.start - _REACH) : candidate.start]).text,
        fold(candidate.match).text,
        fold(candidate.text[candidate.end : candidate.end + _REACH]).text,
    )
    start = len(head) + len(left)
    return near(words, head + left + match + right, start, start + len(match))


# ── 身份证: GB 11643-1999 ──

PROVINCES = frozenset(
    str(code)
    for codes in ((11, 16), (21, 24), (31, 38), (41, 47), (50, 55), (61, 66), (71, 72), (81, 84))
    for code in range(*codes)
)
"""GB/T 2260, with 81, 82 and 83 for the residence permits of Hong Kong, Macao and Taiwan residents."""
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ID_CHECK = "10x98765432"
_ID_WORDS = folded_words("身份证|身份號碼|公民身份|证件号|证号|id card|id no|id number|identity")


def cn_id(candidate: Candidate) -> Judgement | None:
    """A resident identity number: 18 characters (ISO 7064 MOD 11-2), or the old 15 digits beside a word that says so."""
    number = digits_of(candidate)
    if number[:2] not in PROVINCES or not stands_alone(candidate):
        return None
    if len(number) == 18:
        valid = is_date(number[6:14]) and ID_CHECK[weighed(number[:17])] == number[17]
    else:
        valid = len(number) == 15 and is_date("19" + number[6:12]) and named(candidate, _ID_WORDS)
    return Judgement(value=number) if valid else None


def weighed(digits: str) -> int:
    """The weighted sum of 17 digits modulo 11, an index into ID_CHECK (ISO 7064 MOD 11-2)."""
    return sum(int(digit) * weight for digit, weight in zip(digits, _ID_WEIGHTS, strict=True)) % 11


def is_date(digits: str) -> bool:
    """Whether eight digits are a day since 1900."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year >= 1900
    except ValueError:
        return False


# ── 统一社会信用代码: GB 32100-2015; positions 9 to 17 are the organisation code of GB 11714-1997 ──

_CREDIT_ALPHABET = "0123456789abcdefghjklmnpqrtuwxy"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def cn_uscc(candidate: Candidate) -> Judgement | None:
    """A unified social credit code; both its check characters must hold."""
    code = digits_of(candidate)
    if len(code) != 18 or code[2:4] not in PROVINCES | {"10"} or any(letter not in _CREDIT_ALPHABET for letter in code):
        return None
    if _credit_check(code[:17]) != code[17] or _organisation_check(code[8:16]) != code[16]:
        return None
    if touches(candidate.around(1)[0]) or (code.isdigit() and cn_id(candidate) is not None):
        return None
    return Judgement(value=code) if stands_alone(candidate) else None


def _credit_check(body: str) -> str:
    total = sum(_CREDIT_ALPHABET.index(letter) * pow(3, place, 31) for place, letter in enumerate(body))
    return _CREDIT_ALPHABET[-total % 31]


def _organisation_check(body: str) -> str:
    """Letters count from A = 10 in the whole alphabet."""
    total = sum(int(letter, 36) * weight for letter, weight in zip(body, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789x"[-total % 11]


# ── payment cards: ISO/IEC 7812-1 ──

_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (340000, 349999, frozenset({15})),  # American Express
    (370000, 379999, frozenset({15})),
    (352800, 358999, frozenset({16, 17, 18, 19})),  # JCB
    (400000, 499999, frozenset({13, 16, 19})),  # Visa
    (510000, 559999, frozenset({16})),  # Mastercard
    (222100, 272099, frozenset({16})),
    (620000, 629999, frozenset({16, 17, 18, 19})),  # UnionPay
    (810000, 817199, frozenset({16, 17, 18, 19})),  # UnionPay, the range it took up in 2017
    (601100, 601199, frozenset({16, 19})),  # Discover
    (644000, 659999, frozenset({16, 19})),
    (601382, 601382, frozenset({19})),  # Bank of China, before UnionPay
    (955880, 955899, frozenset({16, 19})),  # Industrial and Commercial Bank of China, before UnionPay
)
"""First and last six-digit issuer number of a range, and the lengths in use there."""

_CARD_WORDS = folded_words(
    "卡号|银行卡|信用卡|储蓄卡|借记卡|银行|账号|帐号|账户|帐户|持卡|银联|开户|收款|付款|支付|"
    "card|cards|visa|mastercard|amex|unionpay|jcb|debit|credit|pan|cvv|cvc|cardholder|account|acct|bank"
)
_CARD_GROUPS = re.compile(r"[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1?[0-9]{1,3})?|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5}")


def bank_card(candidate: Candidate) -> Judgement | None:
    """A card number by issuer range, length and Luhn digit, that is written in a card's groups, or named as one, or
    (UnionPay alone, and less sure) fills a cell or line by itself."""
    number = digits_of(candidate)
    if not _issued(number) or not luhn(number) or len(set(number)) == 1 or not stands_alone(candidate):
        return None
    if _CARD_GROUPS.fullmatch(candidate.folded) or named(candidate, _CARD_WORDS):
        return Judgement(value=number)
    alone = number.startswith("62") and fills_cell(candidate.text, candidate.start, candidate.end)
    return Judgement(value=number, confidence=50) if alone else None


def _issued(number: str) -> bool:
    issuer, length = int(number[:6]), len(number)
    return any(first <= issuer <= last and length in lengths for first, last, lengths in _ISSUERS)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


# ── mobile, passport, IBAN, SSN ──


def cn_mobile(candidate: Candidate) -> Judgement | None:
    """Eleven digits of a mobile number (the ministry's numbering plan: 1, then 3 to 9), +86 before it or not; that it
    is named as one nearby is asked by the signature."""
    number = digits_of(candidate).removeprefix("+").removeprefix("00")
    number = number.removeprefix("86") if len(number) == 13 else number
    valid = len(number) == 11 and len(set(number)) > 3 and stands_alone(candidate)
    return Judgement(value=number) if valid else None


_PASSPORT = re.compile(r"(?<![a-z0-9])(?:[eg][0-9]{8}|e[a-hj-np-z][0-9]{7}|[dsph][0-9]{7,8}|[spd]e[0-9]{7})\Z")


def cn_passport(candidate: Candidate) -> Judgement | None:
    """A passport of the People's Republic: E and G ordinary, D diplomatic, S service, P public affairs, H Hong Kong."""
    found = _PASSPORT.search(candidate.folded)
    before, after = candidate.around(1)
    if not found or (touches(after) or (not found.start() and touches(before))):
        return None
    return Judgement(value=found.group()) if len(set(found.group()[-7:])) > 2 else None


@lru_cache(1024)
def touches(letter: str) -> bool:
    """Whether this neighbour of a match is a Latin letter or a digit, so that the match is part of a longer token."""
    folded = fold(letter).text
    return folded.isascii() and folded.isalnum()


_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        "([a-z]{2}):([0-9]{2})",
        "ad:24 ae:23 al:28 at:20 az:28 ba:20 be:16 bg:22 bh:22 bi:27 br:29 by:28 ch:21 cr:22 cy:28 cz:24 de:22 dj:27 dk:18 do:28 "
        "ee:20 eg:29 es:24 fi:18 fk:18 fo:18 fr:27 gb:22 ge:22 gi:23 gl:18 gr:27 gt:28 hn:28 hr:21 hu:28 ie:22 il:23 iq:23 is:26 "
        "it:27 jo:30 kw:30 kz:20 lb:28 lc:32 li:21 lt:20 lu:20 lv:21 ly:25 mc:27 md:24 me:22 mk:19 mn:20 mr:27 mt:31 mu:30 ni:28 "
        "nl:18 no:15 om:23 pk:24 pl:28 ps:29 pt:25 qa:29 ro:24 rs:22 ru:33 sa:24 sc:31 sd:18 se:24 si:19 sk:24 sm:27 so:23 st:25 "
        "sv:28 tl:23 tn:24 tr:26 ua:29 va:22 vg:24 xk:20 ye:30",
    )
}
"""Country to length, from the IBAN registry that SWIFT keeps for ISO 13616."""


def iban(candidate: Candidate) -> Judgement | None:
    """An international bank account number: the country's length and the remainder 1 modulo 97 (ISO 13616, ISO 7064).

    The engine's match may run on into the next words, so the country's length cuts it."""
    number = digits_of(candidate)
    length = _IBAN_LENGTHS.get(number[:2], 0)
    if not length or len(number) < length:
        return None
    run_on, number = number[length:], number[:length]
    if int("".join(str(int(letter, 36)) for letter in number[4:] + number[:4])) % 97 != 1:
        return None
    return Judgement(value=number) if _cut_cleanly(candidate, length, run_on) else None


def _cut_cleanly(candidate: Candidate, length: int, run_on: str) -> bool:
    """The number ends where a group ends, and no letter or digit touches it."""
    before, after = candidate.around(1)
    if touches(before) or (not run_on and touches(after)):
        return False
    taken = 0
    for place, letter in enumerate(candidate.folded):
        taken += letter not in " -"
        if taken == length:
            return not run_on or candidate.folded[place + 1] in " -"
    return False


def us_ssn(candidate: Candidate) -> Judgement | None:
    """A social security number: area not 000, 666 or 9xx, group not 00, serial not 0000 (SSA, 20 CFR 422.103), and
    none of those printed in advertisements."""
    number = digits_of(candidate)[-9:]  # the match may begin with the words that name it
    area, group, serial = number[:3], number[3:5], number[5:]
    valid = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    advertised = number in ("078051120", "219099999", "123456789") or number.startswith("98765432")
    return Judgement(value=number) if valid and not advertised and stands_alone(candidate) else None


IDENTIFIER_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        "cn_id": cn_id,
        "cn_uscc": cn_uscc,
        "bank_card": bank_card,
        "cn_mobile": cn_mobile,
        "cn_passport": cn_passport,
        "iban": iban,
        "us_ssn": us_ssn,
    }
)
"""Validators by the name that a signature's meta gives."""

WHOLE_NUMBERS = frozenset({"cn_id", "cn_uscc", "bank_card", "cn_mobile", "us_ssn"})
"""Validators that refuse every candidate inside a longer run of digits, so that none need be made of those."""
