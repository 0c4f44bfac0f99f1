"""The engine that reads text in pictures; what needs it is skipped by name where the extra is not installed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dlp.errors import ExtractError
from dlp.extract import ocr
from dlp.extract.budget import Budget, Exhausted, Ocr
from dlp.extract.ocr import recognized
from dlp.model import Limits, Why

Pixels = NDArray[np.uint8]
needs_engine = pytest.mark.skipif(not ocr.available(), reason="the extra `ocr` is not installed")


@pytest.fixture(scope="module")
def engine() -> Ocr:
    return ocr.load()


def _drawn(lines: list[str], *, size: int = 24, font: str | None = None, paper: int = 255, ink: int = 0) -> Pixels:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("L", (40 + size * max(map(len, lines)), 40 + 2 * size * len(lines)), paper)
    face = ImageFont.truetype(font, size) if font else ImageFont.load_default(size)
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((20, 20 + 2 * size * number), line, fill=ink, font=face)
    return np.asarray(picture.convert("RGB"))


@needs_engine
@pytest.mark.parametrize("turns", range(4))
def test_lines_are_read_in_order_whichever_way_up(engine: Ocr, turns: int) -> None:
    lines = ["Card 6222824952228053773", "Phone 15567350101", "Total 1,234.56 EUR"]
    assert engine.text(np.rot90(_drawn(lines), turns)).splitlines() == lines


@needs_engine
def test_columns_are_told_apart_and_rows_kept(engine: Ocr) -> None:
    picture = np.concatenate((_drawn(["Name", "Alice"]), _drawn(["Salary", "98765"])), axis=1)
    assert [row.split("\t") for row in engine.text(picture).splitlines()] == [["Name", "Salary"], ["Alice", "98765"]]


@needs_engine
@pytest.mark.parametrize("size", [10, 60])
def test_small_and_large_print_is_read(engine: Ocr, size: int) -> None:
    assert "4111111111111111" in engine.text(_drawn(["4111111111111111"], size=size))


@needs_engine
def test_a_line_cut_out_closely_is_read(engine: Ocr) -> None:
    whole = _drawn(["4111111111111111"])
    inked = np.argwhere(whole[:, :, 0] < 128)
    (top, left), (bottom, right) = inked.min(axis=0), inked.max(axis=0)
    assert "4111111111111111" in engine.text(whole[top - 2 : bottom + 3, left - 2 : right + 3])


@needs_engine
def test_light_on_dark_and_nearly_white_print_is_read(engine: Ocr) -> None:
    assert "4111111111111111" in engine.text(_drawn(["4111111111111111"], paper=20, ink=230))
    faint = _drawn(["4111111111111111"], paper=255, ink=235)
    assert "4111111111111111" in "".join(recognized(faint, Budget(Limits(), ocr=engine)))


@needs_engine
@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (10, 10), (300, 300)])
def test_pictures_without_text_have_none(engine: Ocr, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8)
    assert engine.text(noise) == ""
    assert engine.text(np.full((*shape, 3), 255, dtype=np.uint8)) == ""


@needs_engine
def test_chinese_is_read(engine: Ocr) -> None:
    fonts = [path for path in Path("/usr/share/fonts").rglob("*") if re.search(r"(?i)cjk|song|hei|wqy", path.name)]
    fonts = [path for path in fonts if path.suffix.lower() in {".ttc", ".ttf", ".otf"}]
    if not fonts:
        pytest.skip("no font with Chinese characters is installed")
    lines = ["国家秘密文件不得外传", "身份证号110101195309172098"]
    assert engine.text(_drawn(lines, font=str(sorted(fonts)[0]))).splitlines() == lines


@needs_engine
@pytest.mark.corpus
def test_the_corpus_pictures_are_read(engine: Ocr, corpus: Path) -> None:
    from PIL import Image

    digits = found = 0
    for name, truth in json.loads((corpus / "ocr_truth.json").read_text()).items():
        text = engine.text(np.asarray(Image.open(corpus / "synth/ocr" / name).convert("RGB")))
        strings = re.findall(r"\d{8,}", truth)
        digits += len(strings)
        found += sum(string in text for string in strings)
    assert found >= 0.95 * digits > 0


_CONFINED = """
import os, sys
sys.path.append(sys.argv.pop())
import numpy as np
from dlp.extract import ocr
from dlp.workers import seccomp
from dlp.workers.confine import address_space, confine, confine_child
engine = ocr.load()
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
assert len(os.listdir("/proc/self/task")) == 1, os.listdir("/proc/self/task")
pixels = np.load(sys.argv.pop())
program, base, parent = seccomp.child_program(), address_space(), os.getpid()
confine(keep=(1, 2))
if os.fork() == 0:
    confine_child(parent=parent, program=program, address_space=base + (600 << 20), cpu_seconds=60)
    os.write(1, engine.text(pixels).encode())
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@needs_engine
def test_it_runs_in_a_confined_child_of_a_process_of_one_thread(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", _drawn(["Card 6222824952228053773"]))
    place = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-I", "-c", _CONFINED, str(tmp_path / "pixels.npy"), place]
    done = subprocess.run(command, capture_output=True, timeout=100, env={"HOME": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == "Card 6222824952228053773\n"
    assert [path.name for path in tmp_path.rglob("*")] == ["pixels.npy"]  # nothing was kept in the home directory


@pytest.mark.parametrize("missing", ["rapidocr", "onnxruntime", "cv2", "PIL"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    find = ocr.find_spec
    monkeypatch.setattr(ocr, "find_spec", lambda name: None if name == missing else find(name))
    ocr.load.cache_clear()
    assert not ocr.available()
    with pytest.raises(ExtractError, match=missing):
        ocr.load()


def test_an_engine_that_starts_a_thread_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if not ocr.available():
        pytest.skip("the extra `ocr` is not installed")
    counts = iter((1, 2))
    monkeypatch.setattr(ocr, "_threads", lambda: next(counts))
    ocr.load.cache_clear()
    with pytest.raises(ExtractError, match="started 1 threads"):
        ocr.load()


class _Recorder:
    def __init__(self) -> None:
        self.tiles: list[Pixels] = []

    def text(self, pixels: Pixels) -> str:
        self.tiles.append(pixels)
        return f"{len(self.tiles)}\n"


def _striped(height: int, width: int) -> Pixels:
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[::2] = 255
    return pixels


@pytest.mark.parametrize(("height", "width", "count"), [(1800, 1800, 1), (1801, 1800, 2), (5000, 1801, 6), (20, 9000, 6)])
def test_a_large_picture_is_read_in_tiles_that_overlap(height: int, width: int, count: int) -> None:
    engine = _Recorder()
    marked = _striped(height, width)
    assert "".join(recognized(marked, Budget(Limits(), ocr=engine))) == "".join(f"{number}\n" for number in range(1, count + 1))
    assert all(tile.shape[0] <= 1800 and tile.shape[1] <= 1800 for tile in engine.tiles)
    assert marked.size <= sum(tile.size for tile in engine.tiles) <= 1.3 * marked.size


def test_one_colour_is_not_shown_and_faint_contrast_is_raised() -> None:
    engine = _Recorder()
    budget = Budget(Limits(), ocr=engine)
    assert list(recognized(np.full((50, 50, 3), 7, dtype=np.uint8), budget)) == []
    list(recognized(_striped(50, 50) // 64 + 100, budget))
    assert (engine.tiles[0].min(), engine.tiles[0].max()) == (0, 255)


def test_without_an_engine_nothing_is_read() -> None:
    assert list(recognized(_striped(50, 50), Budget(Limits()))) == []


def test_the_deadline_is_asked_before_each_tile() -> None:
    engine = _Recorder()
    budget = Budget(Limits(seconds=10), ocr=engine, clock=lambda: 4.0 * len(engine.tiles))
    with pytest.raises(Exhausted) as ended:
        list(recognized(_striped(1000, 9000), budget))
    assert ended.value.why is Why.TIMEOUT
    assert len(engine.tiles) == 2


def test_loading_is_asked_for_in_words_an_operator_knows() -> None:
    if ocr.available():
        pytest.skip("the extra `ocr` is installed")
    with pytest.raises(ExtractError, match="make setup EXTRAS=ocr"):
        ocr.load()
    assert "ORT_DISABLE_TELEMETRY" not in os.environ
