"""Archives made by code: by libarchive's own writers where it has one, else by hand, small and mostly stored."""

import ctypes
import hashlib
import hmac
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import libarchive
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from libarchive import ffi

from tests.helpers.documents import Member, a_zip

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


__all__ = ["a_zip"]
