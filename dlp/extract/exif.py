"""Texts in the metadata of pictures: EXIF (CIPA DC-008) and TIFF 6.0, IPTC IIM 4.2, Adobe's resources, XMP (ISO 16684-1).

What writes these fields keeps to no encoding, so every text is decoded by what its bytes look like.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from dlp.extract.budget import Budget
from dlp.extract.charset import decode
from dlp.extract.markup import attributes, tags

DIRECTORIES = 256
"""Image file directories of one file, pages of a TIFF among them."""
_ENTRIES = 1_000
_LONGEST = 1 << 20
"""Bytes of one value."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of one value by its type (TIFF 6.0, section 2)."""
_WIDTH, _HEIGHT, _XMP, _IPTC, _RESOURCES = 256, 257, 700, 33723, 34377
_OFFSETS = {273: 279, 324: 325, 513: 514}
"""Tags that say where strips, tiles and the thumbnail stand, and those that say how long they are."""
_THUMBNAIL = 513
_BELOW = {330, 34665, 34853, 40965}
"""Tags whose values are further directories: SubIFDs, Exif, GPS, interoperability."""
_WIDE = {0x9C9B: "XPTitle", 0x9C9C: "XPComment", 0x9C9D: "XPAuthor", 0x9C9E: "XPKeywords", 0x9C9F: "XPSubject"}
_MARKED = {0x9286: "UserComment", 0x1B: "GPSProcessingMethod", 0x1C: "GPSAreaInformation"}
"""Values of type UNDEFINED that begin with eight bytes naming their encoding (CIPA DC-008, 4.6.5)."""
_NAMES = {
    269: "DocumentName",
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    285: "PageName",
    305: "Software",
    315: "Artist",
    316: "HostComputer",
    33432: "Copyright",
    0xA430: "CameraOwnerName",
}
_RESOURCE = re.compile(rb"8BIM(..)(.)", re.DOTALL)
_PACKET = re.compile(rb"<x:xmpmeta\b|<rdf:RDF\b")
_PACKET_ENDS = (b"</x:xmpmeta>", b"</rdf:RDF>")


@dataclass(slots=True)
class Metadata:
    """What stands in a picture beside its pixels.

    `properties` and `comments` are texts, `loose` bytes that nobody defined, to be searched for printable runs, `inner` documents
    by their label. `size` is width and height in pixels, `end` where the picture ends in the file; None where not found.
    """

    properties: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    loose: list[bytes] = field(default_factory=list)
    inner: list[tuple[str, bytes]] = field(default_factory=list)
    size: tuple[int, int] | None = None
    end: int | None = None
    damaged: bool = False


def read_tiff(data: bytes, found: Metadata, budget: Budget) -> None:
    """The directories of a TIFF file or of an Exif block, which is one; `end` becomes the last byte that any of them names."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        found.damaged = True
        return
    waiting: list[int] = [struct.unpack_from(order + "I", data, 4)[0]]
    seen: set[int] = set()
    found.end = 8
    while waiting and len(seen) < DIRECTORIES:
        budget.tick()
        place = waiting.pop(0)
        if place in seen or not 8 <= place <= len(data) - 2:
            found.damaged |= place not in seen and place != 0
            continue
        seen.add(place)
        waiting += _directory(data, place, order, found)


def read_exif(block: bytes, found: Metadata, budget: Budget) -> None:
    """An Exif block inside another file, whose size and end it does not tell. Cameras leave many of them broken: that harms no
    pixel, so such a block is only searched for runs besides."""
    size, end, damaged = found.size, found.end, found.damaged
    found.damaged = False
    read_tiff(block.removeprefix(b"Exif\0\0"), found, budget)
    if found.damaged:
        found.loose.append(block[:_LONGEST])
    found.size, found.end, found.damaged = size, end, damaged


def _directory(data: bytes, place: int, order: str, found: Metadata) -> list[int]:
    """One directory: its texts go to `found`, the places of others are returned."""
    count = min(struct.unpack_from(order + "H", data, place)[0], _ENTRIES)
    entries = dict(_entries(data, place + 2, count, order, found))
    below = [other for tag in _BELOW & entries.keys() for other in _numbers(entries[tag], order)]
    for tag, (kind, value) in entries.items():
        _take(tag, kind, value, order, found)
    for at_tag, size_tag in _OFFSETS.items():
        if at_tag in entries and size_tag in entries:
            spans = list(zip(_numbers(entries[at_tag], order), _numbers(entries[size_tag], order), strict=False))
            found.end = max([found.end or 0, *(at + size for at, size in spans)])
            if at_tag == _THUMBNAIL:
                found.inner += [("thumbnail", data[at : at + size]) for at, size in spans if size]
    if found.size is None and _WIDTH in entries and _HEIGHT in entries:
        width, height = _numbers(entries[_WIDTH], order), _numbers(entries[_HEIGHT], order)
        found.size = (width[0], height[0]) if width and height else None
    after = place + 2 + 12 * count
    found.end = max(found.end or 0, after + 4)
    following = struct.unpack_from(order + "I", data, after)[0] if after + 4 <= len(data) else 0
    return [*below, *([following] if following else [])]


def _entries(data: bytes, place: int, count: int, order: str, found: Metadata) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """Tag, type and value of each entry (TIFF 6.0, section 2)."""
    layout = struct.Struct(order + "HHI4s")
    for tag, kind, number, inline in layout.iter_unpack(data[place : place + 12 * count][: (len(data) - place) // 12 * 12]):
        size = number * _SIZES.get(kind, 0)
        if size <= 4:
            yield tag, (kind, inline[:size])
            continue
        at = struct.unpack(order + "I", inline)[0]
        found.end = max(found.end or 0, at + size)
        yield tag, (kind, data[at : at + min(size, _LONGEST)])


def _numbers(entry: tuple[int, bytes], order: str) -> list[int]:
    kind, value = entry
    code = {1: "B", 3: "H", 4: "I", 13: "I"}.get(kind)
    if code is None:
        return []
    whole = value[: len(value) // _SIZES[kind] * _SIZES[kind]]
    return [number for (number,) in struct.iter_unpack(order + code, whole)]


def _take(tag: int, kind: int, value: bytes, order: str, found: Metadata) -> None:
    """The text of one entry, if it has any."""
    if tag == _XMP:
        found.properties += xmp(value)
    elif tag == _IPTC:
        found.properties += iptc(value)
    elif tag == _RESOURCES:
        read_resources(value, found)
    elif tag in _WIDE:
        found.properties.append(f"{_WIDE[tag]}: {value.decode('utf-16-le', 'replace').rstrip(chr(0))}")
    elif tag in _MARKED and kind != 2:
        found.properties.append(f"{_MARKED[tag]}: {_marked(value, order)}")
    elif kind == 2 and value.strip(b"\0 "):
        found.properties.append(f"{_NAMES.get(tag, f'Tag{tag}')}: {_text(value)}")
    elif kind in (1, 7) and len(value) > 4 and tag != 34675:  # 34675 is the colour profile
        found.loose.append(value)


def _marked(value: bytes, order: str) -> str:
    mark, text = value[:8], value[8:]
    if mark.startswith(b"UNICODE"):
        # The standard leaves the byte order to the writer; half of them take the file's, half their own.
        orders = ("utf-16-le", "utf-16-be") if order == "<" else ("utf-16-be", "utf-16-le")
        return max((text.decode(one, "replace") for one in orders), key=_likeness).rstrip("\0 ")
    if mark.startswith(b"JIS"):
        return text.decode("iso2022_jp_2", "replace")
    return _text(text if mark.strip(b"\0") == b"ASCII" or not mark.strip(b"\0") else value)


def _likeness(text: str) -> int:
    """How many characters are of the kinds that comments are written in."""
    return sum("\x20" <= char < "\u0250" or "\u3000" <= char < "\ua000" for char in text[:1000])


def _text(value: bytes) -> str:
    return decode(value.strip(b"\0 "), None).replace("\0", "\n")


def xmp(packet: bytes) -> list[str]:
    """Every value in an XMP packet with the name of its element or attribute: `name: value`, a list's under the list's."""
    found: list[str] = []
    named = ""
    text = decode(packet[:_LONGEST], None)
    for tag in tags(text):
        if tag.kind == "?":
            continue
        local = tag.name.rsplit(":", 1)[-1]
        named = local if local not in {"li", "Alt", "Bag", "Seq", "Description"} else named
        for name, value in attributes(tag.inside):
            if value and not name.startswith(("xmlns", "xml:")) and name not in {"rdf:about", "x:xmptk"}:
                found.append(f"{name.rsplit(':', 1)[-1]}: {value}")
        if tag.text.strip():
            found.append(f"{named}: {tag.text.strip()}")
    return found


def packets(data: bytes, budget: Budget) -> Iterator[bytes]:
    """The XMP packets in any file: the standard means them to be found by search (ISO 16684-1, 7.3)."""
    at = 0
    while (start := _PACKET.search(data, at)) is not None:
        budget.tick()
        closing = _PACKET_ENDS[start.group() == b"<rdf:RDF"]
        end = data.find(closing, start.end(), start.end() + _LONGEST)
        at = end + len(closing) if end > 0 else start.end()
        if end > 0:
            yield data[start.start() : at]


def iptc(data: bytes) -> list[str]:
    """The strings of the application record, a line each (IIM 4.2, chapter 6)."""
    found: list[str] = []
    at = data.find(b"\x1c\x02")
    while 0 <= at <= len(data) - 5 and data[at] == 0x1C:
        record, dataset, size = struct.unpack_from(">BBH", data, at + 1)
        if size & 0x8000:  # an extended length, which only pictures inside have
            break
        value = data[at + 5 : at + 5 + size]
        if record == 2 and dataset and value.strip(b"\0 "):
            found.append(f"IPTC{dataset}: {_text(value)}")
        at += 5 + size
    return found


def read_resources(data: bytes, found: Metadata) -> None:
    """Adobe's image resource blocks: IPTC where it is, the others as they are (Photoshop File Formats, image resources)."""
    at = 0
    while (block := _RESOURCE.match(data, at)) is not None:
        kind, named = int.from_bytes(block.group(1), "big"), block.group(2)[0]
        at = block.end() + named + (named + 1) % 2
        size = int.from_bytes(data[at : at + 4], "big")
        value = data[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
        if kind == 0x0404:
            found.properties += iptc(value)
        else:
            found.loose.append(value)
