"""Declared documents: found whole, in part and reworded; not where only public or common text is shared."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from dlp.detect import documents as module
from dlp.detect import fingerprints
from dlp.detect.detector import Detector
from dlp.detect.documents import HITS, REACH, Documents, file_hash
from dlp.detect.fingerprint_index import Addition, change
from dlp.detect.normalise import fold
from dlp.detect.register import Seen
from dlp.detect.registers import BUILT_IN, Registers, generation, stamp
from dlp.errors import ConfigError, SignatureError
from dlp.extract.budget import Budget
from dlp.inspection import declare_document, inspect
from dlp.model import Finding, Limits, Part, Raw, Trail, Unscannable, Why, Zone
from tests.detect.rules import rule, written
from tests.detect.test_fingerprints import KEY, prose

EXPIRED = "2020-01-01T00:00:00.000000Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in ("documents", "public"):
        (tmp_path / kind).mkdir()
    return tmp_path


def declare(folder: Path, *texts: str, kind: str = "documents", expires: str = "") -> None:
    """Each under an id of its own: doc0, doc1 …"""
    add = [
        Addition(
            id=f"doc{place}",
            hashes=fingerprints.of_texts([fold(text).text], KEY).hashes,
            file=file_hash(hashlib.sha256(text.encode()).digest(), KEY),
            level="secret",
            owner="the board",
            expires=expires,
        )
        for place, text in enumerate(texts)
    ]
    change(folder / kind, add=add)


def seen(*texts: tuple[Trail, str], files: tuple[tuple[Trail, bytes], ...] = ()) -> Seen:
    parts = [Part(text=text, trail=trail) for trail, text in texts]
    return Seen(
        texts=[(part, fold(part.text)) for part in parts],
        names=[],
        files=[(trail, hashlib.sha256(data).digest()) for trail, data in files],
    )


def ask(folder: Path, what: Seen) -> list[Finding]:
    """What the registers find; all of it has to be findings."""
    return [one for one in Registers.open(folder, KEY).findings(what) if isinstance(one, Finding) or pytest.fail(str(one))]


def found(folder: Path, text: str) -> set[str]:
    return {one.facts["entry"] for one in ask(folder, seen(((), text)))}


def reworded(text: str, share: float, seed: int) -> str:
    chance, letters = random.Random(seed), list(text)
    for place in chance.sample(range(len(letters)), round(share * len(letters))):
        letters[place] = chr(chance.randrange(0x4E00, 0x9000))
    return "".join(letters)


def test_a_part_is_found_with_what_a_person_needs_and_nothing_more(folder: Path) -> None:
    text = prose(1)
    declare(folder, prose(9), text)
    body = "周报\n" + prose(2, 200) + "\n" + text[1000:1500] + "\n" + prose(3, 200)
    (one,) = ask(folder, seen((("a.zip", "b.txt"), "nothing of note"), (("a.zip", "c.txt"), body)))
    assert (one.signature, one.level, one.category) == ("declared_document", "secret", None)
    assert (one.trail, one.zone) == (("a.zip", "c.txt"), Zone.BODY)
    assert one.facts == {"entry": "doc1", "owner": "the board", "match": "part", "share": "16 %", "hits": str(one.count)}
    assert one.count >= HITS and 80 <= one.confidence <= 95
    assert 190 < one.offset < 260
    assert len(one.excerpt) <= 24 and one.excerpt.count("*") >= len(one.excerpt) - 4


def test_how_it_is_written_does_not_matter(folder: Path) -> None:
    text = prose(1, 600)
    declare(folder, text)
    assert found(folder, "，\u200b ".join(text[100:400])) == {"doc0"}
    english = " ".join(f"{chr(97 + place % 26)}word{place}" for place in range(300))
    declare(folder, english)
    assert found(folder, english[500:1500].upper().replace(" ", "\n\t- ")) == {"doc0"}


@pytest.mark.parametrize("share", [0.0, 0.02, 0.05])
def test_a_tenth_is_found_though_it_was_reworded(folder: Path, share: float) -> None:
    texts = [prose(seed, 6000) for seed in range(20)]
    declare(folder, *texts)
    excerpts = [reworded(text[2000:2600], share, seed) for seed, text in enumerate(texts)]
    hits = [
        found(folder, prose(100, 500) + excerpt + prose(101, 500)) == {f"doc{place}"} for place, excerpt in enumerate(excerpts)
    ]
    assert sum(hits) >= 0.95 * len(hits)


def test_a_quoted_sentence_is_not_enough(folder: Path) -> None:
    text = prose(1)
    declare(folder, text)
    assert found(folder, prose(2, 400) + text[500:580] + prose(3, 400)) == set()


def test_the_same_phrase_many_times_proves_no_more_than_once(folder: Path) -> None:
    text = prose(1)
    declare(folder, text)
    assert found(folder, (text[500:560] + prose(2, 40)) * 20) == set()


def test_hits_far_from_each_other_prove_nothing(folder: Path) -> None:
    text = prose(1, 20_000)
    declare(folder, text)
    pieces = [text[1000 * place : 1000 * place + 60] + prose(50 + place, REACH) for place in range(15)]
    assert found(folder, "".join(pieces)) == set()


def test_the_whole_text_in_another_form_is_a_copy(folder: Path) -> None:
    text = prose(1)
    declare(folder, text)
    (one,) = ask(folder, seen(((), "\n".join(text) + "end")))
    assert (one.facts["match"], one.facts["share"], one.confidence) == ("copy", "100 %", 98)


def test_the_very_file_is_found_by_its_bytes_and_told_once(folder: Path) -> None:
    text = prose(1)
    declare(folder, text, "short")
    mail = ("a.zip", "b.txt")
    both = ask(folder, seen((mail, text), files=((("a.zip",), b"other"), (mail, text.encode()), (("c",), b"short"))))
    assert [(one.trail, one.facts["entry"], one.facts["match"], one.zone) for one in both] == [
        (mail, "doc0", "file", Zone.RAW),
        (("c",), "doc1", "file", Zone.RAW),
    ]
    assert {one.confidence for one in both} == {100}


def test_each_place_is_told(folder: Path) -> None:
    text = prose(1)
    declare(folder, text)
    excerpt = text[300:800]
    places = {one.trail for one in ask(folder, seen((("a",), excerpt), (("b",), prose(2)), (("c",), excerpt)))}
    assert places == {("a",), ("c",)}


def test_public_text_proves_nothing(folder: Path) -> None:
    form, own = prose(1, 1000), prose(2, 1000)
    declare(folder, form + own)
    assert found(folder, form) == found(folder, own) == {"doc0"}
    declare(folder, prose(3), form, kind="public")
    assert found(folder, form) == set()
    assert found(folder, own) == {"doc0"}


def test_a_public_file_is_no_finding_though_it_is_declared(folder: Path) -> None:
    declare(folder, "form")
    what = seen(files=(((), b"form"),))
    assert ask(folder, what) != []
    declare(folder, "form", kind="public")
    assert ask(folder, what) == []


def test_text_that_many_declared_documents_share_proves_nothing(folder: Path) -> None:
    boilerplate = prose(1, 600)
    declare(folder, *(boilerplate + prose(10 + place) for place in range(3)))
    assert found(folder, boilerplate) == {"doc0", "doc1", "doc2"}
    declare(folder, boilerplate + prose(20))
    assert found(folder, boilerplate) == set()
    assert found(folder, prose(11)) == {"doc1"}


def test_many_versions_of_one_document_do_not_hide_it(folder: Path) -> None:
    text = prose(1)
    declare(folder, *(text + prose(10 + place, 150) for place in range(6)))
    assert found(folder, text[1000:1500]) == {f"doc{place}" for place in range(6)}


def test_an_entry_that_has_expired_is_not_looked_for(folder: Path) -> None:
    text = prose(1)
    declare(folder, text, expires=EXPIRED)
    assert ask(folder, seen(((), text), files=(((), text.encode()),))) == []
    change(folder / "documents", remove=["doc0"])
    declare(folder, text, expires="2999-01-01T00:00:00.000000Z")
    assert len(ask(folder, seen(((), text), files=(((), text.encode()),)))) == 1


def test_with_another_key_nothing_is_known(folder: Path) -> None:
    text = prose(1)
    declare(folder, text)
    registers = Registers.open(folder, bytes(32))
    assert list(registers.findings(seen(((), text), files=(((), text.encode()),)))) == []


def test_what_is_removed_is_found_no_more(folder: Path) -> None:
    declare(folder, prose(1), prose(2))
    change(folder / "documents", remove=["doc0"])
    assert (found(folder, prose(1)), found(folder, prose(2))) == (set(), {"doc1"})
    change(folder / "documents", remove=["doc1"])
    assert not Registers.open(folder, KEY)


def test_more_hits_than_are_looked_at_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(folder, prose(1))
    monkeypatch.setattr(module, "MOST_PAIRS", 20)
    told = [one for one in Registers.open(folder, KEY).findings(seen(((), prose(1)))) if isinstance(one, Unscannable)]
    assert [one.why for one in told] == [Why.TOO_MANY]


def test_more_findings_than_are_listed_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(folder, prose(1))
    monkeypatch.setattr(module, "MOST_FINDINGS", 2)
    several = seen(*(((str(place),), prose(1)) for place in range(4)))
    results = list(Registers.open(folder, KEY).findings(several))
    assert [type(one) for one in results] == [Finding, Finding, Unscannable]


# ---- In the detector


def test_the_detector_asks_the_registers(folder: Path, tmp_path: Path) -> None:
    text = prose(1)
    declare(folder, text, "bytes")
    rules = tmp_path / "rules"
    rules.mkdir()
    detector = Detector.load([written(rules, rule("mine"))], Registers.open(folder, KEY))
    assert detector.names == {"mine", "declared_document"}
    scan = detector.begin()
    scan.add(Raw(data=memoryview(b"bytes"), trail=("x",)))
    scan.add(Part(text=text[100:600], trail=("y",)))
    assert [one.trail for one in scan.finish() if isinstance(one, Finding)] == [("x",), ("y",)]


def test_a_register_that_is_still_empty_keeps_its_key(folder: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    detector = Detector.load([written(rules, rule("mine"))], Registers.open(folder, KEY))
    assert detector.names == {"mine"}
    data = memoryview(prose(1).encode())
    found, packed = declare_document(data, name="a.txt", media=None, budget=Budget(Limits()), registers=detector.registers)
    assert found.text_chars == 3000
    assert set(fingerprints.unpacked(packed).tolist()) == set(fingerprints.of_texts([fold(prose(1)).text], KEY).hashes.tolist())


def test_a_rule_may_not_take_the_name_of_what_registers_find(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="register's findings"):
        Detector.load([written(tmp_path, rule("declared_document"))])
    assert "declared_document" in BUILT_IN


def test_what_is_declared_by_inspection_is_found_by_inspection(folder: Path, tmp_path: Path) -> None:
    text = prose(1)
    registers = Registers.open(folder, KEY)
    _, packed = declare_document(
        memoryview(text.encode()), name="plan.txt", media=None, budget=Budget(Limits()), registers=registers
    )
    change(folder / "documents", add=[Addition(id="it", hashes=fingerprints.unpacked(packed), file=1, level="secret")])
    rules = tmp_path / "rules"
    rules.mkdir()
    detector = Detector.load([written(rules, rule("mine"))], Registers.open(folder, KEY))
    page = f"<html><body><p>{text[500:900]}</p></body></html>".encode()
    inspection = inspect(memoryview(page), name="a.html", media=None, budget=Budget(Limits()), detector=detector)
    assert [one.signature for one in inspection.findings] == ["declared_document"]


def test_a_damaged_index_is_a_fault(folder: Path) -> None:
    declare(folder, prose(1))
    next((folder / "documents").glob("delta_hash-*")).write_bytes(b"")
    with pytest.raises(ConfigError, match="damaged"):
        Registers.open(folder, KEY)


@pytest.mark.parametrize(
    "change_it",
    [
        lambda folder: declare(folder, prose(2)),
        lambda folder: declare(folder, prose(2), kind="public"),
        lambda folder: change(folder / "documents", remove=["doc0"]),
    ],
    ids=["document", "public", "removed"],
)
def test_every_change_is_another_generation(folder: Path, change_it: Callable[[Path], None]) -> None:
    assert (generation(folder), stamp(folder)) == (b"", [])
    declare(folder, prose(1))
    before, marked = generation(folder), stamp(folder)
    assert before == generation(folder) and marked == stamp(folder)
    change_it(folder)
    assert generation(folder) != before and stamp(folder) != marked


def test_nothing_readable_is_in_the_index(folder: Path) -> None:
    text = "Project Falcon begins in spring. " * 40
    declare(folder, text)
    for path in (folder / "documents").iterdir():
        data = path.read_bytes().lower()
        assert b"falcon" not in data and hashlib.sha256(text.encode()).digest() not in data
    assert isinstance(Registers.open(folder, KEY).opened[0], Documents)
