"""Numbers of things and addresses: vehicle plates, vehicle identification numbers, banks, e-mail addresses in bulk."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from dlp.detect.content_shape import flat
from dlp.detect.content_table import OPEN_LICENCE
from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.identifiers import named, touches
from dlp.detect.nearness import fills_cell
from dlp.detect.normalise import folded_words
from dlp.model import Zone

# ── vehicle plates: GA 36-2018 ──

_PLATE = re.compile(
    r"(?<![\w·])([京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][a-hj-np-z])[ ·.•-]?"
    r"([a-hjk][0-9a-hj-np-z][0-9]{4}|[0-9]{5}[a-hjk]|[0-9a-hj-np-z]{4}[0-9a-hj-np-z学警挂港澳])(?![0-9a-z])"
)
"""Province, office, serial: five characters without I and O, of which two letters at most; six for new-energy vehicles, with
a letter (D and F first, A to K since) in front or behind."""
_MOST_LETTERS = 2
_PLATE_LINE, _PLATE_COLUMN = 30, 4000
"""Characters after the word in which its plate stands; or those of its column, where the word heads one."""


def cn_plate(candidate: Candidate) -> Judgement | None:
    """Number plates of the mainland, new-energy ones too, after the word for one: in its line, or in cells under it."""
    end = candidate.end + len(candidate.text[candidate.end : candidate.end + 2]) - len(candidate.around(2)[1].lstrip("号號码碼"))
    first = candidate.text.rfind(candidate.match, max(0, candidate.start - _PLATE_COLUMN), candidate.start) < 0
    reach = _PLATE_COLUMN if first and fills_cell(candidate.text, candidate.start, end) else _PLATE_LINE
    window = flat(candidate.text[end : end + reach])
    plates = [found.group(1) + found.group(2) for found in _PLATE.finditer(window) if _is_serial(found.group(2))]
    return Judgement(value=plates[0], facts={"plates": str(len(set(plates)))}) if plates else None


def _is_serial(serial: str) -> bool:
    letters = sum(letter.isascii() and letter.isalpha() for letter in serial)
    figures = sum(letter.isdigit() for letter in serial)
    return (letters <= _MOST_LETTERS or len(serial) == 6) and figures >= 2 and len(set(serial)) > 1


# ── vehicle identification numbers: ISO 3779, GB 16735-2019 ──

_VIN = re.compile(r"(?<![0-9a-z])[0-9a-hj-npr-z]{17}(?![0-9a-z])")
_VIN_VALUES = dict(
    zip("0123456789abcdefghjklmnprstuvwxyz", (*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True)
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECKED_REGIONS = "12345l"
"""First characters of North America and China, where the ninth must be a check digit; elsewhere a maker may use it otherwise."""
_VIN_WORDS = folded_words("vin|vin no|车架号|车辆识别代号|车辆识别代码|车辆识别码|识别代号|底盘号|chassis no|chassis number")


def vin(candidate: Candidate) -> Judgement | None:
    """A vehicle identification number: 17 characters without I, O and Q, letters and digits, the last four digits, and the check
    digit where its region has one; in another region only beside a word that names it."""
    found = _VIN.search(candidate.folded)
    if found is None:
        return None
    number = found.group()
    before, after = candidate.around(1)
    if (not found.start() and touches(before)) or (found.end() == len(candidate.folded) and touches(after)):
        return None
    mixed = number[13:].isdigit() and not number.isdigit() and len(set(number)) > 6
    if not mixed:
        return None
    if _vin_check(number) == number[8]:
        return Judgement(value=number)
    if number[0] in _CHECKED_REGIONS:
        return None
    said = candidate.folded.startswith(_VIN_WORDS) or named(candidate, _VIN_WORDS)
    return Judgement(value=number, confidence=60) if said else None


def _vin_check(number: str) -> str:
    """The remainder modulo 11, X for 10 (49 CFR 565.15, GB 16735-2019 annex A)."""
    total = sum(_VIN_VALUES[letter] * weight for letter, weight in zip(number, _VIN_WEIGHTS, strict=True))
    return "0123456789x"[total % 11]


# ── business identifier codes: ISO 9362 ──

_BIC = re.compile(r"(?<![A-Za-z0-9])([A-Z]{4}([A-Z]{2})[A-Z2-9][A-NP-Z0-9](?:[A-Z0-9]{3})?)(?![A-Za-z0-9])")
_COUNTRIES = frozenset(
    re.findall(
        "..",
        "ADAEAFAGAIALAMAOARATAUAWAZBABBBDBEBFBGBHBIBJBMBNBOBRBSBTBWBYBZCACDCFCGCHCICLCMCNCOCRCUCVCWCYCZDEDJDKDMDODZEC"
        "EEEGERESETFIFJFKFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGTGUGWGYHKHNHRHTHUIDIEILIMINIQIRISITJEJMJOJPKEKGKHKIKMKNKPKR"
        "KWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENGNINLNONPNRNZOMPAPEPFPGPHPKPL"
        "PMPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISKSLSMSNSOSRSSSTSVSYSZTCTDTGTHTJTLTMTNTOTRTTTVTWTZUAUGUSUYUZVAVCVEVG"
        "VIVNVUWFWSXKYEYTZAZMZW",
    )
)
"""ISO 3166-1 alpha-2, and XK, which the registry uses for Kosovo."""
_BIC_REACH = 30


def swift_bic(candidate: Candidate) -> Judgement | None:
    """A bank's code in capitals within 30 characters after SWIFT or BIC: bank, country, place, and its branch or none."""
    if touches(candidate.around(1)[0]):
        return None
    window = unicodedata.normalize("NFKC", candidate.text[candidate.end : candidate.end + _BIC_REACH])
    found = _BIC.search(window)
    return Judgement(value=found.group(1)) if found and found.group(2) in _COUNTRIES else None


# ── e-mail addresses ──

_LOCAL = re.compile(r"[a-z0-9](?:[a-z0-9._%+-]{0,62}[a-z0-9_])?\Z")
_NOBODY = re.compile(
    r"(?:example\.(?:com|org|net|cn)|test\.com|invalid|localhost|domain\.com|email\.com)\Z"
    r"|(?:\A|\.)(?:no-?reply|do-?not-?reply|mailer-daemon|postmaster|bounces?|abuse|hostmaster|webmaster|info|support|sales"
    r"|admin)@"
)
"""Addresses of documentation (RFC 2606) and of no person."""
_ENVELOPE = re.compile(
    r"(?:\A|\n)[ \t>*]{0,8}(?:from|to|cc|bcc|sender|reply-to|resent-to|resent-from|envelope-to|delivered-to|return-path"
    r"|message-id"
    r"|in-reply-to|references|signed-off-by|co-authored-by|reviewed-by|author|committer"
    r"|发件人|收件人|抄送|密送|寄件者|收件者|副本)[ \t]{0,4}[:：]",
    re.IGNORECASE,
)
_OPEN = re.compile(rf"{OPEN_LICENCE}|copyright|©|changelog|maintainers?:")
_HEAD = 3000
"""Characters of a part's beginning that tell credits of open works, which are meant to be seen."""
_LINE = 2000
"""Characters before an address in which the beginning of its line is looked for."""


def email_address(candidate: Candidate) -> Judgement | None:
    """An address as one of a list: of a person, and not in the envelope of a message or of a message quoted in another."""
    if candidate.part.zone in (Zone.HEADER, Zone.RAW) or _is_public(candidate.text[:_HEAD]):
        return None
    before = candidate.text[max(0, candidate.start - _LINE) : candidate.start]
    local = _LOCAL.search(before[-64:].lower())
    if local is None or touches(candidate.around(1)[1]):
        return None
    address = f"{local.group()}{candidate.folded}"
    if _NOBODY.search(address) or "@" in before[-64:][local.start() - 1 : local.start()] or _enveloped(before):
        return None
    return Judgement(value=address)


@lru_cache(maxsize=8)
def _is_public(head: str) -> bool:
    return _OPEN.search(head.lower()) is not None


def _enveloped(before: str) -> bool:
    """Whether the line, with those it continues (RFC 5322, 2.2.3), begins with the name of a field of addresses."""
    start = len(before)
    for _ in range(40):
        start = before.rfind("\n", 0, start)
        if start < 0 or before[start + 1 : start + 2] not in (" ", "\t"):
            break
    return _ENVELOPE.match(before, max(0, start)) is not None


THING_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {"cn_plate": cn_plate, "vin": vin, "swift_bic": swift_bic, "email_address": email_address}
)
"""Validators by the name that a signature's meta gives."""
