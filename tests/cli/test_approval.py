"""A rule's `approve_by` is kept at release: a named holder of the role, or nothing goes."""

import os
from pathlib import Path

import pytest

from dlp.blob import Blob
from dlp.cli import main
from dlp.instance import item_id, now
from dlp.model import Action, Channel, FileOrigin, Inspection, Item, Verdict
from dlp.store.stores import Stores
from tests.helpers.daemon import configure

PEOPLE = """
[[person]]
address = "head@example.com"
name = "李伟"
roles = ["department-head"]
[[person]]
address = "clerk@example.com"
name = "王芳"
"""


ATTRIBUTES = {"mode": 0o600, "uid": os.getuid(), "gid": os.getgid(), "mtime_ns": 1, "atime_ns": 1}


def hold(folder: Path) -> str:
    """One original in custody, taken under a rule that wants the department's head."""
    origin = FileOrigin(path=str(folder / "plan.txt"), volume=str(folder), owner="ann", device="8:1", inode=1)
    verdict = Verdict(action=Action.QUARANTINE, level="secret", rules=("r",), approve_by=("department-head",))
    stores = Stores.open(folder / "state", clock=now)
    with Blob.of([b"plan"]) as blob:
        item = Item(id=item_id(), channel=Channel.SHARE, origin=origin, blob=blob, arrived=now())
        incident = stores.incidents.open(item, Inspection(), verdict)
        held = stores.quarantine.store(item, incident, verdict, ATTRIBUTES)
    stores.close()
    return held


@pytest.mark.parametrize(
    ("who", "status", "said"),
    [
        ([], 1, "department-head (head@example.com)"),
        (["--approved-by", "clerk@example.com"], 1, "department-head"),
        (["--approved-by", "head@EXAMPLE.com"], 0, "is at"),
    ],
)
def test_only_an_approver_releases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], who: list[str], status: int, said: str
) -> None:
    config = configure(tmp_path)
    (tmp_path / "people.toml").write_text(PEOPLE, "utf-8")
    held = hold(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["quarantine", "release", held, "--to", str(tmp_path / "out.txt"), "--config", str(config), *who])
    printed = capsys.readouterr()
    assert ended.value.code == status
    assert said in printed.out + printed.err
    assert (tmp_path / "out.txt").exists() == (status == 0)
