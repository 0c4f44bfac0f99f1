"""Travel and residence documents: permits between the mainland, Hong Kong, Macao and Taiwan, permanent residence cards of
foreigners, passports of other countries, and the machine-readable lines of any passport.

Most of these numbers carry no check digit, so a word that names them has to stand beside them (the signature's `near`, or
the words within the pattern); what they carry is checked here.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.identifiers import ID_CHECK, PROVINCES, digits_of, is_date, named, stands_alone, touches, weighed
from dlp.detect.normalise import fold, folded_words

_LEAST_DIFFERENT = 3
"""Different digits in a number that is nobody's placeholder."""


def _varied(number: str) -> bool:
    return len(set(number)) >= _LEAST_DIFFERENT and number not in ("12345678", "123456789", "1234567890", "87654321")


def _free(candidate: Candidate) -> bool:
    """Neither a letter nor a digit touches the match."""
    before, after = candidate.around(1)
    return not touches(before) and not touches(after)


def cn_permit(candidate: Candidate) -> Judgement | None:
    """H or M and eight digits (mainland travel permit for Hong Kong and Macao residents, with the two digits of its issue or
    without), C and eight characters (exit permit to Hong Kong and Macao), L and eight digits (to Taiwan)."""
    number = digits_of(candidate)
    return Judgement(value=number[:9]) if _free(candidate) and _varied(number[1:9]) else None


_TAIWAN = re.compile(r"(?<![0-9a-z])([0-9]{8}|[0-9]{10})(?:\([a-z0-9]\))?\Z")


def cn_taiwan_permit(candidate: Candidate) -> Judgement | None:
    """The mainland travel permit for Taiwan residents: eight digits (since 2015), ten before, after the words that name it."""
    found = _TAIWAN.search(candidate.folded)
    after = candidate.around(1)[1]
    valid = found and not touches(after) and _varied(found.group(1)) and not is_date(found.group(1)[:8])
    return Judgement(value=found.group(1)) if found and valid else None


_RESIDENCE_REGIONS = frozenset({"810000", "820000", "830000"})


def cn_residence_permit(candidate: Candidate) -> Judgement | None:
    """The residence permit of Hong Kong, Macao and Taiwan residents: a resident identity number (GB 11643-1999) whose region
    is one of the three."""
    number = digits_of(candidate)
    valid = len(number) == 18 and number[:6] in _RESIDENCE_REGIONS and is_date(number[6:14])
    return Judgement(value=number) if valid and ID_CHECK[weighed(number[:17])] == number[17] and stands_alone(candidate) else None


_FOREIGNER_WORDS = folded_words("永久居留|外国人|居留证|证件号|permanent resident|permanent residence|residence card")


def cn_foreigner_card(candidate: Candidate) -> Judgement | None:
    """The permanent residence card of a foreigner: since 2023 a 9, the province, the country (ISO 3166-1 numeric), the date of
    birth, three digits and the check digit of GB 11643; before that three letters of the country, the province's four digits,
    the date of birth as six digits and two more (15 characters)."""
    number = digits_of(candidate)
    if len(number) == 18:
        carried = number[1:3] in PROVINCES and is_date(number[6:14]) and ID_CHECK[weighed(number[:17])] == number[17]
        return Judgement(value=number) if carried and stands_alone(candidate) and named(candidate, _FOREIGNER_WORDS) else None
    number = number[-15:]
    carried = number[3:5] in PROVINCES and (is_date("19" + number[7:13]) or is_date("20" + number[7:13]))
    return Judgement(value=number) if carried and not touches(candidate.around(1)[1]) else None


_FOREIGN_PASSPORT = re.compile(
    r"(?<![a-z0-9])(?:[0-9]{9}"  # United States, United Kingdom, Russia, Netherlands
    r"|[a-z][0-9]{7,8}"  # United States, India, Australia, Republic of Korea
    r"|[a-z]{2}[0-9]{6,7}"  # Canada, Japan, Italy, Poland, New Zealand
    r"|m[0-9]{3}[a-z][0-9]{4}"  # Republic of Korea, since 2021
    r"|[0-9]{2}[a-z]{2}[0-9]{5}"  # France
    r"|[cfghjk][0-9cfghjklmnprtvwxyz]{8})\Z"  # Germany (Personalausweisverordnung, annex)
)


def passport_other(candidate: Candidate) -> Judgement | None:
    """A passport number of the shape another country uses, right after the words "passport number" in some form."""
    found = _FOREIGN_PASSPORT.search(candidate.folded)
    digits = re.sub("[^0-9]", "", found.group()) if found else ""
    valid = found is not None and len(digits) >= 4 and _varied(digits) and not touches(candidate.around(1)[1])
    return Judgement(value=found.group()) if found is not None and valid else None


_MRZ_WEIGHTS = (7, 3, 1)
_MRZ_LINE = 44
_MRZ_FIRST = re.compile(r"p[a-z<][a-z<]{3}[a-z][a-z<]{38}")
_MRZ = re.compile(
    r"(?P<number>[0-9a-z<]{9})(?P<check>[0-9])(?P<country>[a-z<]{3})(?P<born>[0-9]{6})(?P<born_check>[0-9])[mfx<]"
    r"(?P<expires>[0-9]{6})(?P<expires_check>[0-9])[0-9a-z<]{14}[0-9<](?P<all>[0-9])\Z"
)


def passport_mrz(candidate: Candidate) -> Judgement | None:
    """The two lines of a passport for machines, 44 characters each, with their check digits (ICAO 9303, part 4); the match
    begins with the last fillers of the first line."""
    line = candidate.folded[-_MRZ_LINE:]
    second = _MRZ.match(line)
    first = fold(candidate.around(_MRZ_LINE)[0]).text + candidate.folded[:-_MRZ_LINE]
    if second is None or not _MRZ_FIRST.fullmatch(first.rstrip()[-_MRZ_LINE:]):
        return None
    checked = (
        (second["number"], second["check"]),
        (second["born"], second["born_check"]),
        (second["expires"], second["expires_check"]),
        (line[:10] + line[13:20] + line[21:43], second["all"]),
    )
    valid = all(_mrz_check(text) == digit for text, digit in checked)
    return Judgement(value=second["number"].rstrip("<")) if valid else None


def _mrz_check(text: str) -> str:
    """Digits for themselves, letters from A = 10, the filler for nothing; weights 7, 3, 1 (ICAO 9303, part 3, 4.9)."""
    values = (0 if letter == "<" else int(letter, 36) for letter in text)
    return str(sum(value * _MRZ_WEIGHTS[place % 3] for place, value in enumerate(values)) % 10)


TRAVEL_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        "cn_permit": cn_permit,
        "cn_taiwan_permit": cn_taiwan_permit,
        "cn_residence_permit": cn_residence_permit,
        "cn_foreigner_card": cn_foreigner_card,
        "passport_other": passport_other,
        "passport_mrz": passport_mrz,
    }
)
"""Validators by the name that a signature's meta gives."""
