import base64
from email.header import Header
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.extract.mime import FIELD, FIELDS, charsets, entity, guessed, media_type, parameters, split, unflowed, words

CHINESE = st.text(alphabet="机密文件通知绝不得外传 abc,.1", min_size=1, max_size=40).map(lambda text: "机" + text.strip() + "密")


def unfolded(value: str) -> str:
    return value.replace("\r", "").replace("\n", "")


@given(text=CHINESE, charset=st.sampled_from(["utf-8", "gb2312", "gb18030", "iso-2022-jp-2", "big5hkscs"]))
def test_encoded_words_are_decoded(text: str, charset: str) -> None:
    shown = text if charset in ("utf-8", "gb2312", "gb18030") else "機" + text[1:-1].encode("ascii", "ignore").decode() + "密"
    # The library folds at white space, which a reader cannot tell from what folding put there.
    assert words(unfolded(Header(shown, charset, maxlinelen=60).encode())).replace(" ", "") == shown.replace(" ", "")


@given(text=CHINESE, cuts=st.lists(st.integers(1, 60), max_size=4))
def test_words_cut_anywhere_are_joined(text: str, cuts: list[int]) -> None:
    raw = text.encode("gb18030")
    ends = sorted({min(cut, len(raw)) for cut in cuts} | {len(raw)})
    pieces = [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    value = " ".join(f"=?GBK?B?{base64.b64encode(piece).decode()}?=" for piece in pieces if piece)
    assert words(value) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=?utf-8?Q?a_b=20c?= d", "a b c d"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=  x  =?utf-8?q?b?=", "a  x  b"),
        ("=?utf-8*zh?B?5py6?=", "机"),
        ("=?utf-8?B?5py65a+G", "机密"),
        ('"=?utf-8?B?5py6?=" <a@b>', '"机" <a@b>'),
        ("=?no-such?Q?plain?=", "plain"),
        ("=?utf-8?B?!!!?=", "!!!"),
        ("=?", "=?"),
        ("a =?b?= c", "a =?b?= c"),
        ("\x1b$B5!L)\x1b(B", "機密"),
    ],
)
def test_words_are_read_leniently(value: str, shown: str) -> None:
    assert words(value) == shown


@given(name=CHINESE, charset=st.sampled_from(["utf-8", "gb18030"]))
def test_extended_parameters_are_decoded(name: str, charset: str) -> None:
    message = Message()
    message.add_header("Content-Disposition", "attachment", filename=(charset, "", name))
    assert parameters(";" + unfolded(str(message["Content-Disposition"])).partition(";")[2])["filename"].value == name


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('; a=b; c="d;e"', {"a": "b", "c": "d;e"}),
        ("; a = b ;c=d", {"a": "b", "c": "d"}),
        (r'; a="q\"uo\\te"', {"a": r"q\"uo\te".replace(r"\"", '"')}),
        ("; a*1=two; a*0=one", {"a": "onetwo"}),
        ("; a*0*=utf-8''%E6%9C; a*1*=%BA; a*2=.txt", {"a": "机.txt"}),
        ('; a="unclosed', {"a": "unclosed"}),
        ("; =x; a=y", {"a": "y"}),
        (" charset=utf-8", {"charset": "utf-8"}),
    ],
)
def test_parameters_are_read_leniently(value: str, found: dict[str, str]) -> None:
    assert {name: parameter.value for name, parameter in parameters(value).items()} == found


@pytest.mark.parametrize(
    ("value", "media"),
    [
        ("text/html; x", "text/html"),
        ("TEXT", "text/plain"),
        ("multipart", "multipart/mixed"),
        ("", "text/plain"),
        ('"image/png"', "image/png"),
        ("text / html", "text/html"),
        ("message", "message/rfc822"),
        ("x", "x/octet-stream"),
    ],
)
def test_media_types_are_read_leniently(value: str, media: str) -> None:
    assert media_type(value) == media


def test_a_header_is_bounded() -> None:
    long = entity(memoryview(b"A: " + b"x" * (FIELD + 10) + b"\r\nB: y\r\n\r\nbody"))
    assert [(field.name, field.whole) for field in long.fields] == [("a", False), ("b", True)]
    assert bytes(long.body) == b"body"
    many = entity(memoryview(b"a: b\n" * (FIELDS + 1) + b"\nbody"))
    assert (len(many.fields), many.whole, many.junk) == (FIELDS, False, b"a: b")


@given(
    boundary=st.text(alphabet="b-=_'()+.:?/ x", min_size=1, max_size=20).filter(lambda text: text.strip() == text),
    contents=st.lists(st.binary(max_size=30).filter(lambda content: b"--" not in content), min_size=1, max_size=5),
    end=st.sampled_from([b"\r\n", b"\n"]),
)
def test_parts_are_what_stands_between_the_delimiters(boundary: str, contents: list[bytes], end: bytes) -> None:
    if end == b"\n":
        contents = [content.rstrip(b"\r") for content in contents]
    line = b"--" + boundary.encode()
    body = b"pre" + end + b"".join(line + end + content + end for content in contents) + line + b"--" + end + b"post"
    found = split(memoryview(body), boundary, most=100)
    assert [bytes(part) for part in found.parts] == contents
    assert [bytes(epilogue) for epilogue in found.epilogues] == [b"post"]
    assert bytes(found.preamble).strip() == b"pre"


def test_more_delimiters_than_asked_for_are_told() -> None:
    found = split(memoryview(b"--b\nx\n" * 10), "b", most=3)
    assert not found.whole
    assert b"".join(bytes(part) for part in found.parts).count(b"x") == 10


def test_a_boundary_that_nobody_declared_is_guessed() -> None:
    assert guessed(b"text\r\n-- \r\nsignature\r\n--==b 1 \r\nContent-Type: a/b\r\n") == "==b 1"
    assert guessed(b"text\r\n--b\r\nno field\r\n") is None


def test_flowed_paragraphs_are_joined() -> None:
    assert unflowed("a \nb\nc \r\n d", delete_space=False) == "a b\nc d"
    assert unflowed("机 \n密", delete_space=True) == "机密"
    assert unflowed("> a \n> b\n-- \nc", delete_space=False) == "> a b\n-- \nc"


@pytest.mark.parametrize(
    ("content", "declared", "found"),
    [
        (b"ascii", "gb2312", ("ascii",)),
        ("机密".encode(), "utf-8", ("utf-8",)),
        ("机密".encode(), None, ("utf-8",)),
        ("机密".encode(), "gb2312", ("utf-8", "gb18030")),
        ("机密文件不得外传".encode() * 9, "gb2312", ("utf-8",)),
        ("机密".encode("gb18030"), "gb2312", ("gb18030",)),
        ("这是机密文件".encode("gb18030"), "iso-8859-1", ("gb18030", "cp1252")),
        ("Größe und Maß, Äpfel".encode("latin-1"), "iso-8859-1", ("cp1252",)),
        ("机密".encode("utf-16-le"), "utf-16-le", ("utf-16-le",)),
        (b"~{;zC\\~}", None, ("hz", "latin-1")),
        (b"\x1b$B5!L)\x1b(B", "iso-2022-jp", ("iso2022_jp",)),
    ],
)
def test_charsets_are_believed_as_far_as_the_bytes_agree(content: bytes, declared: str | None, found: tuple[str, ...]) -> None:
    assert charsets(content, declared) == found
