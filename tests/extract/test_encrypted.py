import struct
from pathlib import Path

import pytest

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.passwords import OPENED
from dlp.extract.unlock import unlocked
from dlp.extract.walk import walk
from dlp.model import Limits, Part, Why, Zone
from tests.extract.reading import read, text, unread
from tests.helpers.compound import a_compound
from tests.helpers.documents import a_docx, a_xlsx
from tests.helpers.legacy import a_doc, a_property_set, sealed


def test_a_protected_package_is_told() -> None:
    pieces = read(sealed(a_docx(["SECRET1"]), "unknown"), "a.docx")
    assert unread(pieces) == [(Why.ENCRYPTED, ())]
    assert "SECRET1" not in text(pieces)


def test_a_known_password_opens_it_and_stands_nowhere() -> None:
    data = sealed(a_docx(["机密 SECRET1"]), "Q3-2024!")
    pieces = list(walk(Document(data=data), Budget(Limits(), passwords=["wrong", "Q3-2024!"])))
    assert not unread(pieces)
    assert "机密 SECRET1" in text(pieces, Zone.BODY, (OPENED,))
    assert "Q3-2024!" not in text(pieces)
    assert not [piece for piece in pieces if isinstance(piece, Part) and "Q3-2024!" in piece.trail]


def test_the_default_password_is_no_secret() -> None:
    pieces = read(sealed(a_xlsx({"表": [["SECRET1"]]}), "VelvetSweatshop"))
    assert not unread(pieces)
    assert "SECRET1" in text(pieces, Zone.BODY, (OPENED, "表"))


def test_what_stands_beside_a_protected_package_is_read() -> None:
    label = a_property_set(custom={"MSIP_Label_1_Name": "机密 LABEL1"})
    license_words = "<XrML>LICENSEE1</XrML>".encode("utf-16-le")
    pieces = read(
        a_compound(
            {
                ("EncryptedPackage",): b"\x07" * 5000,
                ("EncryptionInfo",): struct.pack("<HHI", 4, 4, 0x40) + b"<not xml",
                ("\5DocumentSummaryInformation",): label,
                ("\6DataSpaces", "TransformInfo", "DRMEncryptedTransform", "\6Primary"): license_words,
            }
        )
    )
    assert (Why.ENCRYPTED, ()) in unread(pieces)
    assert "MSIP_Label_1_Name: 机密 LABEL1" in text(pieces, Zone.PROPERTY)
    assert "LICENSEE1" in text(pieces, Zone.PROPERTY)


def test_a_password_hash_without_end_is_not_gone_through() -> None:
    data = sealed(a_docx(["SECRET1"]), "VelvetSweatshop", rounds=1001).replace(b'spinCount="1001" ', b'spinCount="1000001"')
    assert unlocked(data, Budget(Limits())) is None


def test_chains_that_close_on_themselves_end_when_it_is_unlocked() -> None:
    data = bytearray(a_doc("SECRET1", password="secret", data=b"x" * 100))
    table = 512 + 512 * struct.unpack_from("<I", data, 60)[0]
    for sector in range(40):
        struct.pack_into("<I", data, table + 4 * sector, sector)  # each its own next
    pieces = list(walk(Document(data=bytes(data)), Budget(Limits(), passwords=["secret"])))
    assert pieces
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


@pytest.mark.parametrize(
    "info", [b"", b"\4\0\4\0", struct.pack("<HHI", 4, 4, 0x40) + b"<a/>", struct.pack("<HHII", 3, 2, 0, 1 << 31), b"\3\0\3\0" * 9]
)
def test_a_damaged_description_of_the_encryption_is_encrypted_all_the_same(info: bytes) -> None:
    pieces = read(a_compound({("EncryptedPackage",): b"\x07" * 5000, ("EncryptionInfo",): info}))
    assert (Why.ENCRYPTED, ()) in unread(pieces)
    assert Why.CRASHED not in [why for why, _ in unread(pieces)]


def test_what_is_not_encrypted_is_not_unlocked() -> None:
    assert unlocked(a_docx(["x"]), Budget(Limits())) is None
    assert unlocked(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), Budget(Limits())) is None


@pytest.mark.corpus
def test_real_encrypted_packages_are_told(corpus: Path) -> None:
    for name in ("agile.docx", "agile.xlsx"):
        assert (Why.ENCRYPTED, ()) in unread(read((corpus / "synth" / "encrypted" / name).read_bytes(), name))
