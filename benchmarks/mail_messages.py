"""The messages of the mail benchmark: ordinary letters, and text files attached to the larger ones.

What is attached is text, so that whoever inspects has something to read and nobody has a reason to stop it.
"""

import base64
from pathlib import Path

from benchmarks.end_to_end import prose

SIZES = {"10 KB": 10_000, "200 KB": 200_000, "20 MB": 20_000_000}
"""The name of a size and its bytes on the wire, to a few per cent."""
_ATTACHED = 1_500_000
"""Bytes of one attachment at the most, before base64."""
_HEAD = """\
From: Sender <sender@example.com>
To: Recipient <recipient@example.net>
Subject: Papers for the meeting of {size} bytes
Date: Mon, 09 Nov 2026 09:00:00 +0800
Message-ID: <{size}.1@example.com>
MIME-Version: 1.0
"""
_TEXT = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"


def message(size: int) -> bytes:
    """About `size` bytes of a message with CRLF line ends: one text up to 20,000, else a letter with files attached."""
    head = _HEAD.format(size=size)
    if size <= 20_000:
        return _wire(head + _TEXT + _lines(size - len(head)))
    parts = [_TEXT + _lines(5_000)]
    left = (size - 5_000) * 18 // 25  # base64 in lines of 76
    while left > 0:
        piece = min(left, _ATTACHED)
        parts.append(_attachment(f"minutes-{len(parts)}.txt", piece))
        left -= piece
    boundary = "\n--=_papers\n"
    top = f'{head}Content-Type: multipart/mixed; boundary="=_papers"\n'
    return _wire(top + boundary + boundary.join(parts) + "\n--=_papers--\n")


def written(folder: Path, size: int) -> Path:
    """The file of that message for smtp-source -F, which wants the line ends of Unix."""
    path = folder / f"{size}.eml"
    if not path.exists():
        path.write_bytes(message(size).replace(b"\r\n", b"\n"))
    return path


def _wire(text: str) -> bytes:
    return text.encode().replace(b"\n", b"\r\n")


def _lines(size: int) -> str:
    """Prose of about `size` bytes in UTF-8, in lines of a length that mail programs write."""
    words = prose(size, 7).encode()[:size].decode(errors="ignore").replace("\n", " ")
    return "\n".join(words[at : at + 40] for at in range(0, len(words), 40)) + "\n"


def _attachment(name: str, size: int) -> str:
    block = prose(min(size, 100_000), len(name)).encode()
    content = (block * (size // len(block) + 1))[:size].decode(errors="ignore").encode()
    head = f'Content-Type: text/plain; charset=utf-8; name="{name}"\nContent-Transfer-Encoding: base64\n'
    return f'{head}Content-Disposition: attachment; filename="{name}"\n\n{base64.encodebytes(content).decode()}'
