"""A workbook is declared through a confined child; children find its rows, and names that have a code, and tell neither."""

from pathlib import Path

from tests.helpers.daemon import configure, dlp, eventually, started
from tests.helpers.documents import a_xlsx


def test_declared_rows_and_names_are_taken(folder: Path) -> None:
    rows = [["身份证号", "姓名"], *([f"3301061980010{at:05d}", f"客户甲{at}"] for at in range(50))]
    table = folder / "customers.xlsx"
    table.write_bytes(a_xlsx({"客户": rows}))
    config = configure(folder)
    columns = ("--primary", "身份证号", "--with", "姓名", "--owner", "sales")
    dlp("register", "records", "add", table, *columns, "--level", "secret", config=config, check=True)
    names = ("聚四氢呋喃", "K7Q2XW", "--owner", "lab")
    dlp("register", "codenames", "add", *names, "--level", "secret", config=config, check=True)
    with started(config) as daemon:
        leak, other = daemon.share / "leak.txt", daemon.share / "other.txt"
        other.write_text("客户甲8 330106198001000007 K7Q2XW", "utf-8")
        leak.write_text("客户甲7，330106 1980 0100 0007\n投料聚四氢呋喃\n", "utf-8")
        eventually(lambda: not leak.exists())
        (incident,) = daemon.json("incidents", "list", "--json")
        assert {one["signature"] for one in incident["findings"]} == {"declared_record", "code_name"}
        assert not [word for word in ("客户甲7", "聚四氢呋喃", "0100") if word in str(incident["findings"])]
        eventually(lambda: daemon.metric('dlp_items_total{action="allow",channel="share"}'))
        assert other.exists()
