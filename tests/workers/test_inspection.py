"""The real inspection in a real child: nothing it needs is lacking there, whatever the format."""

import asyncio
from pathlib import Path

import pytest

from dlp.blob import Blob
from dlp.detect.detector import Detector
from dlp.errors import SignatureError
from dlp.extract.budget import Budget
from dlp.inspection import inspect
from dlp.model import Channel, Inspection, Limits, Unscannable
from dlp.workers.processes import JOB, LOADER
from tests.helpers.documents import a_docx, a_mail, a_pdf, a_pptx, a_tar, a_xlsx, a_zip
from tests.workers.helpers import a_pool, an_item

RULE = """
rule code_word { meta:
    title = "A code name" title_zh = "代号" category = "code-names" confidence = 90
    strings: $a = "bluebird" nocase condition: $a }
"""
TEXT = "Project Bluebird ships in May. 蓝鸟项目五月交付。"
OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)
DOCUMENTS = {
    "a.txt": TEXT.encode(),
    "utf16.txt": TEXT.encode("utf-16"),
    "gb18030.txt": (TEXT * 20).encode("gb18030"),
    "big5.txt": (TEXT.replace("项", "項") * 20).encode("big5", "ignore"),
    "a.html": f"<html><body><p>{TEXT}</p></body></html>".encode(),
    "a.docx": a_docx([TEXT], header=TEXT),
    "a.xlsx": a_xlsx({"One": [[TEXT]]}),
    "a.pptx": a_pptx([("Title", [TEXT])]),
    "a.pdf": a_pdf(["Project Bluebird ships in May."]),
    "a.zip": a_zip({"a.docx": a_docx([TEXT])}),
    "a.tar.gz": a_tar({"a.txt": TEXT}, compression="gz"),
    "a.tar.xz": a_tar({"a.txt": TEXT}, compression="xz"),
    "a.eml": a_mail(body=TEXT),
    "a.doc": OLE + TEXT.encode("utf-16-le") * 10,
    "a.bin": bytes(range(256)) * 4 + TEXT.encode(),
}
LIMITS = Limits(seconds=20)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules.yar").write_text(RULE)
    return tmp_path


def comparable(inspection: Inspection) -> tuple[object, ...]:
    return inspection.media_type, inspection.parts, inspection.text_chars, inspection.findings, inspection.unscannable


async def test_a_child_finds_what_this_process_finds(rules: Path) -> None:
    detector = Detector.load([rules])
    async with a_pool(limits=LIMITS, paths=(rules,), job=JOB, loader=LOADER) as workers:
        assert workers.signatures == {"code_word"}
        for name, content in DOCUMENTS.items():
            here = inspect(memoryview(content), name=name, media=None, budget=Budget(LIMITS), detector=detector)
            with Blob.of([content]) as blob:
                found = await workers.inspect(an_item(blob=blob, name=name))
            assert comparable(found) == comparable(here), name
            assert [one.signature for one in found.findings][:1] == ["code_word"], name


async def test_a_message_is_inspected_as_one(rules: Path) -> None:
    async with a_pool(limits=LIMITS, paths=(rules,), job=JOB, loader=LOADER) as workers:
        with Blob.of([a_mail(body=TEXT)]) as blob:
            found = await workers.inspect(an_item(blob=blob, channel=Channel.MAIL))
        assert (found.media_type, found.unscannable) == ("message/rfc822", ())
        assert [one.signature for one in found.findings] == ["code_word"]
        await workers.check()


async def test_a_bomb_is_never_clean(rules: Path) -> None:
    limits = Limits(seconds=20, memory=256 << 20, expanded_bytes=8 << 20)
    async with a_pool(limits=limits, paths=(rules,), job=JOB, loader=LOADER) as workers:
        with Blob.of([a_zip({"bomb.txt": bytes(64 << 20)})]) as blob:
            found = await workers.inspect(an_item(blob=blob, name="bomb.zip"))
        assert found.unscannable
        assert all(isinstance(one, Unscannable) for one in found.unscannable)


async def test_signatures_that_do_not_compile_are_the_operators_fault(tmp_path: Path) -> None:
    (tmp_path / "bad.yar").write_text("rule x { condition: nonsense }")
    with pytest.raises(SignatureError) as raised:
        async with a_pool(paths=(tmp_path,), job=JOB, loader=LOADER):
            await asyncio.sleep(0)
    assert str(tmp_path / "bad.yar") in raised.value.faults[0].where
