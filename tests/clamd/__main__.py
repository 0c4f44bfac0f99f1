"""`make test-clamd`: clamdscan, in each of its ways, beside `dlp scan` on the documents that DLP_CORPUS names."""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.clamd import CLAMD, Scanned, clamdscan
from tests.helpers.daemon import configure, dlp, started

WAYS = {"path": (), "path, at once": ("--multiscan",), "open file": ("--fdpass",), "stream": ("--stream",)}

WITHOUT_PICTURES = '[ocr]\nuse = "off"\n'
"""A busy machine reads other pictures in time at the first turn than at the second."""

POLICY = """
[[rule]]
name = "as clamd"
when = {{ channel = ["clamd", "scan"], level = ">={level}" }}
then = "quarantine"

[[rule]]
name = "unread"
when = {{ channel = ["clamd", "scan"], unscannable = true }}
then = "alert"
"""
"""The same for who asks and for `dlp scan`, which otherwise follows the rules for drives."""


def main() -> int:
    """Exit status: 0 they agree, 1 they do not, 2 there is nothing to compare."""
    parser = argparse.ArgumentParser(prog="make test-clamd")
    parser.add_argument("--level", default="internal", help="the lowest level that is kept back")
    given = parser.parse_args()
    corpus = Path(os.environ.get("DLP_CORPUS", ""))
    if not os.environ.get("DLP_CORPUS") or not corpus.is_dir():
        print("DLP_CORPUS does not name the documents to compare on", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="dlp-clamd-") as name:
        return _compared(Path(name), corpus.resolve(), given.level)


def _compared(folder: Path, corpus: Path, level: str) -> int:
    policy = folder / "policy.toml"
    policy.write_text(POLICY.format(level=level))
    config = configure(folder, extra=CLAMD + WITHOUT_PICTURES, policy=policy)
    wanted, unread = _scanned(config, corpus)
    worst = 0
    with started(config):
        for way, arguments in WAYS.items():
            begun = time.monotonic()
            scanned = clamdscan(folder, *arguments, corpus, seconds=3600)
            print(f"clamdscan by {way}: {len(scanned.found)} found, {time.monotonic() - begun:.0f} s", flush=True)
            worst |= _differences(scanned, wanted, unread)
    print("they agree" if not worst else "they do not agree")
    return worst


def _scanned(config: Path, corpus: Path) -> tuple[dict[str, str], set[str]]:
    """What `dlp scan` keeps back, with its level, and what it could not open."""
    begun = time.monotonic()
    done = dlp("scan", "--json", corpus, config=config, seconds=3600)
    files = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = {one["path"]: one["level"] or "none" for one in files if one["action"] in ("quarantine", "block")}
    unread = {one["path"] for one in files if one["sha256"] is None}
    print(f"dlp scan: {len(files)} files, {len(wanted)} kept back, {len(unread)} not opened, {time.monotonic() - begun:.0f} s")
    return wanted, unread


def _differences(scanned: Scanned, wanted: dict[str, str], unread: set[str]) -> int:
    """Says each; 1 where there are some."""
    got = {path: name.split(".")[1] for path, name in scanned.found.items()}
    lines = [
        f"  {path}: dlp scan {wanted.get(path, 'allows')}, clamdscan {got.get(path, 'OK')}" for path in got.keys() ^ wanted.keys()
    ]
    lines += [f"  {path}: level {wanted[path]}, {got[path]}" for path in got.keys() & wanted.keys() if got[path] != wanted[path]]
    lines += [f"  {path}: {scanned.errors.get(path, 'no error')}" for path in scanned.errors.keys() ^ unread]
    print("\n".join(sorted(lines)) or "  the same")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
