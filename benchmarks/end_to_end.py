"""The whole product against its bare parts, in one run: `python -m benchmarks.end_to_end` (`make bench`).

1. `dlp scan` over documents made on the spot: documents and MB per second, as a ratio to yara-python alone,
   one process, with the same rules over the same raw bytes (it reads no format and judges nothing).
2. Messages through the gateway to a maildir, as a ratio to a bare aiosmtpd that writes what it gets to one.

Prints Markdown for docs/performance.md.
"""

import argparse
import json
import random
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import yara

from benchmarks.measure import machine, seconds, table
from tests.helpers.daemon import CHECKOUT, configure, free_port, started
from tests.helpers.documents import a_docx, a_mail, a_xlsx

WORDS = (
    *(
        "生产",
        "计划",
        "会议",
        "通知",
        "关于",
        "加强",
        "管理",
        "工作",
        "的",
        "各",
        "部门",
        "请",
        "于",
        "本周",
        "五",
        "前",
        "报送",
        "材料",
    ),
    *("report", "meeting", "schedule", "please", "find", "attached"),
)


def prose(characters: int, seed: int) -> str:
    """Ordinary words in no order, about half Chinese: nothing in it is classified."""
    chosen, text = random.Random(seed), ""
    while len(text) < characters:
        text += chosen.choice(WORDS) + chosen.choice(("", "", " ", "，", "。\n"))
    return text


def documents(folder: Path, count: int) -> int:
    """Write `count` documents of three kinds into `folder`; returns their bytes."""
    size = 0
    for n in range(count):
        text = prose(20_000, n)
        lines = text.splitlines()
        name, content = {
            0: (f"{n}.txt", text.encode()),
            1: (f"{n}.docx", a_docx(body=lines)),
            2: (f"{n}.xlsx", a_xlsx({"Sheet1": [[line, str(n)] for line in lines]})),
        }[n % 3]
        (folder / name).write_bytes(content)
        size += len(content)
    return size


def yara_alone(folder: Path) -> None:
    """yara-python over the raw bytes of every file, in this process."""
    rules = yara.compile(filepaths={path.stem: str(path) for path in sorted((CHECKOUT / "signatures").glob("*.yar"))})
    for path in sorted(folder.iterdir()):
        rules.match(data=path.read_bytes())


def dlp_scan(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "dlp", "scan", "--json", folder], capture_output=True, text=True, cwd=CHECKOUT)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(list(folder.iterdir())), done.stderr
    assert not any(result["unscannable"] for result in results)


def scanning(count: int) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as name:
        size = documents(Path(name), count)
        with tempfile.TemporaryDirectory() as empty:
            start_up = seconds(lambda: dlp_scan(Path(empty)))
        ours = seconds(lambda: dlp_scan(Path(name)))
        bare = seconds(lambda: yara_alone(Path(name)))
    net = ours - start_up

    def row(what: str, took: float) -> list[str]:
        return [what, f"{count / took:.0f}", f"{size / took / 1e6:.1f}", f"{took / bare:.2f}"]

    rows = [
        row("yara-python alone, raw bytes", bare),
        row("dlp scan", ours),
        row(f"dlp scan less its start ({start_up:.2f} s)", net),
    ]
    return [["", "documents/s", "MB/s of files", "time ÷ yara alone"], *rows]


@contextmanager
def bare_relay(outbox: Path) -> Iterator[int]:
    """aiosmtpd as it comes, writing each message to a file: no inspection, no fsync."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.handlers import Mailbox

    controller = Controller(Mailbox(outbox), hostname="127.0.0.1", port=free_port(), data_size_limit=None)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def send(port: int, message: bytes, count: int, sessions: int) -> float:
    """Messages per second over `sessions` connections at once."""

    def one(share: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=120) as client:
            for _ in range(share):
                client.sendmail("a@example.com", ["b@example.org"], message)

    start = time.perf_counter()
    with ThreadPoolExecutor(sessions) as pool:
        list(pool.map(one, [count // sessions] * sessions))
    return count / (time.perf_counter() - start)


def relaying(count: int, size: int) -> list[list[str]]:
    message = a_mail("a@example.com", ["b@example.org"], "report", prose(size // 2, 1).replace("\n", "\r\n") + "\r\n")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with bare_relay(folder / "bare") as bare_port, started(configure(folder)) as daemon:
            for sessions in (1, 10):
                bare = max(send(bare_port, message, count, sessions) for _ in range(2))
                ours = max(send(daemon.smtp, message, count, sessions) for _ in range(2))
                rows.append(
                    [f"{len(message) / 1000:.0f} KB, {sessions} sessions", f"{bare:.0f}", f"{ours:.0f}", f"{ours / bare:.2f}"]
                )
            assert len(daemon.delivered()) == 4 * count
    return [["", "bare aiosmtpd, messages/s", "gateway, messages/s", "ratio"], *rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--messages", type=int, default=200)
    chosen = parser.parse_args()
    print(f"{machine()}\n")
    for rows in (scanning(chosen.documents), relaying(chosen.messages, 10_000)):
        print(table(rows[0], rows[1:]) + "\n")


if __name__ == "__main__":
    main()
