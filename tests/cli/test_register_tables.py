"""`dlp register records` and `codenames`: what is declared is found, listed and removed, and is readable nowhere."""

import json
import zlib
from pathlib import Path

import pytest

from dlp.cli import tables
from dlp.config import Configuration, load_configuration
from dlp.detect.normalise import fold
from dlp.detect.register import Seen
from dlp.detect.registers import Registers
from dlp.errors import ConfigError
from dlp.extract import document
from dlp.extract.budget import Budget
from dlp.inspection import DECLARING
from dlp.instance import now
from dlp.model import Finding, Inspection, Item, Limits, Part
from dlp.store.stores import Stores
from tests.cli.conftest import Dlp
from tests.helpers.documents import a_xlsx

HEADING = "身份证号,姓名,电话,部门"
ROWS = [
    "11010119900307201X,王小明,13800138001,研发部",
    "310104198702170048,李芳,13800138002,研发部",
    "440106197511020023,欧阳倩,13800138003,销售部",
]
SHOWN = [cell for row in ROWS for cell in row.split(",")] + ["聚四氢呋喃", "K7Q2XW"]


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    file = tmp_path / "客户.csv"
    file.write_text("\n".join((HEADING, *ROWS)), "utf-8")
    return file


def found(config: Path, text: str) -> list[tuple[str, str | None, str]]:
    """Signature, level and entry of what the registers find in a text."""
    loaded = load_configuration(config)
    stores = Stores.open(loaded.state, clock=now)
    stores.close()
    registers = Registers.open(loaded.state / "register", stores.register_key)
    seen = Seen(texts=[(Part(text=text), fold(text))], names=[], files=[])
    results = [one for one in registers.findings(seen) if isinstance(one, Finding)]
    return [(one.signature, one.level, one.facts["entry"]) for one in results]


def nowhere(state: Path) -> None:
    """Nothing of what was declared is readable in any file of the state."""
    for path in state.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for word in SHOWN:
            forms = (word.encode(), word.encode("gb18030"), word.encode("unicode-escape"))
            assert not any(form in data for form in forms), path


def audited(config: Path) -> list[tuple[str, str]]:
    """The audit log's acts on registers: event and entry."""
    lines = (load_configuration(config).state / "audit" / "audit.jsonl").read_text("utf-8").splitlines()
    text = [json.loads(line) for line in lines if '"register-' in line]
    return [(one["event"], one.get("entry") or one["facts"]["entry"]) for one in text]


def declare(dlp: Dlp, config: Path, *arguments: object) -> str:
    done = dlp("register", *arguments, "--json", config=config)
    assert done.status == 0, done.err
    return str(done.rows[0]["id"])


def test_a_declared_table_is_found_listed_and_removed(dlp: Dlp, config: Path, customers: Path) -> None:
    options = ("--primary", "身份证号", "--with", "姓名,电话", "--level", "secret", "--owner", "sales", "--title", "客户名册")
    entry = declare(dlp, config, "records", "add", customers, *options)
    second = declare(dlp, config, "records", "add", customers, "--primary", "电话", "--with", "姓名", *options[4:8])
    assert found(config, "王小明 1101 0119 9003 0720 1x") == [("declared_record", "secret", entry)]
    assert found(config, "王小明 138-0013-8001") == [("declared_record", "secret", second)]
    assert found(config, "李芳 11010119900307201X") == []
    (row, _) = dlp("register", "records", "list", "--json", config=config).rows
    assert (row["id"], row["title"], row["level"], row["owner"], row["size"]) == (entry, "客户名册", "secret", "sales", 3)
    assert row["in_force"] and row["details"] == {"primary": "身份证号", "with": ["姓名", "电话"], "least": 1, "rows": 1}
    nowhere(load_configuration(config).state)
    assert dlp("register", "records", "remove", entry, config=config).status == 0
    assert found(config, "王小明 11010119900307201X 138-0013-8001") == [("declared_record", "secret", second)]
    assert audited(config) == [("register-added", entry), ("register-added", second), ("register-removed", entry)]
    assert dlp("register", "records", "remove", entry, config=config).status == 1
    assert dlp("register", "records", "remove", second, config=config).status == 0
    assert found(config, "王小明 11010119900307201X 138-0013-8001") == []


def test_what_cannot_be_found_is_told(dlp: Dlp, config: Path, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("no,name,town\n" + "".join(f"A{at:03d},name{at},town\n" for at in range(20)) + "7,name,town\n", "utf-8")
    options = ("--with", "name,town", "--level", "secret", "--owner", "x")
    (told,) = dlp("register", "records", "add", file, "--primary", "no", *options, "--json", config=config).rows
    assert told["rows"] == 20
    assert [warning[:25] for warning in told["warnings"]] == [
        "1 rows have a primary cel",
        "column town: 20 cells do ",
        "some primary cells are so",
    ]
    done = dlp("register", "records", "add", file, "--primary", "name", "--with", "town", *options[2:], config=config)
    assert done.status == 1 and "no row can be found again" in done.err
    assert len(dlp("register", "records", "list", "--json", config=config).rows) == 1


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--primary", "编号", "--with", "姓名", "--level", "secret"), 2, "has no column '编号'"),
        (("--primary", "姓名", "--with", "姓名", "--level", "secret"), 2, "named twice"),
        (("--primary", "身份证号", "--with", "姓名", "--level", "cosmic"), 64, "none of"),
        (("--primary", "身份证号", "--with", "姓名", "--level", "secret", "--least", "2"), 64, "only 1 other"),
        (("--primary", "身份证号", "--with", "姓名", "--level", "secret", "--expires", "2001-01-01"), 64, "is over"),
    ],
)
def test_a_wrong_declaration_is_refused(
    dlp: Dlp, config: Path, customers: Path, options: tuple[str, ...], status: int, said: str
) -> None:
    done = dlp("register", "records", "add", customers, *options, "--owner", "x", config=config)
    assert (done.status, said in done.err) == (status, True)
    assert dlp("register", "records", "list", "--json", config=config).rows == []


def test_code_names_are_found_listed_linted_and_removed(dlp: Dlp, config: Path, tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    file.write_text("真实名称,代号\n聚四氢呋喃,K7Q2XW\n己二酸,A01\n丁二醇,A02\n", "gb18030")
    entry = declare(dlp, config, "codenames", "add", file, "--level", "top-secret", "--owner", "lab")
    public = declare(dlp, config, "codenames", "add", "丁二醇", "MDI", "--public", "--owner", "lab")
    pairs = declare(dlp, config, "codenames", "add", "猎鹰工程", "ZM41RT", "--pair-only", "--level", "secret", "--owner", "lab")
    assert found(config, "投料聚四氢呋喃，丁二醇") == [("code_name", "top-secret", entry)]
    assert found(config, "丁二醇、猎鹰工程") == []
    assert found(config, "猎鹰工程 ZM41RT") == [("code_name", "secret", pairs)]
    done = dlp("register", "codenames", "list", "--json", config=config)
    assert [(row["id"], row["size"], row["details"]["finds"]) for row in done.rows] == [
        (entry, 3, "real names and pairs"),
        (public, 2, "public"),
        (pairs, 1, "pairs"),
    ]
    weak = dlp("register", "codenames", "lint", "--json", config=config)
    assert weak.status == 1
    assert {(row["entry"], row["number"], row["kind"]) for row in weak.rows} == {
        (entry, number, kind) for number in (2, 3) for kind in ("sequence", "short", "pattern")
    }
    assert dlp("register", "codenames", "lint", pairs, config=config).status == 0
    assert dlp("register", "codenames", "lint", "nothing", config=config).status == 1
    nowhere(load_configuration(config).state)
    assert dlp("register", "codenames", "remove", entry, public, config=config).status == 0
    assert found(config, "投料聚四氢呋喃，猎鹰工程 ZM41RT") == [("code_name", "secret", pairs)]
    assert [event for event, _ in audited(config)] == ["register-added"] * 3 + ["register-removed"] * 2


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("聚四氢呋喃", "K7Q2XW", "丁二醇", "--level", "secret"), 64),
        (("聚四氢呋喃", "K7Q2XW"), 64),
        (("MDI", "--public", "--level", "secret"), 64),
        (("AB", "K7Q2XW", "--level", "secret"), 2),
        (("聚四氢呋喃", "7", "--level", "secret"), 2),
        (("absent.csv", "--level", "secret"), 2),
    ],
)
def test_a_wrong_list_is_refused(dlp: Dlp, config: Path, arguments: tuple[str, ...], status: int) -> None:
    assert dlp("register", "codenames", "add", *arguments, "--owner", "x", config=config).status == status
    assert dlp("register", "codenames", "list", "--json", config=config).rows == []


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    with tables.opened(path, Configuration()) as sheet:
        return list(sheet.heading), [list(row) for batch in sheet.batches for row in batch]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize(("delimiter", "suffix"), [(",", ".csv"), (";", ".csv"), ("\t", ".csv"), ("\t", ".tsv"), ("|", ".txt")])
def test_a_table_is_read_in_any_common_form(tmp_path: Path, encoding: str, delimiter: str, suffix: str) -> None:
    rows = [["姓名 ", '"a, b; c"'], ["张三", '"第一行\n第""二""行"'], ["", ""], ["李四"]]
    file = tmp_path / f"t{suffix}"
    file.write_text("\r\n".join(delimiter.join(row) for row in rows), encoding)
    assert read(file) == (["姓名", "a, b; c"], [["张三", '第一行\n第"二"行'], ["李四"]])


@pytest.mark.parametrize(
    ("data", "said"), [(b"", "is empty"), (b"a,b\n\xff\xff", "neither UTF-8"), (b"a\x00b", "neither"), (b'a,b\n"x"y,z', "line 2")]
)
def test_what_is_no_table_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=said):
        read(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "absent.csv")


class InProcess:
    """The workers, without children: what `declare_table` says is as if a child had said it."""

    answer: bytes | None = None

    def __init__(self, *_: object) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def declare(self, item: Item, register: str) -> tuple[Inspection, bytes]:
        budget, name = Budget(Limits()), item.name
        inspection, packed = DECLARING[register](
            memoryview(item.blob.read()), name=name, media=None, budget=budget, registers=Registers()
        )
        return inspection, packed if self.answer is None else self.answer


def test_a_workbook_is_a_table(dlp: Dlp, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "Workers", InProcess)
    monkeypatch.setattr(document, "LONGEST", 20_000)  # so that the sheet comes in pieces, which overlap
    rows = [row.split(",") for row in (HEADING, *ROWS)] + [[f"3301061980010{at:05d}", "", "1", "x"] for at in range(1)]
    rows += [[f"3301061980010{at:05d}", f"姓名{at}", "1", "x"] for at in range(1, 20_000)]
    file = tmp_path / "t.xlsx"
    file.write_bytes(a_xlsx({"客户": rows, "other": [["a", "b", "c", "d"]]}))
    options = ("--primary", "身份证号", "--with", "姓名,电话", "--level", "secret", "--owner", "sales")
    (told,) = dlp("register", "records", "add", file, *options, "--json", config=config).rows
    assert (told["rows"], told["warnings"][0][:31]) == (20_002, "1 rows have empty cells, or lin")
    assert found(config, "欧阳倩：440106 19751102 0023") == [("declared_record", "secret", told["id"])]
    assert found(config, "330106198001019999 姓名19999") == [("declared_record", "secret", told["id"])]


@pytest.mark.parametrize(
    ("data", "answer", "said"),
    [
        (a_xlsx({"t": [["a", "b"], ["1", ""], ["2", "3"]]}), None, "1 of 2 rows"),
        (a_xlsx({"t": []}), None, "is empty"),
        (b"PK\x03\x04 no workbook", None, "could not be read whole"),
        (a_xlsx(), b"no table", "makes no sense"),
        (a_xlsx(), zlib.compress(b"\xff"), "makes no sense"),
        (a_xlsx(), zlib.compress(b"a" * 2000), "makes no sense"),
    ],
)
def test_a_workbook_that_is_no_table_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, answer: bytes | None, said: str
) -> None:
    monkeypatch.setattr(tables, "Workers", InProcess)
    monkeypatch.setattr(tables, "_LARGEST", 1000)
    monkeypatch.setattr(InProcess, "answer", answer)
    file = tmp_path / "t.xlsx"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=said):
        read(file)


def test_many_rows_come_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH", 3)
    file = tmp_path / "t.csv"
    file.write_text("n\n" + "\n".join(map(str, range(7))), "utf-8")
    with tables.opened(file, Configuration()) as sheet:
        assert [len(batch) for batch in sheet.batches] == [3, 3, 1]
