"""Messages whose every entity is known by its place: a tree is written, and with it where each attachment stands."""

import base64
import itertools
from dataclasses import dataclass, field

from hypothesis import strategies as st

from dlp.model import Attachment

NAMES = ("plan.docx", "a b.bin", "计划.pdf", "same.txt", "same.txt", "")


@dataclass(frozen=True)
class Node:
    """One entity. `children` make it a multipart of `kind`, else it is a text or, with a `kind` that is none, an attachment."""

    kind: str
    name: str = ""
    content: bytes = b""
    encoding: str = "base64"
    children: tuple["Node", ...] = ()
    around: tuple[str, str] = ("", "")


leaves = st.builds(
    Node,
    kind=st.sampled_from(["application/octet-stream", "image/png", "text/x-diff", "message/rfc822"]),
    name=st.sampled_from(NAMES),
    content=st.binary(min_size=1, max_size=200).map(lambda data: b"X" + data.replace(b"\r", b"").replace(b"\n", b"\r\n")),
    encoding=st.sampled_from(["base64", "base64", "8bit", ""]),
)
texts = st.builds(Node, kind=st.just("text/plain"), content=st.sampled_from([b"Good morning.", b"Two\r\nlines\r\n", b""]))
multiparts = st.recursive(
    leaves | texts,
    lambda inner: st.builds(
        Node,
        kind=st.sampled_from(["multipart/mixed", "multipart/related", "multipart/signed", "multipart/alternative"]),
        children=st.lists(inner, min_size=1, max_size=4).map(tuple),
        around=st.tuples(st.sampled_from(["", "This is MIME.\r\n"]), st.sampled_from(["", "\r\nafter all\r\n"])),
    ),
    max_leaves=8,
)
messages = st.builds(
    Node,
    kind=st.just("multipart/mixed"),
    children=st.lists(multiparts, min_size=1, max_size=4).map(tuple),
    around=st.tuples(st.sampled_from(["", "This is MIME.\r\n"]), st.sampled_from(["", "\r\nafter all\r\n"])),
)


@dataclass
class Written:
    """A message, its attachments that may be taken out, and how many leaves it has."""

    content: bytearray = field(default_factory=bytearray)
    attachments: list[Attachment] = field(default_factory=list)


def written(root: Node) -> Written:
    """The message with CRLF line ends that `root` describes."""
    made, numbers = Written(), itertools.count(1)
    made.content += b"From: a@example.com\r\nSubject: hello\r\nMIME-Version: 1.0\r\n"
    _write(root, made, numbers, sealed=False, top=True)
    return made


def _write(node: Node, made: Written, numbers: "itertools.count[int]", *, sealed: bool, top: bool = False) -> None:
    number, start = next(numbers), len(made.content)
    if node.children:
        boundary = f"=_{number}_"
        made.content += f'Content-Type: {node.kind}; boundary="{boundary}"\r\n\r\n{node.around[0]}'.encode()
        held = [(child, sealed or node.kind == "multipart/signed") for child in node.children]
        # The numbers of the gateway's own labels go through the tree in the order of the message, as these do.
        for child, inside in held:
            made.content += f"--{boundary}\r\n".encode()
            _write(child, made, numbers, sealed=inside)
            made.content += b"\r\n"
        made.content += f"--{boundary}--{node.around[1]}".encode()
        return
    made.content += _header(node) + b"\r\n"
    made.content += base64.encodebytes(node.content).replace(b"\n", b"\r\n") if node.encoding == "base64" else node.content
    if node.kind != "text/plain" and not sealed and not top:
        name = node.name or f"{node.kind.partition('/')[0]} {number}"
        made.attachments.append(Attachment(name=name, start=start, end=len(made.content)))


def _header(node: Node) -> bytes:
    lines = [f"Content-Type: {node.kind}"]
    if node.encoding:
        lines.append(f"Content-Transfer-Encoding: {node.encoding}")
    if node.name:
        encoded = "".join(f"%{byte:02X}" for byte in node.name.encode())
        lines.append(f"Content-Disposition: attachment; filename*=utf-8''{encoded}")
    return "".join(f"{line}\r\n" for line in lines).encode()
