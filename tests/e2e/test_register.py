"""The daemon takes a changed register into force by itself and judges again what it had judged; a damaged one is refused."""

from pathlib import Path

from tests.detect.test_fingerprints import prose
from tests.helpers.daemon import configure, eventually, started


def test_a_changed_register_is_in_force_within_seconds(folder: Path) -> None:
    text = prose(1, 2000)
    plan = folder / "plan.txt"
    plan.write_text(text)
    with started(configure(folder)) as daemon:
        excerpt = daemon.share / "excerpt.txt"
        excerpt.write_text(prose(2, 300) + text[500:1000])
        eventually(lambda: daemon.metric('dlp_items_total{action="allow",channel="share"}'))
        done = daemon.dlp("register", "documents", "add", plan, "--level", "secret", "--owner", "the board")
        assert done.returncode == 0, done.stderr
        eventually(lambda: not excerpt.exists())
        (incident,) = daemon.json("incidents", "list", "--json")
        assert [one["signature"] for one in incident["findings"]] == ["declared_document"]
        assert incident["level"] == "secret"
        index = daemon.share.parent / "state" / "register" / "documents"
        column = next(index.glob("delta_hash-*"))
        column.unlink()  # not written over: children have it mapped
        column.write_bytes(b"damaged")
        (index / "manifest").touch()
        eventually(lambda: daemon.metric("dlp_reload_failures_total") == 1)
        assert "is damaged" in daemon.log
        again = daemon.share / "again.txt"
        again.write_text(text[1000:1500])
        eventually(lambda: not again.exists())  # the children have the old one, mapped
