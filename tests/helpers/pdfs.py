"""PDF files made of objects given as they are (ISO 32000-1, clause 7), updated and encrypted by hand."""

import hashlib
import zlib
from collections.abc import Mapping

Objects = Mapping[int, bytes]
_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
"""What fills a password to 32 bytes (7.6.3.3, algorithm 2)."""
FILE_ID = b"0123456789abcdef"


def a_file(objects: Objects, *, trailer: bytes = b"") -> bytes:
    """A document whose catalog is object 1; `trailer` are more entries of the trailer."""
    out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    return out + _body(objects, at=len(out), trailer=trailer)


def updated(data: bytes, objects: Objects, *, trailer: bytes = b"") -> bytes:
    """`data` with `objects` replaced or added by an incremental update (7.5.6)."""
    before = int(data[data.rindex(b"startxref") + 9 :].split()[0])
    return data + _body(objects, at=len(data), trailer=b"/Prev %d " % before + trailer)


def _body(objects: Objects, *, at: int, trailer: bytes) -> bytes:
    out = b""
    table = b"xref\n0 1\n0000000000 65535 f \n"
    for number, content in sorted(objects.items()):
        table += b"%d 1\n%010d 00000 n \n" % (number, at + len(out))
        out += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    last = b"trailer\n<< /Size 1000 /Root 1 0 R " + trailer + b" >>\nstartxref\n%d\n%%%%EOF\n" % (at + len(out))
    return out + table + last


def a_stream(content: bytes, entries: str = "", *, packed: bool = False) -> bytes:
    """A stream object; `packed` by FlateDecode."""
    if packed:
        content, entries = zlib.compress(content), entries + " /Filter /FlateDecode"
    return f"<< {entries} /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"


def an_object_stream(objects: Objects) -> bytes:
    """Objects packed into one stream (7.5.7). No cross-reference stream refers to them: they are there to be found."""
    places, body = b"", b""
    for number, content in sorted(objects.items()):
        places += b"%d %d " % (number, len(body))
        body += content + b" "
    return a_stream(places + body, f"/Type /ObjStm /N {len(objects)} /First {len(places)}", packed=True)


def a_page(
    content: bytes = b"", *, more: Objects | None = None, catalog: str = "", page: str = "", resources: str = ""
) -> dict[int, bytes]:
    """The objects of a document of one page: 1 the catalog, 2 the page tree, 3 the page, 4 its content, 5 Helvetica, and `more`.

    `catalog`, `page` and `resources` are further entries of these.
    """
    return {
        1: f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R {page} "
            f"/Resources << /Font << /F1 5 0 R >> {resources} >> >>"
        ).encode(),
        4: a_stream(content),
        5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        **(more or {}),
    }


def shown(text: str, *, mode: int = 0, at: int = 400) -> bytes:
    """The operators that show an ASCII text in a rendering mode (9.3.6); 3 is invisible."""
    return f"BT /F1 12 Tf {mode} Tr 50 {at} Td ({text}) Tj ET\n".encode()


def an_image(width: int, height: int, *, seed: int = 0) -> bytes:
    """A grey image with a pattern that `seed` changes."""
    rows = bytes((number * 7 + seed) % 251 for number in range(width * height))
    entries = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /BitsPerComponent 8 /ColorSpace /DeviceGray"
    return a_stream(rows, entries, packed=True)


def encrypted(objects: Objects, *, user: str = "", owner: str = "owner") -> bytes:
    """A document encrypted by the standard security handler, revision 2, RC4 of 40 bits (7.6.3).

    Only streams are encrypted: `objects` hold no strings.
    """
    sealed = _rc4(hashlib.md5(_padded(owner)).digest()[:5], _padded(user))
    key = hashlib.md5(_padded(user) + sealed + (-4).to_bytes(4, "little", signed=True) + FILE_ID).digest()[:5]
    hidden = dict(objects)
    for number, content in objects.items():
        head, mark, rest = content.partition(b"stream\n")
        if mark:
            body, _, _ = rest.rpartition(b"\nendstream")
            own = hashlib.md5(key + number.to_bytes(3, "little") + bytes(2)).digest()[:10]
            hidden[number] = head + mark + _rc4(own, body) + b"\nendstream"
    entry = b"/Encrypt << /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O <%s> /U <%s> >> /ID [<%s> <%s>]"
    named = (sealed.hex().encode(), _rc4(key, _PADDING).hex().encode(), FILE_ID.hex().encode(), FILE_ID.hex().encode())
    return a_file(hidden, trailer=entry % named)


def _padded(password: str) -> bytes:
    return (password.encode("latin-1") + _PADDING)[:32]


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
