"""Salvage by runs of printable text."""

import pytest

from dlp.extract.strings import strings


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le", "utf-16-be"])
def test_text_between_bytes_is_found(encoding: str) -> None:
    data = b"\xff\x00\x01\xfe" + "绝密文件的内容".encode(encoding) + b"\x00\xff\x02\x01"
    for lead in (b"", b"\x00"):
        assert any("绝密文件" in run for run in strings(lead + data))


def test_short_runs_in_a_row_are_given_once() -> None:
    data = "中文的国ab".encode("gb18030") * 20_000
    assert sum(map(len, strings(data))) < 10 * len(data)


def test_runs_are_found_across_windows() -> None:
    data = bytes(range(128, 160)) * 131_072 + "机密文件的内容".encode() + bytes(64)
    assert any("机密文件" in run for run in strings(data))
