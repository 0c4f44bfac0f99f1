"""Rows of declared tables: a planted row is found however it is laid out, cells of different rows never are."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlp.detect import records
from dlp.detect.normalise import fold
from dlp.detect.records import open_records
from dlp.detect.register import Register, Seen
from dlp.errors import ConfigError
from dlp.model import Finding, Part, Unscannable, Why, Zone
from tests.detect.declared_tables import KEY, declared, found, looked, opened

FAMILY, GIVEN = "王李张刘陈杨赵黄周吴", "伟芳娜敏静丽强磊军洋勇艳杰娟涛"


def people(count: int, seed: int = 1) -> list[tuple[str, str, str, str]]:
    """Number, name, telephone, address; telephone and address are nobody else's."""
    draw = random.Random(seed)
    return [
        (
            f"{draw.randrange(11, 66)}0101{draw.randrange(1950, 2005)}0{draw.randrange(1, 10)}1{draw.randrange(10)}{place:04d}"[
                :17
            ]
            + draw.choice("0123456789X"),
            draw.choice(FAMILY) + "".join(draw.sample(GIVEN, 2)),
            f"139{draw.randrange(10**4):04d}{place:04d}",
            f"北京市海淀区{draw.choice(GIVEN)}{draw.choice(GIVEN)}路{place + 1}号{draw.randrange(1, 30)}室",
        )
        for place in range(count)
    ]


ROWS = people(400)


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Register:
    folder = tmp_path_factory.mktemp("register")
    assert declared(folder, ROWS).rows == len(ROWS)
    return opened(folder)


def alone(cell: str) -> str:
    """Its letters and digits."""
    return "".join(one for one in cell.lower() if one.isalnum())


def fold_alone(row: tuple[str, str]) -> str:
    return alone(row[0])


def counts_as(primary: str, other: str) -> bool:
    """Whether a row can be found: both cells have enough in them, and do not say the same."""
    first, second = alone(primary), alone(other)
    chinese = [sum(not one.isascii() for one in cell) > 1 for cell in (first, second)]
    return (len(first) > 3 or chinese[0]) and (len(second) > 2 or chinese[1]) and first != second


FILLER = st.text(st.sampled_from("的了在是我有和就不人都一个上也很到说要去你会着没有看好自己这, .;a1\n\tthe report"), max_size=80)
NUMBER_JOINTS = st.sampled_from(["", " ", "-", "\u200b", "."])
CELL_JOINTS = st.sampled_from([",", "\t", "\n", " | ", '","', "，", "；电话：", " of ", "\r\n"])


def spread(number: str, joint: str) -> str:
    return joint.join((number[:3], number[3:7], number[7:]))


@settings(deadline=None)
@given(st.integers(0, len(ROWS) - 1), st.integers(1, 3), FILLER, FILLER, NUMBER_JOINTS, CELL_JOINTS, st.booleans())
def test_a_planted_row_is_found(
    register: Register, row: int, other: int, before: str, after: str, joint: str, between: str, turned: bool
) -> None:
    cells = [spread(ROWS[row][0], joint), ROWS[row][other]]
    text = f"{before} {between.join(reversed(cells) if turned else cells)} {after}"
    (finding,) = found(register, text)
    assert (finding.signature, finding.level, finding.count) == ("declared_record", "secret", 1)
    assert finding.facts == {"entry": "t1", "title": "客户表", "owner": "sales", "rows": "1"}


@settings(deadline=None)
@given(st.integers(0, len(ROWS) - 1), st.integers(1, len(ROWS) - 1), FILLER, CELL_JOINTS)
def test_cells_of_different_rows_never_are(register: Register, row: int, step: int, filler: str, between: str) -> None:
    other = ROWS[(row + step) % len(ROWS)]
    cells = [ROWS[row][0], *(cell for cell, own in zip(other[1:], ROWS[row][1:], strict=True) if cell != own)]
    assert found(register, filler + " " + between.join(cells)) == []


def test_a_row_is_found_in_every_layout(register: Register) -> None:
    number, name, telephone, address = ROWS[7]
    layouts = [
        f"{name}先生，证件号码{number}，住{address}，请致电{telephone}。",
        f"{number},{name},{telephone},{address}\n",
        f'"{name}";"{telephone}";"{number}"',
        "\n".join((name, number, telephone)),
        f"姓名\t证件\n{name}\t{number.lower()}\n",
        f"{number}　ＮＡＭＥ　{telephone.translate({ord(d): ord(d) + 0xFEE0 for d in '0123456789'})}",
        " ".join(number) + "  " + name,
    ]
    for layout in layouts:
        assert [finding.count for finding in found(register, layout)] == [1], layout


def test_the_primary_cell_alone_is_nothing(register: Register) -> None:
    assert found(register, "\n".join(row[0] for row in ROWS)) == []
    assert found(register, " ".join(cell for row in ROWS for cell in row[1:])) == []


def test_a_longer_number_is_another(register: Register) -> None:
    number, name, *_ = ROWS[3]
    assert found(register, f"{name} 9{number}") == []
    assert found(register, f"{name} {number}9") == []


def test_other_cells_count_within_reach_or_on_the_line(register: Register) -> None:
    number, name, *_ = ROWS[3]
    assert len(found(register, number + "\n" + "x" * (records.REACH - 20) + "\n" + name)) == 1
    assert found(register, number + "\n" + "x " * records.REACH + "\n" + name) == []
    assert len(found(register, number + "\t" + "x " * records.REACH + "\t" + name)) == 1
    assert found(register, number + "\t" + "x " * records.LINE + "\t" + name) == []


def test_rows_are_counted_by_trail_and_in_the_whole_item(tmp_path: Path) -> None:
    declared(tmp_path, ROWS, needed=3)
    register = opened(tmp_path)

    def part(trail: str, *rows: int) -> Part:
        return Part(text="\n".join(",".join(ROWS[row]) for row in rows), trail=(trail,), zone=Zone.NOTE)

    assert found(register, part("a", 1), part("b", 2), part("c", 1)) == []
    findings = found(register, part("a", 1, 1, 2), part("b", 2, 3))
    assert [(finding.trail, finding.zone, finding.count) for finding in findings] == [
        (("a",), Zone.NOTE, 2),
        (("b",), Zone.NOTE, 2),
    ]


def test_the_finding_tells_the_place_in_the_original_and_no_cell(register: Register) -> None:
    number, name, *_ = ROWS[5]
    text = "第 一 行\n\u200b證件 " + spread(number, "-") + " " + name
    (finding,) = found(register, text)
    assert text[finding.offset :].startswith(number[:3] + "-")
    assert number[2:-2] not in repr(finding) and name not in repr(finding)


def test_least_asks_for_more_than_one_cell(tmp_path: Path) -> None:
    declared(tmp_path, ROWS, least=2)
    register = opened(tmp_path)
    number, name, telephone, _ = ROWS[9]
    assert found(register, f"{number} {name} {name}") == []
    assert len(found(register, f"{number} {name} {telephone}")) == 1


def test_cells_that_prove_nothing_do_not_count(tmp_path: Path) -> None:
    rows = [(row[0], "研发部" if at % 2 else row[2], "男", row[0]) for at, row in enumerate(ROWS)]
    built = declared(tmp_path, rows)
    assert (built.rows, built.sparse, built.common) == (200, 200, (200, 0, 0))
    register = opened(tmp_path)
    assert found(register, f"{ROWS[1][0]} 研发部 男 {ROWS[1][0]}") == []
    assert found(register, f"{ROWS[2][0]} 男 {ROWS[2][0]}") == []
    assert len(found(register, f"{ROWS[2][0]} {ROWS[2][2]}")) == 1


def test_primary_cells_that_identify_nothing_are_left_out(tmp_path: Path) -> None:
    rows = [
        *[("12345678", f"name{at:04d}") for at in range(20)],
        ("123", "too short"),
        ("李明", "name5000"),
        ("9" * 65, "name6000"),
    ]
    built = declared(tmp_path, rows)
    assert (built.rows, built.repeated, built.unusable) == (2, 20, 1)
    register = opened(tmp_path)
    assert found(register, "12345678 name0003") == []
    assert len(found(register, "联系李明，编号 name5000")) == 1


def test_rows_that_share_a_primary_cell_count_once(tmp_path: Path) -> None:
    declared(tmp_path, [("12345678", "first name"), ("12345678", "second name"), ("87654321", "third name")])
    register = opened(tmp_path)
    text = "12345678 second name 12345678 first name"
    assert [finding.count for finding in found(register, text)] == [1]
    assert found(register, "12345678 third name") == []


CELL = st.text(st.sampled_from("张三李四王五abcXYZ0123456789- "), min_size=1, max_size=20)


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8, unique_by=(fold_alone, lambda row: alone(row[1]))))
def test_every_row_that_is_declared_is_found(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("table")
    findable = [row for row in rows if counts_as(*row)]
    assert declared(folder, rows).rows == len(findable)
    if findable:
        register = opened(folder)
        assert all(found(register, f"x。{primary};{other}。x") for primary, other in findable)


def test_long_cells_are_known_by_their_beginning(tmp_path: Path) -> None:
    long = "一段很长的备注" * 12
    declared(tmp_path, [("AB-100234", long), ("AB-100235", "short one")])
    register = opened(tmp_path)
    assert len(found(register, f"ab 100234：{long}")) == 1
    assert found(register, f"ab 100234：{long[:60]}") == []


def test_what_has_expired_is_not_looked_for(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    declared(tmp_path, ROWS, name="old", expires=(now - timedelta(hours=1)).isoformat())
    assert found(opened(tmp_path), ",".join(ROWS[0])) == []
    declared(tmp_path, ROWS, name="new", expires=(now + timedelta(hours=1)).isoformat())
    assert [finding.facts["entry"] for finding in found(opened(tmp_path), ",".join(ROWS[0]))] == ["new"]


def test_the_index_tells_nothing_without_the_key(tmp_path: Path) -> None:
    declared(tmp_path, ROWS)
    declared(tmp_path, ROWS, name="t2")
    files = {path.name: path.read_bytes() for path in (tmp_path / "records").iterdir()}
    words = [cell.encode(charset) for row in ROWS for cell in row for charset in ("utf-8", "utf-16-le", "utf-32-le", "gb18030")]
    for word in [*words, "客户表".encode(), "客户表".encode("unicode-escape"), b"sales", b"secret"]:
        assert not [name for name, data in files.items() if word in data]
    numbers = [data[at : at + 8] for name, data in files.items() if name != "manifest" for at in range(0, len(data), 8)]
    assert len(set(numbers)) == len(numbers) == 2 * 4 * len(ROWS)  # equal cells look different, in a table and in two


def test_equal_cells_of_a_column_look_different(tmp_path: Path) -> None:
    built = declared(tmp_path, [(f"2024{at:05d}", ["alpha team", "beta team"][at % 2], f"x{at:06d}") for at in range(6)])
    assert built.common == (0, 0)
    column = next(path for path in (tmp_path / "records").iterdir() if path.name.startswith("t1-1-")).read_bytes()
    assert len({column[at : at + 8] for at in range(0, len(column), 8)}) == 6


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    declared(tmp_path, ROWS[:3])
    with pytest.raises(ConfigError, match="the key file is another"):
        open_records(tmp_path, KEY[::-1])


def test_nothing_declared_is_no_register(tmp_path: Path) -> None:
    assert open_records(tmp_path, KEY) is None


def test_places_that_are_not_judged_are_told(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_JUDGED", 2)
    results = looked(register, "\n".join(",".join(row) for row in ROWS[:4]))
    (unscannable,) = [result for result in results if isinstance(result, Unscannable)]
    assert unscannable.why is Why.TOO_MANY and "2 places" in unscannable.detail


def test_parts_of_one_trail_are_read_together(register: Register) -> None:
    number, name, *_ = ROWS[11]
    apart = [Part(text=number, trail=("a", "1")), Part(text=name, trail=("a", "1"))]
    assert len(found(register, *apart)) == 1
    assert found(register, apart[0], Part(text=name, trail=("a", "2"))) == []


def test_file_names_are_read_too(register: Register) -> None:
    name = Part(text=f"{ROWS[2][1]}_{ROWS[2][0]}.pdf", zone=Zone.FILENAME, trail=("a.zip",))
    seen = Seen(texts=[], names=[(name, fold(name.text))], files=[])
    assert [(one.zone, one.trail) for one in register.findings(seen) if isinstance(one, Finding)] == [(Zone.FILENAME, ("a.zip",))]


def test_blocks_end_between_parts(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BLOCK", 100)
    parts = [Part(text=",".join(row), trail=(str(at),)) for at, row in enumerate(ROWS[:20])]
    assert [finding.count for finding in found(register, *parts)] == [1] * 20


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_taken(register: Register, text: str) -> None:
    assert looked(register, text) == []
