"""Messages for the way through a mail server: every encoding, folding and charset, and what no standard allows."""

import base64
import binascii
import itertools
import os
import quopri
from collections.abc import Iterator
from pathlib import Path

TEXT = "Grüße aus Peking, 生产计划与进度\r\n.\r\n..\r\nFrom here on\r\n\r\n=3D end \r\n"
ENCODINGS = ("7bit", "8bit", "binary", "quoted-printable", "base64", "x-uuencode", "unknown")
CHARSETS = ("utf-8", "gb18030", "gbk", "big5", "iso-8859-1", "utf-16", "iso-2022-jp", "koi8-r")
FOLDINGS = ("\r\n ", "\r\n\t", " \r\n  ", "\r\n \r\n ", "\r\n                    ")


def made() -> list[bytes]:
    """At least 160 messages, always the same."""
    return [*_encoded(), *_folded(), *_headers(), *_bodies(), *_nested(), *_line_ends()]


def real() -> list[bytes]:
    """Messages of public parsers' fixtures, where DLP_CORPUS says where they are; else none."""
    folder = Path(os.environ.get("DLP_CORPUS", "/nonexistent"), "mail")
    return [path.read_bytes() for path in sorted(folder.glob("*")) if path.suffix in (".eml", ".msg", ".txt")]


def _message(*, head: bytes = b"", body: bytes = b"text\r\n") -> bytes:
    return b"From: post@example.net\r\nTo: b@example.org\r\n" + head + b"\r\n" + body


def _encoded() -> Iterator[bytes]:
    for encoding, charset in itertools.product(ENCODINGS, CHARSETS):
        body = _in(encoding, TEXT.encode(charset, "replace"))
        head = f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
        yield _message(head=head.encode(), body=body)


def _in(encoding: str, content: bytes) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(content).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return quopri.encodestring(content).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if encoding == "x-uuencode":
        lines = [binascii.b2a_uu(content[at : at + 45]).rstrip(b"\n") for at in range(0, len(content), 45)]
        return b"\r\n".join([b"begin 644 x.txt", *lines, b"`", b"end", b""])
    return content


def _folded() -> Iterator[bytes]:
    for folding, name in itertools.product(FOLDINGS, ("Subject", "References", "X-Own", "To", "Content-Type", "DKIM-Signature")):
        value = folding.join(["text/plain; charset=utf-8;", "two;", "x=three;", "end"])
        yield _message(head=f"{name}: {value}\r\n".encode())


def _headers() -> Iterator[bytes]:
    for value in (
        b"\xd6\xd0\xce\xc4 raw GBK",
        "原文 UTF-8".encode(),
        b"=?utf-8?B?5py65a+G?= and =?gbk?Q?=D6=D0?=",
        b"=?broken?X?zzz?=",
        b"nul\0inside",
        b"\x01\x02\x7f controls",
        b"x" * 998,
        b"y" * 5000,
        b"word " * 2000,
        b"",
        b" " * 100,
        b"tab\tand\x0bmore\x0c",
        bytes(range(0x80, 0x100)),
    ):
        yield _message(head=b"Subject: " + value + b"\r\n")
    for head in (
        b"Subject:no space\r\n",
        b"Subject : space before\r\n",
        b"no colon here\r\nSubject: after\r\n",
        b": no name\r\n",
        b"\xff\xfe: 8-bit name\r\n",
        b"Subject: one\r\nSubject: two\r\n",
        b"From: second@example.net\r\nFrom: third\r\n",
        b"Received: from x by y; date\r\n" * 20,
        b"X-Many: 1\r\n" * 500,
        b"Bcc: hidden@example.org\r\n",
        b"Resent-From: r@example.org\r\nResent-To: q@example.org\r\n",
        b"Return-Path: <x@example.net>\r\n",
        b"Content-Length: 3\r\n",
        b"Mime-Version: 1.0 (comment (nested))\r\n",
        b">From mailbox\r\n",
        b"From post@example.net Mon Jan  1 00:00:00 2024\r\n",
    ):
        yield _message(head=head)
    yield b" starts folded\r\nSubject: x\r\n\r\nbody\r\n"
    yield b"\r\nno header at all\r\n"
    yield b"just a line\r\n"
    yield b"Subject: no body\r\n"
    yield b"Subject: no body but the line\r\n\r\n"
    yield b"\r\n"
    yield b""


def _bodies() -> Iterator[bytes]:
    for body in (
        b"",
        b"\r\n" * 500,
        b".\r\n",
        b"..\r\n...\r\n.x\r\n. \r\n",
        b".\r\n" * 2000,
        b"\0\0\r\na\0b\r\n",
        bytes(set(range(256)) - {10, 13}) + b"\r\n",
        b"z" * 990 + b"\r\n",
        b"z" * 998 + b"\r\n",
        b"z" * 999 + b"\r\n",
        b"z" * 2048 + b"\r\n",
        b"z" * 100_000 + b"\r\n",
        b"." * 5000 + b"\r\n",
        b"no line end",
        b"blanks at the end   \r\n\t\t\r\n",
        b"QUIT\r\nRSET\r\nMAIL FROM:<x@y>\r\nDATA\r\n",
        b"From the start\r\n>From quoted\r\n",
        b"0123456789abcdef\r\n" * 60_000,
        "机器\r\n".encode("utf-16-le") + b"\r\n",
        b"\x1b[31mred\x1b[0m\r\n",
        b"\xe2\x80\xa8line\xc2\x85separators\x0c\r\n",
    ):
        yield _message(body=body)


def _nested() -> Iterator[bytes]:
    for depth in (1, 5, 20, 60, 150):
        inner = b"Content-Type: text/plain\r\n\r\ninnermost\r\n"
        for level in range(depth):
            mark = b"b%d" % level
            inner = (
                b"Content-Type: multipart/mixed; boundary="
                + mark
                + b"\r\n\r\n--"
                + mark
                + b"\r\n"
                + inner
                + b"\r\n--"
                + mark
                + b"--\r\n"
            )
        yield b"From: post@example.net\r\nMIME-Version: 1.0\r\n" + inner
        inner = b"Subject: innermost\r\n\r\ntext\r\n"
        for _ in range(depth):
            inner = b"Subject: outer\r\nContent-Type: message/rfc822\r\n\r\n" + inner
        yield inner
    for head, body in (
        (b"multipart/mixed; boundary=", b"--\r\n\r\nx\r\n----\r\n"),
        (b'multipart/mixed; boundary="never seen"', b"no boundary\r\n"),
        (b"multipart/mixed; boundary=x", b"--x\r\n\r\nnever closed\r\n"),
        (b"multipart/mixed", b"--x\r\n\r\nno boundary named\r\n--x--\r\n"),
        (b"multipart/mixed; boundary=x", b"--x\r\n--x\r\n--x--\r\n--x--\r\nafter\r\n"),
        (b"multipart/alternative; boundary=x", b"--x\r\nContent-Type: text/html\r\n\r\n<p>1\r\n--x\r\n\r\n2\r\n--x--\r\n"),
        (b"text/plain; charset", b"x\r\n"),
        (
            b"application/octet-stream; name*0*=utf-8''%e6%9c; name*1*=%ba.bin",
            bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n",
        ),
        (b"message/partial; id=1; number=1; total=2", b"half\r\n"),
        (b"\0", b"x\r\n"),
    ):
        yield _message(head=b"MIME-Version: 1.0\r\nContent-Type: " + head + b"\r\n", body=body)


def _line_ends() -> Iterator[bytes]:
    for body in (
        b"a\nb\nc\n",
        b"a\rb\rc\r\n",
        b"a\r\r\nb\n\r\nc\r\n",
        b"\n\n\n\r\n",
        b"\r\r\r\r\n",
        b"a\n.\nb\r\n",
        b"a\n.\r\nb\r\n",
        b"a\r.\rb\r\n",
        b"a\n..\nb\r\n",
        b"ends with LF\n",
        b"ends with CR\r",
    ):
        yield _message(body=body)
    yield b"Subject: LF in the header\nX-Next: 1\n\nbody\n"
    yield b"Subject: CR in the header\rX-Next: 1\r\n\r\nbody\r\n"
    yield b"Subject: folded by CR\r next\r\n\r\nbody\r\n"
    yield b"Subject: mixed\r\nX: y\n\r\nbody\r\n"
