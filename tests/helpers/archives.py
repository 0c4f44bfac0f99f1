"""Archives made by code: by libarchive's own writers where it has one, else by hand, small and mostly stored."""

import ctypes
import hashlib
import hmac
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import libarchive
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from libarchive import ffi

from tests.helpers.documents import Member

_FREE = ffi.libarchive["archive_write_free"]
_FREE.argtypes = [ctypes.c_void_p]


def content(member: Member) -> bytes:
    """A member's bytes; a text in UTF-8."""
    return member.encode() if isinstance(member, str) else member


def written(format_name: str, members: Mapping[str, Member], *, filter_name: str | None = None, options: str = "") -> bytes:
    """An archive as libarchive writes it."""
    out = io.BytesIO()

    def keep(data: bytes) -> int:
        return out.write(data)

    with libarchive.custom_writer(keep, format_name, filter_name, options=options) as archive:
        for name, member in members.items():
            data = content(member)
            archive.add_file_from_memory(name, len(data), data)
    return out.getvalue()


def filtered(filter_name: str, data: bytes) -> bytes:
    """`data` through one compressor of libarchive."""
    out = io.BytesIO()
    with libarchive.custom_writer(out.write, "raw", filter_name) as archive:
        archive.add_file_from_memory("data", len(data), data)
    return out.getvalue()


def with_methods(members: Mapping[str, tuple[int, bytes, bytes]]) -> bytes:
    """A ZIP of members packed elsewhere: name → method, packed, plain."""
    out, directory = bytearray(), bytearray()
    for name, (method, packed, plain) in members.items():
        raw = name.encode()
        common = struct.pack("<HHHHHLLLHH", 63, 0x800, method, 0, 0x21, zlib.crc32(plain), len(packed), len(plain), len(raw), 0)
        directory += b"PK\1\2" + struct.pack("<H", 63) + common + struct.pack("<HHHLL", 0, 0, 0, 0, len(out)) + raw
        out += b"PK\3\4" + common + raw + packed
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(out), 0)
    return bytes(out + directory + end)


def zip_crypto(members: Mapping[str, Member], password: str) -> bytes:
    """A ZIP encrypted in PKWARE's first way (APPNOTE 6.1), deflated."""
    return _encrypted(members, lambda packed, crc: _traditional(packed, crc, password.encode()), method=8, crc=True)


def zip_aes(members: Mapping[str, Member], password: str, *, strength: int = 3) -> bytes:
    """A ZIP encrypted as WinZip does (AE-2), deflated."""
    extra = struct.pack("<HHH2sBH", 0x9901, 7, 2, b"AE", strength, 8)
    return _encrypted(members, lambda packed, _: winzip(packed, password.encode(), strength), method=99, crc=False, extra=extra)


def _encrypted(members, encrypt, *, method: int, crc: bool, extra: bytes = b"") -> bytes:  # type: ignore[no-untyped-def]
    out, directory = bytearray(), bytearray()
    for name, member in members.items():
        plain, raw = content(member), name.encode()
        deflate = zlib.compressobj(wbits=-15)
        checksum = zlib.crc32(plain)
        packed = encrypt(deflate.compress(plain) + deflate.flush(), checksum)
        common = struct.pack(
            "<HHHHHLLLHH", 51, 0x801, method, 0, 0x21, checksum if crc else 0, len(packed), len(plain), len(raw), len(extra)
        )
        directory += b"PK\1\2" + struct.pack("<H", 51) + common + struct.pack("<HHHLL", 0, 0, 0, 0, len(out)) + raw + extra
        out += b"PK\3\4" + common + raw + extra + packed
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(out), 0)
    return bytes(out + directory + end)


def _traditional(plain: bytes, crc: int, password: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def step(value: int, byte: int) -> int:
        return ~zlib.crc32(bytes((byte,)), ~value & 0xFFFFFFFF) & 0xFFFFFFFF

    def update(byte: int) -> None:
        keys[0] = step(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = step(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    out = bytearray()
    for byte in b"random head" + bytes((crc >> 24,)) + plain:
        low = keys[2] & 0xFFFF | 2
        out.append(byte ^ (low * (low ^ 1) >> 8) & 0xFF)
        update(byte)
    return bytes(out)


def winzip(plain: bytes, password: bytes, strength: int) -> bytes:
    """Salt, verifier, AES in WinZip's counter mode, MAC."""
    salt, size = b"saltsaltsaltsalt"[: 4 + 4 * strength], 8 + 8 * strength
    keys = hashlib.pbkdf2_hmac("sha1", password, salt, 1000, 2 * size + 2)
    cipher = bytearray()
    for number, at in enumerate(range(0, len(plain), 16), 1):
        block = Cipher(algorithms.AES(keys[:size]), modes.ECB()).encryptor().update(number.to_bytes(16, "little"))
        cipher += bytes(a ^ b for a, b in zip(plain[at : at + 16], block, strict=False))
    return salt + keys[-2:] + bytes(cipher) + hmac.new(keys[size : 2 * size], cipher, "sha1").digest()[:10]


def commented_zip(members: Sequence[tuple[str, Member, str]], comment: str) -> bytes:
    """A ZIP with a comment of its own and one for each member: name, content, comment."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, member, said in members:
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.comment = said.encode()
            archive.writestr(entry, content(member))
        archive.comment = comment.encode()
    return out.getvalue()


def self_extractor(archive: bytes) -> bytes:
    """The head of a Windows program with `archive` behind it."""
    head = bytearray(0x200)
    head[:2], head[0x3C:0x40] = b"MZ", struct.pack("<L", 0x80)
    head[0x80:0x98] = b"PE\0\0" + struct.pack("<HHLLLHH", 0x14C, 0, 0, 0, 0, 0xE0, 0x102)
    head[0x98:0x9A] = b"\x0b\x01"
    return bytes(head) + archive


def a_7z(
    members: Mapping[str, Member],
    *,
    method: str = "lzma2",
    password: str = "",
    hide_names: bool = False,
    folders: Sequence[str] = (),
    cycles: int = 6,
) -> bytes:
    """A solid 7z by hand (7zFormat.txt): `method` is copy, lzma, lzma2, x86 (over LZMA) or delta (over LZMA2)."""
    plain = [content(member) for member in members.values() if member]
    folder, packed = _7z_folder(b"".join(plain), method, password, cycles)
    header = _7z_header([_7z_streams(folder, 0, len(packed), plain), _7z_files(members, folders)])
    body = packed
    if hide_names:
        name_folder, name_packed = _7z_folder(header, "lzma", password, cycles)
        header = b"\x17" + _7z_streams(name_folder, len(body), len(name_packed), [header], sub=False)
        body += name_packed
    start = struct.pack("<QQL", len(body), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<L", zlib.crc32(start)) + start + body + header


def _number(value: int) -> bytes:
    return bytes((value,)) if value < 0x80 else b"\xff" + struct.pack("<Q", value)


def _7z_folder(plain: bytes, method: str, password: str, cycles: int) -> tuple[tuple[bytes, list[int]], bytes]:
    """The folder's definition with the sizes of its outputs, from the content to the packed stream; the packed stream."""
    first = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 2}
    second = {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}
    lzma1, lzma2 = b"\x23\x03\x01\x01\x05\x5d" + struct.pack("<L", 1 << 20), b"\x21\x21\x01\x10"
    coders, packed = {
        "copy": ([b"\x01\0"], plain),
        "lzma": ([lzma1], _raw(plain, [first])),
        "lzma2": ([lzma2], _raw(plain, [second])),
        "x86": ([b"\x04\x03\x03\x01\x03", lzma1], _raw(_raw_filter(plain), [first])),
        "delta": ([b"\x21\x03\x01\x03", lzma2], _raw(plain, [{"id": lzma.FILTER_DELTA, "dist": 4}, second])),
        "ppmd": ([b"\x23\x03\x04\x01\x05\x06\0\0\x10\0"], plain),
    }[method]
    sizes = [len(plain)] * len(coders)
    if password:
        coders = [*coders, b"\x24\x06\xf1\x07\x01" + bytes((10, 0x40 | cycles, 0x07)) + b"vectored"]
        sizes.append(len(packed))
        digest = hashlib.sha256()
        for counter in range(1 << cycles):
            digest.update(password.encode("utf-16-le") + struct.pack("<Q", counter))
        padded = packed + bytes(-len(packed) % 16)
        vector = b"vectored".ljust(16, b"\0")
        packed = Cipher(algorithms.AES(digest.digest()), modes.CBC(vector)).encryptor().update(padded)
    binds = b"".join(bytes((index, index + 1)) for index in range(len(coders) - 1))
    return (bytes((len(coders),)) + b"".join(coders) + binds, sizes), packed


def _raw(plain: bytes, filters: list[dict[str, int]]) -> bytes:
    return lzma.compress(plain, lzma.FORMAT_RAW, filters=filters)


def _raw_filter(plain: bytes) -> bytes:
    """`plain` through the x86 filter: what an LZMA2 decoder makes of a stream that was coded with it as well."""
    packed = lzma.compress(
        plain, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    )
    return lzma.decompress(packed, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}])


def _7z_streams(folder: tuple[bytes, list[int]], at: int, size: int, plain: list[bytes], *, sub: bool = True) -> bytes:
    definition, sizes = folder
    out = b"\x06" + _number(at) + b"\1\x09" + _number(size) + b"\0"
    out += b"\x07\x0b\1\0" + definition + b"\x0c" + b"".join(map(_number, sizes))
    crcs = b"\x0a\1" + b"".join(struct.pack("<L", zlib.crc32(one)) for one in plain)
    if not sub:
        return out + crcs + b"\0\0"
    counts = b"\x08\x0d" + _number(len(plain)) + b"\x09" + b"".join(_number(len(one)) for one in plain[:-1])
    return out + b"\0" + counts + crcs + b"\0\0"


def _7z_files(members: Mapping[str, Member], folders: Sequence[str]) -> bytes:
    names = [*members, *folders]
    empty = [not member for member in members.values()] + [True] * len(folders)
    raw = b"\0" + b"".join(name.encode("utf-16-le", "surrogatepass") + b"\0\0" for name in names)
    out = _number(len(names)) + b"\x0e" + _bits(empty)
    out += b"\x0f" + _bits([index < len(members) for index, one in enumerate(empty) if one])
    return b"\x05" + out + b"\x11" + _number(len(raw)) + raw + b"\0"


def _bits(values: Sequence[bool]) -> bytes:
    packed = bytes(
        sum(1 << (7 - place) for place, value in enumerate(values[at : at + 8]) if value) for at in range(0, len(values), 8)
    )
    return _number(len(packed)) + packed


def _7z_header(parts: Sequence[bytes]) -> bytes:
    return b"\x01\x04" + parts[0] + parts[1] + b"\0"
