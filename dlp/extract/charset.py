"""Bytes to text: which encoding, and decoding that loses nothing.

The detector tries a byte order mark, UTF-8, UTF-16 without a mark, and then scores the legacy encodings by
how common their characters are in running text. libmagic names the right encoding for about a third of
Chinese texts, so it is not asked.
"""

import codecs
import encodings
import pkgutil
import re
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

SAMPLE = 1 << 16
"""Bytes looked at to name an encoding."""
_LOOK = 8192
"""Characters of it in which accented letters are told from Chinese."""
_ASCII_SHARE = 0.85
"""With so many printable ASCII bytes a text is not UTF-16, whatever its length."""

# A confined child cannot open files, and Python finds a codec by importing a module of that name.
for _module in pkgutil.iter_modules(encodings.__path__):
    if _module.name not in {"mbcs", "oem", "idna", "aliases"}:
        import_module(f"encodings.{_module.name}")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY = ("gb18030", "big5hkscs", "cp932")
_NOT_CHARSETS = {"idna", "punycode", "undefined", "base64", "bz2", "hex", "quopri", "rot13", "uu", "zlib"}
_HZ = re.compile(rb"~\{(?:[\x21-\x77][\x21-\x7e])+~\}")  # RFC 1843
_ISO_2022 = re.compile(rb"\x1b\$[@B][\x21-\x7e]{2}")  # RFC 1468
_CONTROL = bytes((*range(0x07), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F))
_PRINTABLE = bytes((0x09, 0x0A, 0x0D, *range(0x20, 0x7F)))
_RUN = re.compile(r"[^\x00-\x7f]+")
# One or two characters inside a word of Latin letters: an accented letter and what follows it, read in the wrong encoding.
_GLUED = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f]{1,2}(?=[A-Za-z ,.])|(?<= )[^\x00-\x7f](?=[a-z])")
_NEWLINE = re.compile(rb"(?<=\n)")

# The characters that open every frequency list of modern Chinese, in both scripts.
_SIMPLIFIED = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"
    "十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形"
    "相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展"
    "五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战"
    "先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再采转更单风切打白"
    "教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科张信马节话米整空元况今集温传土许步群广石记需段研界拉林律叫且"
    "究观越织装影算低持音众书布复容儿须际商非验连断深难近矿千周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太准精值"
    "号率族维划选标写存候毛亲快效斯院查江型眼王按格养易置派层片始却专状育厂京识适属圆包火住调满县局照参红细引听该铁价严密秘司款项"
)
_TRADITIONAL = (
    "這為個國時來們對會發動過說產種後學經進電裡現實兩體機當點從業應開還無義間樣與關數質氣變條沒結問題黨員總設長頭資邊級圖統較將"
    "組見計別論運農幾區強決戰則據處隊給門規熱領東導壓爭濟階術極聯認權證轉單風帶場車務萬達積議聲報鬥類離華確張馬節話況傳許廣記"
    "觀織裝聽書復兒須際驗連斷難礦備辦習響約勞團歷構稱準號維劃選標寫親養層專狀廠識適屬圓滿參紅細該鐵價嚴夢鄉賓錦禮憶憐殘淚燈煙"
)
_PUNCTUATION = "，。、；：？！（）《》“”‘’「」『』—…·　％＋－０１２３４５６７８９"


def _rows(encoding: str, first: int, last: int, trails: tuple[range, ...]) -> frozenset[str]:
    """The characters of the double-byte rows `first` to `last`."""
    pairs = (bytes((lead, trail)) for lead in range(first, last + 1) for span in trails for trail in span)
    return frozenset("".join(pair.decode(encoding, "ignore") for pair in pairs))


COMMON = frozenset(_SIMPLIFIED + _TRADITIONAL + _PUNCTUATION)
"""Characters that running Chinese text is made of, in both scripts."""
# Both standards put the characters of everyday use first: GB 2312 level 1 in pinyin order, Big5 level 1 in stroke order.
_EVERYDAY = {
    "gb18030": _rows("gb2312", 0xB0, 0xD7, (range(0xA1, 0xFF),)),
    "big5hkscs": _rows("big5", 0xA4, 0xC6, (range(0x40, 0x7F), range(0xA1, 0xFF))),
    "cp932": frozenset(map(chr, range(0x3041, 0x30FF))),
    "utf-16-le": frozenset(map(chr, range(0x20, 0x7F))) | {"\r", "\n", "\t"},
    "utf-16-be": frozenset(map(chr, range(0x20, 0x7F))) | {"\r", "\n", "\t"},
}


def _weights(encoding: str) -> NDArray[np.float32]:
    """How common each character is in text of this encoding: 1 for the most common, -1 for what is no Chinese, by its number;
    the last stands for all beyond the basic plane."""
    table = np.full((1 << 16) + 1, -1, dtype=np.float32)
    table[0x4E00:0xA000] = 0
    table[[ord(char) for char in _EVERYDAY[encoding]]] = 0.75 if encoding.startswith("utf-16") else 0.5
    table[[ord(char) for char in COMMON]] = 1
    return table


_WEIGHTS = {encoding: _weights(encoding) for encoding in _EVERYDAY}


def detect(data: bytes) -> str | None:
    """The encoding of `data` (a beginning of a file will do), or None if it is not text."""
    sample = data[:SAMPLE]
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    if _ISO_2022.search(sample):
        return "iso2022_jp_2"
    controls = _count(sample, _CONTROL)
    if controls == 0 and _decodes(sample, "utf-8", whole=len(data) <= SAMPLE):
        return "hz" if sample.isascii() and _HZ.search(sample) else "utf-8"
    return _wide(sample) or (_legacy(sample) if controls == 0 else None)


def _count(sample: bytes, kind: bytes) -> int:
    """How many bytes are among `kind`."""
    return len(sample) - len(sample.translate(None, kind))


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: half or more of its units are common characters."""
    if len(sample) < 4 or _count(sample, _PRINTABLE) >= _ASCII_SHARE * len(sample):
        return None
    even = sample[: len(sample) // 2 * 2]
    score, best = max((_score(even, encoding), encoding) for encoding in ("utf-16-be", "utf-16-le"))
    return best if score > 0.45 else None


def _legacy(sample: bytes) -> str | None:
    scores = {encoding: _score(sample, encoding) for encoding in _LEGACY}
    best = max(scores, key=scores.__getitem__)
    if scores[best] > 0.2:
        return best
    # Latin-1 reads anything; it is text if letters and not symbols of the upper half stand among plain ASCII.
    return "cp1252" if _count(sample, _PRINTABLE) >= 0.6 * len(sample) else None


def _score(sample: bytes, encoding: str) -> float:
    """How common the characters are when read in `encoding`: 1 is running text, -1 and less is not this encoding."""
    text = _strict(sample, encoding)
    if text is None:
        return -2.0
    numbers = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    if not encoding.startswith("utf-16"):
        numbers = numbers[numbers > 0x7F]
        beginning = text[:_LOOK]
        if 2 * len(_GLUED.findall(beginning)) > len(_RUN.findall(beginning)):
            return -1.0 if len(numbers) else -2.0
    if not len(numbers):
        return -2.0
    return float(_WEIGHTS[encoding][np.minimum(numbers, 1 << 16)].mean())


def _strict(sample: bytes, encoding: str) -> str | None:
    """`sample` decoded, up to three bytes of a character cut at its end forgiven; None if it is not in `encoding`."""
    for cut in range(4):
        try:
            return sample[: len(sample) - cut].decode(encoding)
        except UnicodeDecodeError as error:
            if error.start < len(sample) - 4:
                return None
    return None


def _decodes(sample: bytes, encoding: str, *, whole: bool) -> bool:
    if not whole:
        return _strict(sample, encoding) is not None
    try:
        sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def decode(data: bytes, encoding: str | None) -> str:
    """`data` in `encoding`, or in the detected one; lines it does not fit are read one by one in their own."""
    chosen = known(encoding) or detect(data) or "utf-8"
    try:
        return data.decode(chosen)
    except (UnicodeError, ValueError):
        if chosen.startswith(("utf-16", "utf-32", "iso2022", "hz")):
            return data.decode(chosen, "replace")
    return "".join(_line(line, chosen) for line in _NEWLINE.split(data))


def _line(line: bytes, chosen: str) -> str:
    for encoding in (chosen, "utf-8", "gb18030"):
        try:
            return line.decode(encoding)
        except UnicodeError:
            continue
    return line.decode("latin-1")


def known(encoding: str | None) -> str | None:
    """Python's name for a declared charset, or None for one that it does not know or that is no text encoding.

    Declared GB 2312 and GBK are read as GB 18030, their superset, and Big5 with the Hong Kong characters: what
    mail programs declare is often the smaller set.
    """
    if not encoding or not encoding.isascii() or len(encoding) > 40:
        return None
    try:
        found = codecs.lookup(encoding.strip().strip("'\"").removesuffix("_charset"))
    except (LookupError, ValueError, UnicodeError):
        return None
    if found.name in _NOT_CHARSETS:
        return None
    return {"gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "iso8859-1": "cp1252", "ascii": None}.get(
        found.name, found.name
    )
