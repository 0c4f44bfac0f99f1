"""A unique secret goes through every channel; only the next hop and the encrypted originals may hold it."""

import base64
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.daemon import Daemon, configure, eventually, started
from tests.helpers.documents import a_docx, a_mail, a_zip

SECRET = "Zq8vCanaryKw47xTmo2PhsLr"
"""Long, so that it cannot appear by chance; it stands in every place a leak of ours could come from."""
NUMBER = "110101199003077758"
"""A 身份证 number of nobody, with a right checksum: a match whose excerpt is stored, masked."""


def documents() -> Iterator[tuple[str, bytes]]:
    text = f"机密★10年\n{SECRET} password={SECRET} 身份证 {NUMBER} {SECRET}\n"
    yield "a.txt", text.encode()
    yield "b.docx", a_docx(body=[text], header=SECRET, comments=[SECRET])
    yield "c.zip", a_zip({"inner.txt": text.encode(), "bad.docx": b"PK\x03\x04" + SECRET.encode() * 50})
    yield "d.pdf", b"%PDF-1.7\n" + text.encode() + b"\x00broken"
    yield "e.html", f"<title>{SECRET}</title><p>{text}".encode()
    yield "f.eml", b"Content-Type: text/plain; charset=" + SECRET.encode() + b"\r\n\r\n" + text.encode()


def leaks(folder: Path, leave_out: set[Path]) -> list[str]:
    """The files under `folder` in which the secret stands, plainly or in the usual dress."""
    forms = [
        SECRET.encode(),
        NUMBER.encode(),
        SECRET.encode("utf-16-le"),
        *(base64.b64encode(b"x" * n + SECRET.encode())[4:-4] for n in range(3)),
    ]
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not any(path.is_relative_to(out) for out in leave_out):
            content = path.read_bytes()
            found += [f"{path}: {form[:8]!r}…" for form in forms if form in content]
    return found


@pytest.fixture
def drives(folder: Path) -> Iterator[list[Path]]:
    """A file system of its own, watched as a drive; none where we may not mount one."""
    place = folder / "stick"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], capture_output=True).returncode == 0
    yield [place] if mounted else []
    if mounted:
        subprocess.run(["umount", place], check=True)


def test_the_secret_is_nowhere_but_where_it_must_be(folder: Path, drives: list[Path]) -> None:
    extra = f'[notify]\nnext_hop = "maildir:notices"\n[usb]\nmounts = ["{folder}/stick"]\n'
    config = configure(folder, extra=extra, policy=policy(folder))
    with started(config) as daemon:
        files = [path for place in (daemon.share, *drives) for path in put(place)]
        put(daemon.folder / "scanned")
        send_by_mail(daemon)
        eventually(lambda: not any(path.exists() for path in files))
        seen = "".join(daemon.dlp(*verb, *how).stdout for verb in VERBS for how in ((), ("--json",)))
        seen += daemon.dlp("scan", folder / "scanned", "--json").stdout + daemon.get("/metrics")[1]
        incidents = daemon.json("incidents", "list")
        for incident in (incidents[0], incidents[-1]):
            seen += daemon.dlp("incidents", "show", incident["id"]).stdout
        assert len(incidents) >= (2 + len(drives)) * len(list(documents()))
    assert SECRET not in seen
    assert NUMBER not in seen
    assert "11**************58" in seen, "the masked excerpt shows that the number was found"
    assert leaks(folder, {folder / "outbox", folder / "scanned"}) == []
    assert list((folder / "notices" / "new").iterdir()), "notices were written, and looked at above"


VERBS = (("incidents", "list"), ("quarantine", "list"), ("audit", "verify"), ("status",), ("quarantine", "verify"))


def policy(folder: Path) -> Path:
    path = folder / "policy.toml"
    path.write_text(
        """
        [[rule]]
        name = "marked"
        when = { level = ">=confidential" }
        then = "quarantine"
        notify = ["security@example.com"]
        [[rule]]
        name = "unread"
        when = { unscannable = true }
        then = "quarantine"
        notify = ["sender"]
        """,
        "utf-8",
    )
    return path


def put(place: Path) -> list[Path]:
    """Write every document into the folder `place`."""
    place.mkdir(exist_ok=True)
    paths = []
    for name, content in documents():
        paths.append(place / name)
        paths[-1].write_bytes(content)
    return paths


def send_by_mail(daemon: Daemon) -> None:
    for name, content in documents():
        message = a_mail(
            "ann@example.com",
            ["out@example.org"],
            f"{SECRET} {name}",
            f"机密★10年\r\n{SECRET}\r\n",
            attachments=[(name, "application/octet-stream", content)],
        )
        with smtplib.SMTP("127.0.0.1", daemon.smtp, timeout=60) as client:
            assert client.sendmail("ann@example.com", ["out@example.org"], message) == {}
