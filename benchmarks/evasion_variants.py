"""Markings, identifiers and their labels, written so that a simple search misses them; and innocent twins of each.

A class is one way to hide. Every class hides each of its secrets in turn; the twin puts an ordinary word or a number
that is none through the same. All of it is made by code, from nothing but what stands here.
"""

import base64
import html
import io
import quopri
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from dlp.detect.han import SIMPLIFIED
from tests.helpers.documents import a_docx, a_mail, a_pptx, a_xlsx

BODY = "关于下半年办公用品采购的通知\n各单位请于本月底前报送采购清单，由综合处统一办理。\n联系人见附件。\n"
ENGLISH_BODY = "Minutes of the garden club\nWe will meet on the first Saturday of the month and bring seeds.\n"
MARKS = frozenset({"state_secret_marking", "classification_banner", "internal_marking", "trade_secret_marking"})
ENGLISH_MARKS = frozenset({"english_marking", "english_internal_marking"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What is hidden, what may stand in its place innocently, the signatures of which one must find it; `before` is written
    plainly before it."""

    kind: str
    text: str
    twin: str
    found_by: frozenset[str]
    before: str = ""

    @property
    def body(self) -> str:
        """The text that follows in the document."""
        return BODY if not self.text.isascii() or self.kind == "identifier" else ENGLISH_BODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One file; `found_by` is empty for an innocent one. `name` tells what was hidden and how."""

    group: str
    name: str
    file: str
    data: bytes
    found_by: frozenset[str] = frozenset()


def _number(body: str, check: Callable[[str], str]) -> str:
    return body + check(body)


def _id_check(body: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


def _luhn(body: str) -> str:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in body[::-2])
    return str(-(doubled + sum(map(int, body[-2::-2]))) % 10)


def _wrong(number: str) -> str:
    """The number with another check digit: it looks alike and is none."""
    return number[:-1] + str((int(number[-1], 36) + 4) % 10)


def _credit_code() -> str:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    organisation = "12345678"
    total = sum(int(digit) * weight for digit, weight in zip(organisation, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    body = "91110000" + organisation + "0123456789X"[-total % 11]
    return body + alphabet[-sum(alphabet.index(letter) * pow(3, place, 31) for place, letter in enumerate(body)) % 31]


_ID = _number("32010219850412341", _id_check)
_OTHER_ID = _number("51010219921103221", _id_check)
_CARD = _number("622202100002345678", _luhn)

CHINESE_MARKS = tuple(
    Secret(kind="mark", text=text, twin=twin, found_by=MARKS)
    for text, twin in (
        ("绝密★10年", "绝活★10年"),
        ("机密★5年", "机会★5年"),
        ("秘密★长期", "秘书★长期"),
        ("机密", "机会"),
        ("绝密文件", "绝好文件"),
        ("核心商密★3年", "核心商圈★3年"),
        ("内部资料", "内部装修"),
    )
)
LATIN_MARKS = tuple(
    Secret(kind="mark", text=text, twin=twin, found_by=ENGLISH_MARKS)
    for text, twin in (("TOP SECRET", "TOP SEEDS"), ("CONFIDENTIAL", "CONFERENCE"), ("INTERNAL USE ONLY", "EXTERNAL USE FINE"))
)
NUMBERS = (
    Secret(kind="identifier", text=_ID, twin=_wrong(_ID), found_by=frozenset({"cn_id"}), before="身份证号 "),
    Secret(kind="identifier", text=_OTHER_ID, twin=_wrong(_OTHER_ID), found_by=frozenset({"cn_id"}), before="证件 "),
    Secret(kind="identifier", text=_CARD, twin=_wrong(_CARD), found_by=frozenset({"bank_card"}), before="银行卡号 "),
    Secret(kind="identifier", text="13912345678", twin="23912345678", found_by=frozenset({"cn_mobile"}), before="手机 "),
)
CREDIT_CODES = (
    Secret(
        kind="identifier",
        text=_credit_code(),
        twin=_wrong(_credit_code()),
        found_by=frozenset({"cn_uscc"}),
        before="统一社会信用代码 ",
    ),
)
LABELLED = (
    Secret(kind="keyword", text="护照号码：E12345678", twin="护照夹子：E1234567", found_by=frozenset({"cn_passport"})),
    Secret(kind="keyword", text="手机号码：13912345678", twin="手机壳：2391234567", found_by=frozenset({"cn_mobile"})),
)
ALL = CHINESE_MARKS + LATIN_MARKS + NUMBERS + CREDIT_CODES + LABELLED

Writing = Callable[[str], str]
"""A text, hidden."""
Carrier = Callable[[str], bytes]
"""A text of several lines as a file."""


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _html(text: str) -> bytes:
    return f"<html><body>{''.join(f'<p>{html.escape(line)}</p>' for line in _lines(text))}</body></html>".encode()


CARRIERS: Mapping[str, Carrier] = {
    "txt": lambda text: text.encode(),
    "html": _html,
    "eml": lambda text: a_mail(body=text.replace("\n", "\r\n")),
    "docx": lambda text: a_docx(_lines(text)),
    "xlsx": lambda text: a_xlsx({"Sheet1": [[line] for line in _lines(text)]}),
}


def _document(secret: Secret, hidden: str, *, innocent: bool) -> str:
    return f"{'' if innocent and secret.kind == 'mark' else secret.before}{hidden}\n\n{secret.body}"


def _written(
    group: str, secrets: tuple[Secret, ...], ways: Mapping[str, Writing], carriers: tuple[str, ...]
) -> Iterator[Variant]:
    """Every secret in every way, the carriers taken in turn; and the twin of each."""
    turn = 0
    for secret in secrets:
        for way, write in ways.items():
            carrier = carriers[turn % len(carriers)]
            turn += 1
            for text, found_by in ((secret.text, secret.found_by), (secret.twin, frozenset[str]())):
                content = _document(secret, write(text), innocent=not found_by)
                yield Variant(
                    group=group,
                    name=f"{text} {way} in {carrier}",
                    file=f"a.{carrier}",
                    data=CARRIERS[carrier](content),
                    found_by=found_by,
                )


# ── ways of writing ──


def _between(sign: str) -> Writing:
    return lambda text: sign.join(text.replace(" ", ""))


def _letters(sign: str, word: str) -> Writing:
    """Letters set apart by `sign`, words by `word`."""
    return lambda text: word.join(sign.join(part) for part in text.split(" "))


def _frequent(letter: str) -> bool:
    """Whether a character is on the frequent plane of Big5."""
    return b"\xa4" <= letter.encode("big5", "replace")[:1] <= b"\xc6"


_TRADITIONAL = str.maketrans(
    {new: old for old, new in SIMPLIFIED.items() if _frequent(old) and not _frequent(new)} | {"机": "機", "号": "號", "台": "臺"}
)
_FULL = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {" ": "\u3000"})
_CYRILLIC = str.maketrans("ACEOPTXIS", "АСЕОРТХІЅ")
_GREEK = str.maketrans("AEOTINX", "ΑΕΟΤΙΝΧ")
_BOLD = str.maketrans(
    {chr(0x41 + place): chr(0x1D400 + place) for place in range(26)} | {str(digit): chr(0x1D7CE + digit) for digit in range(10)}
)
_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_FORMS = str.maketrans(
    {"年": "\uf98e", "金": "\u2fa6", "长": "⾧", "文": "⽂", "用": "⽤", "心": "⼼", "手": "⼿", "内": "內", "秘": "祕"}
)
_CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")
_NEGATIVE = str.maketrans("0123456789", "⓿❶❷❸❹❺❻❼❽❾")
_BRACKETED = str.maketrans("123456789", "⑴⑵⑶⑷⑸⑹⑺⑻⑼")
_STOPPED = str.maketrans("123456789", "⒈⒉⒊⒋⒌⒍⒎⒏⒐")
_PLAIN_NUMERALS = str.maketrans("0123456789", "零一二三四五六七八九")
_ZERO_NUMERALS = str.maketrans("0123456789", "〇一二三四五六七八九")
_BANKER_NUMERALS = str.maketrans("0123456789", "零壹贰叁肆伍陆柒捌玖")
_OLD_NUMERALS = str.maketrans("0123456789", "零壹貳參肆伍陸柒捌玖")
_SPOKEN_NUMERALS = str.maketrans("0123456789", "洞幺两三四五六拐八勾")


def _b64(encoding: str = "utf-8", *, url: bool = False, wrapped: bool = False) -> Writing:
    def write(text: str) -> str:
        data = text.encode(encoding)
        if wrapped:
            return base64.encodebytes(data).decode().rstrip("\n")
        return (base64.urlsafe_b64encode(data).rstrip(b"=") if url else base64.b64encode(data)).decode()

    return write


def _percent(encoding: str = "utf-8") -> Writing:
    return lambda text: "".join(f"%{byte:02X}" for byte in text.encode(encoding))


def _quoted(encoding: str = "utf-8") -> Writing:
    return lambda text: "".join(f"={byte:02X}" for byte in text.encode(encoding))


def _soft(text: str) -> str:
    return quopri.encodestring(text.encode()).decode()


def _each(form: str) -> Writing:
    return lambda text: "".join(form.format(ord(letter)) for letter in text)


def _whole(write: Writing) -> Writing:
    """Not the secret alone is hidden, but the text that it opens."""
    return lambda text: f"如下\n{write(text + chr(10) + chr(10) + BODY)}"


def _both(write: Writing, name: str) -> dict[str, Writing]:
    return {name: write, f"{name}, whole text": _whole(write)}


def _named_entities(text: str) -> str:
    named = {"★": "&starf;", " ": "&nbsp;", "：": "&#65306;"}
    return "".join(
        named.get(letter, f"&#{ord(letter)};" if place % 2 else f"&#x{ord(letter):X};") for place, letter in enumerate(text)
    )


_WAYS: Mapping[str, tuple[tuple[Secret, ...], Mapping[str, Writing]]] = {
    "spacing": (
        CHINESE_MARKS + LABELLED,
        {
            "spaced": _between(" "),
            "spaced widely": _between("   "),
            "spaced in full width": _between("\u3000"),
            "with no-break spaces": _between("\xa0"),
            "with thin spaces": _between("\u2009"),
            "over lines": lambda text: text[0] + "\n" + text[1:],
        },
    ),
    "letter spacing": (
        LATIN_MARKS,
        {
            "spaced": _letters(" ", "   "),
            "spaced evenly": _between(" "),
            "with no-break spaces": _letters("\xa0", "\xa0\xa0\xa0"),
            "with hyphens": _letters("-", " "),
            "with stops": _letters(".", "  "),
            "with low lines": _letters("_", " "),
            "with double spaces": _between("  "),
        },
    ),
    "separators": (
        CHINESE_MARKS,
        {sign: _between(sign) for sign in ("·", "-", "_", ".", "~", "|", "•", "—", "^", "'")}
        | {sign: (lambda text, sign=sign: f"{text[0]}{sign}{text[1:]}") for sign in ("/", "*", "\\", ",", "#")},
    ),
    "traditional": (
        (*CHINESE_MARKS, *LABELLED),
        {
            "traditional": lambda text: text.translate(_TRADITIONAL),
            "traditional, spaced": lambda text: " ".join(text.translate(_TRADITIONAL)),
            "variant": lambda text: text.translate(_TRADITIONAL).replace("秘", "祕").replace("絕", "絶"),
        },
    ),
    "full width": (LATIN_MARKS + NUMBERS + CREDIT_CODES + LABELLED, {"full width": lambda text: text.translate(_FULL)}),
    "zero width": (
        ALL,
        {f"U+{code:04X}": _between(chr(code)) for code in (0x200B, 0x200D, 0x2060, 0xFEFF, 0xAD)},
    ),
    "homoglyphs": (
        LATIN_MARKS,
        {
            "Cyrillic": lambda text: text.translate(_CYRILLIC),
            "Greek": lambda text: text.translate(_GREEK),
            "mathematical": lambda text: text.translate(_BOLD),
            "small Cyrillic": lambda text: text.title().replace("e", "е").replace("o", "о").replace("c", "с"),
        },
    ),
    "homoglyphs, Chinese and digits": (
        CHINESE_MARKS + NUMBERS,
        {
            "radicals and compatibility forms": lambda text: text.translate(_FORMS),
            "mathematical digits": lambda text: text.translate(_BOLD),
            "Arabic-Indic digits": lambda text: text.translate(_ARABIC),
        },
    ),
    "combining marks": (
        ALL,
        {
            f"U+{code:04X}": (lambda text, code=code: "".join(letter + chr(code) for letter in text))
            for code in (0x336, 0x301, 0x20DD, 0xFE0F)
        },
    ),
    "base64": (
        ALL,
        _both(_b64(), "base64")
        | _both(_b64(url=True), "base64url")
        | {"base64, wrapped, whole text": _whole(_b64(wrapped=True)), "base64 of UTF-16": _b64("utf-16-le")},
    ),
    "base64 of GB 18030": (ALL, _both(_b64("gb18030"), "base64")),
    "hex": (
        ALL,
        _both(lambda text: text.encode().hex(), "hex")
        | {
            "hex, capitals": lambda text: text.encode().hex().upper(),
            "hex, spaced": lambda text: text.encode().hex(" "),
            "hex, colons": lambda text: text.encode().hex(":"),
            "\\x": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
            "0x, in a list": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
            "hex of GB 18030, whole text": _whole(lambda text: text.encode("gb18030").hex()),
        },
    ),
    "percent": (
        ALL,
        _both(_percent(), "%XX")
        | {"%XX of GB 18030": _percent("gb18030"), "%u": _each("%u{:04X}"), "as in a URL, whole text": _whole(quote)},
    ),
    "escapes": (
        ALL,
        _both(_each("\\u{:04x}"), "\\u")
        | {
            "\\u{}": lambda text: "".join(f"\\u{{{ord(letter):x}}}" for letter in text),
            "\\U": _each("\\U{:08x}"),
            "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
        },
    ),
    "quoted-printable": (
        ALL,
        {"=XX": _quoted(), "=XX of GB 18030": _quoted("gb18030"), "with soft breaks, whole text": _whole(_soft)},
    ),
    "entities": (
        ALL,
        {
            "decimal": _each("&#{};"),
            "hexadecimal": _each("&#x{:x};"),
            "named": _named_entities,
            "without semicolon": _each("&#{}"),
        },
    ),
    "nested encodings": (
        ALL,
        {
            "base64 of base64": lambda text: _b64()(_b64()(text + "\n" + BODY)),
            "hex of base64": lambda text: _b64()(text).encode().hex(),
            "base64 of hex": lambda text: _b64()(text.encode().hex()),
            "base64 of \\u": lambda text: _b64()(_each("\\u{:04x}")(text)),
            "entities of %XX": lambda text: _each("&#{};")(_percent()(text)),
            "%XX of %XX": lambda text: quote(quote(text)),
            "base64 of %XX": lambda text: _b64()(_percent()(text)),
            "\\u of base64": lambda text: _each("\\u{:04x}")(_b64()(text)),
            "quoted-printable of base64": lambda text: _quoted()(_b64()(text)),
            "entities escaped again": lambda text: _each("&amp;#{};")(text),
            "base64 of reversed": lambda text: (
                _b64()(text[::-1] + "\n" + BODY[::-1]) if not text.isascii() else _b64()(_b64()(text))
            ),
        },
    ),
    "reversal": (
        CHINESE_MARKS + LATIN_MARKS + LABELLED,
        {
            "line": lambda text: text[::-1],
            "lines": lambda text: f"{text[::-1]}\n{chr(10).join(line[::-1] for line in _lines(BODY))}",
        },
    ),
    "bidi": (
        ALL,
        {
            "override": lambda text: f"\u202e{text[::-1]}\u202c",
            "override to the end of the line": lambda text: f"\u202e{text[::-1]}",
            "override in an isolate": lambda text: f"\u2068\u202e{text[::-1]}\u202c\u2069",
            "half overridden": lambda text: f"{text[:1]}\u202e{text[:0:-1]}\u202c",
            "left to right inside": lambda text: f"\u202e{text[2:][::-1]}\u202d{text[:2]}\u202c\u202c",
        },
    ),
    "Chinese numerals": (
        NUMBERS,
        {
            "everyday": lambda text: text.translate(_PLAIN_NUMERALS),
            "with 〇": lambda text: text.translate(_ZERO_NUMERALS),
            "banker's": lambda text: text.translate(_BANKER_NUMERALS),
            "traditional": lambda text: text.translate(_OLD_NUMERALS),
            "spoken": lambda text: text.translate(_SPOKEN_NUMERALS),
            "with ○": lambda text: text.translate(_ZERO_NUMERALS).replace("〇", "○"),
            "spaced": lambda text: " ".join(text.translate(_PLAIN_NUMERALS)),
            "grouped": lambda text: "-".join(
                text.translate(_ZERO_NUMERALS)[place : place + 4] for place in range(0, len(text), 4)
            ),
        },
    ),
    "digits one by one": (
        NUMBERS + CREDIT_CODES,
        {
            name: _between(sign)
            for name, sign in {
                "spaced": " ",
                "with hyphens": "-",
                "with stops": ".",
                "with low lines": "_",
                "with commas": ",",
                "with bars": "|",
                "with strokes": "/",
                "with full-width spaces": "\u3000",
                "with two spaces": "  ",
                "with tabs": "\t",
                "with hyphens and spaces": " - ",
                "with middle dots": "·",
            }.items()
        },
    ),
    "circled digits": (
        NUMBERS,
        {
            "circled": lambda text: text.translate(_CIRCLED),
            "negative": lambda text: text.translate(_NEGATIVE),
            "in brackets": lambda text: text.translate(_BRACKETED),
            "with stops": lambda text: text.translate(_STOPPED),
            "circled, spaced": lambda text: " ".join(text.translate(_CIRCLED)),
        },
    ),
}


# ── ways of packing ──


def _cells(text: str) -> list[str]:
    return text.split(" ") if text.isascii() and " " in text else list(text)


def _rows(text: str) -> str:
    return "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(text))


def _reworked(archive: bytes, old: str, new: str) -> bytes:
    """The archive with `old` in its XML made `new`."""
    source, out = zipfile.ZipFile(io.BytesIO(archive)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).decode().replace(old, new))
    return out.getvalue()


def _slide_in_runs(secret: Secret, text: str) -> bytes:
    runs = "".join(f"<a:r><a:t>{letter}</a:t></a:r>" for letter in (secret.before, *text))
    return _reworked(a_pptx([("@title@", _lines(secret.body))]), "<a:r><a:t>@title@</a:t></a:r>", runs)


def _cell_in_runs(secret: Secret, text: str) -> bytes:
    runs = "".join(f'<r><t xml:space="preserve">{letter}</t></r>' for letter in (secret.before, *text))
    return _reworked(a_xlsx({"Sheet1": [["@cell@"], [secret.body]]}), "<t>@cell@</t>", runs)


def _page(secret: Secret, inner: str) -> bytes:
    return f"<html><body>{inner}<p>{secret.body}</p></body></html>".encode()


Packing = Callable[[Secret, str], bytes]
"""A secret, and its text or its twin's, as a file."""


def _glued(start: str, between: str, end: str) -> Packing:
    return lambda secret, text: _page(secret, f"<p>{secret.before}{start}{between.join(text)}{end}</p>")


def _encoded(carrier: str, encoding: str) -> Packing:
    def pack(secret: Secret, text: str) -> bytes:
        lines = f"{secret.before}{text}\n\n{secret.body}"
        if encoding == "big5":
            lines = lines.translate(_TRADITIONAL)  # Taiwan writes no simplified characters
        if carrier == "html":
            lines = "".join(f"<p>{line}</p>" for line in lines.split("\n"))
            return f'<html><head><meta charset="{encoding}"></head><body>{lines}</body></html>'.encode(encoding)
        if carrier == "eml":
            return a_mail(body=lines.replace("\n", "\r\n"), charset=encoding)
        return lines.encode(encoding)

    return pack


def _charset(encoding: str, *carriers: str) -> dict[str, tuple[str, Packing]]:
    return {f"{encoding} in {carrier}": (carrier, _encoded(carrier, encoding)) for carrier in carriers}


_PACKED: Mapping[str, tuple[tuple[Secret, ...], Mapping[str, tuple[str, Packing]]]] = {
    "table cells": (
        CHINESE_MARKS + LATIN_MARKS[:1] + LABELLED,
        {
            "docx table": (
                "docx",
                lambda secret, text: a_docx([], table=[_cells(text), *[[line] for line in _lines(secret.body)]]),
            ),
            "html table": ("html", lambda secret, text: _page(secret, f"<table><tr>{_rows(text)}</tr></table>")),
            "tabs": ("txt", lambda secret, text: ("\t".join(_cells(text)) + "\n\n" + secret.body).encode()),
            "bars": ("txt", lambda secret, text: ("| " + " | ".join(_cells(text)) + " |\n\n" + secret.body).encode()),
            "sheet": ("xlsx", lambda secret, text: a_xlsx({"Sheet1": [_cells(text), *[[line] for line in _lines(secret.body)]]})),
        },
    ),
    "split runs": (
        ALL,
        {
            "docx": ("docx", lambda secret, text: a_docx([[secret.before, *text], *_lines(secret.body)])),
            "pptx": ("pptx", _slide_in_runs),
            "xlsx": ("xlsx", _cell_in_runs),
            "html, spans": ("html", _glued("<span>", "</span><span>", "</span>")),
            "html, styles": ("html", _glued('<b style="color:red">', '</b><b style="color:red">', "</b>")),
            "html, comments": ("html", _glued("", "<!-- x -->", "")),
            "html, word breaks": ("html", _glued("", "<wbr>", "")),
        },
    ),
    "GB18030": (ALL, _charset("gb18030", "txt", "html", "eml")),
    "UTF-16": (ALL, _charset("utf-16", "txt", "html") | _charset("utf-16-le", "txt") | _charset("utf-16-be", "txt")),
    "Big5": (ALL, _charset("big5", "txt", "html", "eml")),
}


def _packed(group: str) -> Iterator[Variant]:
    secrets, ways = _PACKED[group]
    for secret in secrets:
        for way, (suffix, pack) in ways.items():
            yield Variant(
                group=group,
                name=f"{secret.text} {way}",
                file=f"a.{suffix}",
                data=pack(secret, secret.text),
                found_by=secret.found_by,
            )
            twin = replace(secret, before="") if secret.kind == "mark" else secret
            yield Variant(group=group, name=f"{secret.twin} {way}", file=f"a.{suffix}", data=pack(twin, secret.twin))


# ── text in pictures ──

PICTURES = "pictures"
_FONTS = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DejaVuSans.ttf")


def _pictures() -> Iterator[Variant]:
    """Marks and numbers drawn; Chinese ones only where a font for them is installed."""
    from PIL import Image, ImageDraw, ImageFont

    for font_name in _FONTS:
        try:
            font = ImageFont.truetype(font_name, 36)
            break
        except OSError:
            continue
    else:
        return
    chinese = font_name != _FONTS[-1]
    for secret in (*LATIN_MARKS, *NUMBERS, *(CHINESE_MARKS if chinese else ())):
        for text, found_by in ((secret.text, secret.found_by), (secret.twin, frozenset[str]())):
            if secret.kind != "mark" and not chinese and secret.found_by & {"cn_mobile", "bank_card"}:
                text = f"phone card {text}"
            picture = Image.new("RGB", (900, 360), "white")
            drawing = ImageDraw.Draw(picture)
            drawing.text((40, 30), text, fill="black", font=font)
            drawing.text((40, 160), secret.body if chinese else ENGLISH_BODY, fill="black", font=font)
            for form in ("png", "jpeg"):
                out = io.BytesIO()
                picture.save(out, form)
                yield Variant(group=PICTURES, name=f"{text} in {form}", file=f"a.{form}", data=out.getvalue(), found_by=found_by)


# ── all of it ──


def _blobs() -> Iterator[Variant]:
    """What looks encoded and says nothing: pictures, hashes, keys, minified code, numbers."""
    chance = random.Random(4)
    picture = b"\x89PNG\r\n\x1a\n" + chance.randbytes(6000)
    wrapped = base64.encodebytes(picture).decode()
    words = ("var", "function", "return", "this", "length", "push", "apply", "prototype", "secretKey", "confidentialClient")
    minified = "".join(
        f"{chance.choice(words)}(a{chance.randrange(9999)},'\\u00{chance.randrange(32, 99)}',0x{chance.randrange(1 << 32):x});"
        for _ in range(900)
    )
    texts = {
        "picture in base64": f"![logo](data:image/png;base64,{wrapped.replace(chr(10), '')})\n{BODY}",
        "picture in wrapped base64": f"logo:\n{wrapped}\n{BODY}",
        "hashes": "\n".join(f"{chance.randbytes(32).hex()}  file{place}.txt" for place in range(300)),
        "short hashes": "\n".join(f"{chance.randbytes(20).hex()} commit {place}" for place in range(300)),
        "integrity": "\n".join(f'"integrity": "sha512-{base64.b64encode(chance.randbytes(64)).decode()}"' for _ in range(200)),
        "minified code": minified,
        "hex dump": "\n".join(f"{place:08x}  {chance.randbytes(16).hex(' ')}" for place in range(0, 4096, 16)),
        "bytes of code": ", ".join(f"0x{byte:02x}" for byte in chance.randbytes(2000)),
        "escapes of code": "".join(f"\\x{byte:02x}" for byte in chance.randbytes(2000)),
        "numbers": "\n".join(" ".join(str(chance.randrange(10)) for _ in range(24)) for _ in range(200)),
        "long numbers": "\n".join(str(chance.randrange(10**15, 10**16)) for _ in range(20)),
        "numerals": "\n".join("".join(chance.choice("零一二三四五六七八九") for _ in range(20)) for _ in range(100)),
        "links": "\n".join(
            f"https://example.com/{quote(BODY[place : place + 12])}?id={chance.randrange(10**9)}" for place in range(40)
        ),
        "identifiers": "\n".join("".join(chance.choice(words).title() for _ in range(5)) + str(place) for place in range(400)),
        "text in base64": base64.b64encode((BODY + ENGLISH_BODY).encode()).decode(),
        "text of ordinary words, reversed": BODY[::-1],
        "UUIDs": "\n".join(chance.randbytes(16).hex() for _ in range(200)),
    }
    for name, text in texts.items():
        for carrier in ("txt", "eml", "docx"):
            yield Variant(group=BLOBS, name=f"{name} in {carrier}", file=f"a.{carrier}", data=CARRIERS[carrier](text))


GROUPS = (*_WAYS, *_PACKED)
"""The classes that need nothing installed."""
_TURNS = {
    "reversal": ("txt", "html", "docx"),
    "escapes": ("txt", "eml", "docx"),
    "bidi": ("txt", "html", "docx", "eml"),
}
"""Carriers of a class, where not all."""


def variants(group: str) -> Iterator[Variant]:
    """The variants of a class and their innocent twins, always the same."""
    if group == PICTURES:
        yield from _pictures()
    elif group == BLOBS:
        yield from _blobs()
    elif group in _PACKED:
        yield from _packed(group)
    else:
        secrets, ways = _WAYS[group]
        yield from _written(group, secrets, ways, _TURNS.get(group, tuple(CARRIERS)))


BLOBS = "innocent blobs"
"""The class of what only looks encoded: it has no secrets."""
