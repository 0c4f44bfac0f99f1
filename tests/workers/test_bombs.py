"""What a library in C makes of a bomb is bounded, told, and the document's own affair: the rest of the item is read."""

import zlib
from pathlib import Path

from dlp.blob import Blob
from dlp.model import Channel, Limits, Why
from dlp.workers.processes import JOB, LOADER
from tests.helpers.documents import a_docx, a_mail
from tests.workers.helpers import a_pool, an_item

RULE = """
rule code_word { meta:
    title = "A code name" title_zh = "代号" category = "code-names" confidence = 90
    strings: $a = "bluebird" nocase condition: $a }
"""
BLOCK = 16 << 20


def zeros(blocks: int) -> bytes:
    """A zlib stream (RFC 1950) of so many times 16 MiB of zeros, made from one block."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    check = (blocks * BLOCK % 65521) << 16 | 1
    return b"\x78\xda" + block * blocks + b"\x03\x00" + check.to_bytes(4, "big")


def a_bomb(blocks: int) -> bytes:
    """A PDF of one page, whose content stream is that many zeros."""
    packed = zeros(blocks)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(packed), packed),
    ]
    body, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    body += b"xref\n0 5\n0000000000 65535 f \n%btrailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (table, len(body))
    return bytes(body)


async def test_a_page_of_a_gigabyte_costs_the_page_and_not_the_message(tmp_path: Path) -> None:
    (tmp_path / "rules.yar").write_text(RULE)
    bomb, plan = a_bomb(64), a_docx(["Project Bluebird ships in May."])
    message = a_mail(attachments=[("bomb.pdf", "application/pdf", bomb), ("plan.docx", "application/octet-stream", plan)])
    limits = Limits(seconds=20, memory=256 << 20)
    async with a_pool(limits=limits, paths=(tmp_path,), job=JOB, loader=LOADER) as workers:
        with Blob.of([message]) as blob:
            found = await workers.inspect(an_item(blob=blob, channel=Channel.MAIL))
    assert [(one.signature, one.trail[-1]) for one in found.findings] == [("code_word", "plan.docx")]
    (place,) = found.unscannable
    assert place.trail[-1] == "bomb.pdf"
    assert place.why in {Why.CRASHED, Why.TOO_LARGE}
