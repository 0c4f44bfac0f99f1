import itertools

import pytest

from dlp.model import Part, Raw, Zone
from tests.extract.reading import parts, read, text, unread

CHINESE = "中华人民共和国居民身份证法规定，公民应当申请领取。\n号码：110101199003077758，密级：机密★10年。\n" * 3
CLASSICAL = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "hz"],
)
def test_chinese_is_read_in_every_encoding(encoding: str) -> None:
    content = CHINESE.replace("★", "") if encoding == "hz" else CHINESE
    pieces = read(content.encode(encoding), "a.txt")
    assert content.strip() in text(pieces, Zone.BODY).replace("\ufeff", "")
    assert not unread(pieces)


@pytest.mark.parametrize("encoding", ["big5", "big5hkscs", "gb18030"])
def test_a_short_poem_is_read(encoding: str) -> None:
    assert CLASSICAL in text(read(CLASSICAL.encode(encoding)))


def test_japanese_is_read() -> None:
    written = "これは秘密の書類です。社外に持ち出さないでください。"
    assert written in text(read(written.encode("cp932")))
    assert written in text(read(written.encode("iso2022_jp")))


def test_latin_is_read() -> None:
    assert "Geschäftsführer über" in text(read(("Der Geschäftsführer über alles im Haus. " * 5).encode("latin-1")))


def test_ascii_is_not_taken_for_utf_16() -> None:
    assert parts(read(b"ab" * 400))[0].text == "ab" * 400


def test_lines_in_another_encoding_are_not_lost() -> None:
    data = CHINESE.encode() + "绝密文件".encode("gb18030") + b"\n" + CHINESE.encode()
    assert "绝密文件" in text(read(data))


def test_an_encoding_that_changes_after_the_sample_is_not_lost() -> None:
    data = b"plain ascii line\n" * 10_000 + "绝密文件\n".encode("gb18030")
    assert "绝密文件" in text(read(data))


def test_the_name_and_the_bytes_come_first() -> None:
    pieces = read(b"hello", "机密.txt")
    assert pieces[0] == Part(text="机密.txt", zone=Zone.FILENAME)
    assert isinstance(pieces[1], Raw)
    assert bytes(pieces[1].data) == b"hello"
    assert pieces[2] == Part(text="hello", start=True)


def test_an_empty_file_is_read() -> None:
    assert read(b"", "a.txt") == [Part(text="a.txt", zone=Zone.FILENAME)]


def test_a_long_text_comes_in_pieces_that_overlap() -> None:
    found = parts(read(b"".join(b"%07d\n" % i for i in range(400_000))))
    assert len(found) > 1
    assert [part.start for part in found] == [True] + [False] * (len(found) - 1)
    assert all(one.text[-4096:] == two.text[:4096] for one, two in itertools.pairwise(found))
    assert "0399999" in found[-1].text


def test_a_long_utf_16_text_is_read_to_its_end() -> None:
    assert text(read(("汉字与数字一起，" * 300_000 + "末尾").encode("utf-16"))).endswith("末尾")
