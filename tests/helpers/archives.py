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


def _vint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _rar5_block(*fields: int | bytes) -> bytes:
    body = b"".join(field if isinstance(field, bytes) else _vint(field) for field in fields)
    sized = _vint(len(body)) + body
    return struct.pack("<L", zlib.crc32(sized)) + sized


def _rar5_member(name: bytes, plain: bytes, password: str, *, kind: int, flags: int, power: int) -> tuple[bytes, bytes]:
    extra, data = b"", plain
    if password:
        salt, vector = b"S" * 16, b"V" * 16
        key, check = _rar5_key(password, salt, power)
        data = _cbc(key, vector, plain)
        record = _vint(1) + _vint(0) + _vint(1) + bytes((power,)) + salt + vector + check
        extra = _vint(len(record)) + record
    head = (kind, (1 if extra else 0) | 2 | flags, *((len(extra),) if extra else ()), len(data))
    fields = (*head, 4, len(plain), 0o644, struct.pack("<L", zlib.crc32(plain)), 0, 1, len(name), name, extra)
    return _rar5_block(*fields), data


def _rar5_key(password: str, salt: bytes, power: int) -> tuple[bytes, bytes]:
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1 << power)
    whole = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, (1 << power) + 32)
    check = bytes(whole[i] ^ whole[i + 8] ^ whole[i + 16] ^ whole[i + 24] for i in range(8))
    return key, check + hashlib.sha256(check).digest()[:4]


def _cbc(key: bytes, vector: bytes, plain: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor().update(plain + bytes(-len(plain) % 16))


def a_rar5(
    members: Mapping[str, Member],
    *,
    password: str = "",
    hide_names: bool = False,
    comment: str = "",
    link: tuple[str, str] | None = None,
    folder: str = "",
    volume_flags: int = 0,
    power: int = 4,
) -> bytes:
    """A RAR 5 archive by hand (rarlab.com/technote.htm), stored."""
    blocks: list[tuple[bytes, bytes]] = [(_rar5_block(1, 0, 1 if volume_flags else 0), b"")]
    if comment:
        blocks.append(_rar5_member(b"CMT", comment.encode(), "", kind=3, flags=0, power=power))
    for name, member in members.items():
        blocks.append(_rar5_member(name.encode(), content(member), password, kind=2, flags=volume_flags, power=power))
    if folder:
        blocks.append((_rar5_block(2, 0, 1, 0, 0o755, 0, 1, len(folder.encode()), folder.encode()), b""))
    if link:
        raw, target = (one.encode() for one in link)
        record = _vint(5) + _vint(1) + _vint(0) + _vint(len(target)) + target
        extra = _vint(len(record)) + record
        blocks.append((_rar5_block(2, 1, len(extra), 0, 0, 0o777, 0, 1, len(raw), raw, extra), b""))
    blocks.append((_rar5_block(5, 0, 0), b""))
    out = b"Rar!\x1a\x07\x01\x00"
    if hide_names:
        key, check = _rar5_key(password, b"H" * 16, power)
        out += _rar5_block(4, 0, 0, 1, bytes((power,)), b"H" * 16, check)
        return out + b"".join(b"I" * 16 + _cbc(key, b"I" * 16, header) + data for header, data in blocks)
    return out + b"".join(header + data for header, data in blocks)


def a_rar4(members: Mapping[str, Member], *, password: str = "", unicode_name: tuple[bytes, Member] | None = None) -> bytes:
    """A RAR 2.9 archive by hand (technote.txt of WinRAR 4), stored; `unicode_name` is a name as it stands in the header."""
    out = b"Rar!\x1a\x07\0" + _rar4_block(0x73, 0, bytes(6))
    rows = [(name.encode("gb18030"), 0, content(member)) for name, member in members.items()]
    if unicode_name:
        rows.append((unicode_name[0], 0x200, content(unicode_name[1])))
    for name, flags, plain in rows:
        data, salt = plain, b""
        if password:
            salt, flags = b"saltsalt", flags | 0x404
            data = _cbc(*_rar4_key(password, salt), plain)
        fixed = struct.pack("<LLBLLBBHL", len(data), len(plain), 2, zlib.crc32(plain), 0, 29, 0x30, len(name), 0x20)
        out += _rar4_block(0x74, flags | 0x8000, fixed + name + salt) + data
    return out + _rar4_block(0x7B, 0x4000, b"")


def _rar4_block(kind: int, flags: int, rest: bytes) -> bytes:
    block = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
    return struct.pack("<H", zlib.crc32(block) & 0xFFFF) + block


def _rar4_key(password: str, salt: bytes) -> tuple[bytes, bytes]:
    digest, vector = hashlib.sha1(), bytearray()
    seed = password.encode("utf-16-le") + salt
    for counter in range(1 << 18):
        digest.update(seed + counter.to_bytes(3, "little"))
        if counter % (1 << 14) == 0:
            vector.append(digest.digest()[19])
    return struct.pack("<4L", *struct.unpack(">4L", digest.digest()[:16])), bytes(vector)


def an_arj(members: Mapping[str, Member], *, comment: str = "", password: str = "", flags: int = 0, method: int = 0) -> bytes:
    """An ARJ archive by hand (technote of ARJ 2.77), stored; names in GB 18030; each member's comment is its name and "!"."""
    out = _arj_header("a.arj", comment, kind=2)
    for name, member in members.items():
        plain = content(member)
        packed = plain
        if password:
            key = password.encode()
            packed = bytes(byte ^ (key[at % len(key)] + 7 & 0xFF) for at, byte in enumerate(plain))
        out += _arj_header(
            name, f"{name}!" if name else "", flags=flags | bool(password), method=method, packed=len(packed), plain=plain
        )
        out += packed
    return out + b"\x60\xea\0\0"


def _arj_header(
    name: str, comment: str, *, kind: int = 0, flags: int = 0, method: int = 0, packed: int = 0, plain: bytes = b""
) -> bytes:
    fixed = struct.pack(
        "<8BL3LHHH", 30, 11, 1, 0, flags, method, kind, 7, 0, packed, len(plain), zlib.crc32(plain), 0, 0x20, 0
    )  # fmt: skip
    basic = fixed + name.encode("gb18030") + b"\0" + comment.encode("gb18030") + b"\0"
    return b"\x60\xea" + struct.pack("<H", len(basic)) + basic + struct.pack("<LH", zlib.crc32(basic), 0)


def an_rpm(summary: str, payload: bytes) -> bytes:
    """An RPM package by hand: lead, an empty signature, a header with one text, the payload."""
    text = summary.encode() + b"\0"
    empty = b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">LL", 0, 0)
    header = b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">LL", 1, len(text)) + struct.pack(">LLLL", 1004, 9, 0, 1) + text
    return b"\xed\xab\xee\xdb\x03\0" + bytes(90) + empty + header + payload


def a_cab(members: Mapping[str, Member], *, kind: int = 1, utf8: bool = True, index: int = 0, reserve: int = 0) -> bytes:
    """A cabinet by hand ([MS-CAB]) of one folder: `kind` 0 is stored, 1 MSZIP; names in UTF-8 or GB 18030."""
    plain = b"".join(content(member) for member in members.values())
    blocks, last = [], b""
    for at in range(0, len(plain), 0x8000):
        block = plain[at : at + 0x8000]
        packed = block
        if kind == 1:
            deflate = zlib.compressobj(wbits=-15, zdict=last) if last else zlib.compressobj(wbits=-15)
            packed = b"CK" + deflate.compress(block) + deflate.flush()
            last = plain[: at + 0x8000][-0x8000:]
        head = struct.pack("<HH", len(packed), len(block)) + bytes(reserve)
        blocks.append(struct.pack("<L", _cab_sum(head, _cab_sum(packed))) + head + packed)
    files, at = b"", 0
    for name, member in members.items():
        raw = name.encode() if utf8 else name.encode("gb18030")
        files += struct.pack("<LLHHHH", len(content(member)), at, index, 0, 0, 0x80 if utf8 else 0) + raw + b"\0"
        at += len(content(member))
    extra = struct.pack("<HBB", 0, 0, reserve) if reserve else b""
    begins = 36 + len(extra) + 8
    size = begins + len(files) + sum(map(len, blocks))
    head = struct.pack("<4s5L2B5H", b"MSCF", 0, size, 0, begins, 0, 3, 1, 1, len(members), 4 if reserve else 0, 0, 0)
    return head + extra + struct.pack("<LHH", begins + len(files), len(blocks), kind) + files + b"".join(blocks)


def _cab_sum(data: bytes, seed: int = 0) -> int:
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        seed ^= int.from_bytes(data[at : at + 4], "little")
    return seed ^ int.from_bytes(data[whole:], "big")
