"""The searches of running markup: nothing is passed over for the sake of speed."""

import struct

import pytest

from dlp.extract.flow import Flow
from dlp.extract.words import words
from dlp.model import Unscannable, Why, Zone
from tests.extract.reading import read, text
from tests.helpers.documents import a_zip

_NAMED = (
    *("descr", "title", "alt", "string", "author", "initials", "instr", "tooltip", "alias", "tag", "displayText", "placeholder"),
    *("prompt", "promptTitle", "error", "errorTitle", "display", "location", "caption"),
)
_DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n'


def flowed(markup: str) -> dict[Zone, str]:
    flow = Flow(Zone.BODY)
    flow.feed(markup)
    return {zone: "".join(texts) for zone, texts in flow.texts.items()}


@pytest.mark.parametrize("name", _NAMED)
@pytest.mark.parametrize("form", ['<x {}="WORD1"/>', "<w:x a='1' w:{}='WORD1'>", '<x\n{}="WORD1"/>', '<x {} = "WORD1"/>'])
def test_an_attribute_that_holds_words_is_found(name: str, form: str) -> None:
    assert list(words('<a b="1" cde="23"/>' + form.format(name))) == [(Zone.HIDDEN, "WORD1")]


@pytest.mark.parametrize("name", ["themeColor", "typeface", "lang", "subtitle", "xalt", "stag", "mirror", "salt"])
def test_an_attribute_whose_name_only_ends_alike_is_not_one(name: str) -> None:
    assert list(words(f'<a {name}="WORD1" w:{name}="WORD2"/>')) == []


@pytest.mark.parametrize("head", ["", _DECLARED, "<?xml version='1.0'?>"])
@pytest.mark.parametrize("aside", ["<?say ASIDE1?>", "<!--ASIDE1-->", "<![CDATA[ASIDE1]]>", "<!ASIDE1>", "<?ASIDE1"])
def test_what_is_no_element_is_hidden_text(head: str, aside: str) -> None:
    assert "ASIDE1" in flowed(f"{head}<a>{aside}</a>")[Zone.HIDDEN]


def test_an_aside_that_breaks_off_the_declaration_is_told() -> None:
    assert "ASIDE1" in flowed("<?xml <?ASIDE1?><a/>")[Zone.HIDDEN]


@pytest.mark.parametrize("prefix", ["", "w:", "anything-else.1:"])
def test_a_tag_counts_whatever_its_prefix(prefix: str) -> None:
    tag = prefix + "t"
    paragraph = f"<{prefix}p><{tag}>ON</{tag}><{tag}>E1</{tag}><{prefix}tab/><{tag}>TWO1</{tag}></{prefix}p>"
    assert flowed(paragraph * 2) == {Zone.BODY: "ONE1\tTWO1\n" * 2}


@pytest.mark.parametrize(("field", "detail"), [(16, "checksum"), (24, "size")])
def test_a_small_member_that_is_not_as_stated_is_read_and_told(field: int, detail: str) -> None:
    data = bytearray(a_zip({"a.txt": b"SECRET1 " * 40}))
    entry = data.index(b"PK\1\2")
    (stated,) = struct.unpack_from("<L", data, entry + field)
    struct.pack_into("<L", data, entry + field, stated ^ 1)
    pieces = read(bytes(data), name="a.zip")
    assert "SECRET1" in text(pieces)
    told = [piece for piece in pieces if isinstance(piece, Unscannable)]
    assert [(piece.why, detail in piece.detail) for piece in told] == [(Why.CORRUPT, True)]
