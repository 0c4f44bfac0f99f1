"""Hidden names lead back to the own name; a notice is known by its content, not by its name."""

import os

from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.folder_names import hidden_name, is_notice_name, is_our_notice, notice_names, notice_text, own_name

NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: not set(name) & {0, 0x2F}).map(os.fsdecode)


@given(NAMES)
def test_a_hidden_name_fits_and_leads_back(name: str) -> None:
    hidden = hidden_name(name)
    assert len(os.fsencode(hidden)) <= 255
    own = own_name(hidden)
    assert own is not None
    assert own == name or (name.startswith(own) and len(os.fsencode(name)) > 230)


@given(NAMES)
def test_notice_names_fit_and_differ(name: str) -> None:
    names = list(notice_names(name))
    assert len(set(names)) == len(names) == 9
    assert all(len(os.fsencode(one)) <= 255 and is_notice_name(one) for one in names)


def test_other_names_are_not_hidden_ones() -> None:
    assert own_name(".dlp-restore-0123456789abcdef") is None
    assert own_name(".dlp-0123456789abcdef~") is None
    assert not is_notice_name("report.txt")


@given(st.text(), st.text(max_size=3))
def test_a_notice_knows_itself(text: str, added: str) -> None:
    notice = notice_text(text.encode("utf-8", "ignore").decode(), "inc-1")
    assert is_our_notice(notice, "inc-1")
    assert not is_our_notice(notice, "inc-2")
    assert not is_our_notice(b"x" + notice, "inc-1")
    assert not is_our_notice(notice + b"x", "inc-1")
    assert not is_our_notice(b"\xff", "inc-1")
