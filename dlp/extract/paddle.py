"""PP-OCR's three models on ONNX Runtime: find lines, turn them upright, read them.

Detection is differentiable binarization (Liao et al., arXiv:1911.08947), recognition a CTC network (Graves et al., 2006)
over lines 48 pixels high. All runs in the calling thread, without files. A line is read at a time: on one
thread a batch is no faster, and it takes several times the memory.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    RuntimeException,
)

from dlp.extract.budget import Unreadable
from dlp.model import Why

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Rotated = tuple[tuple[float, float], tuple[float, float], float]
"""OpenCV's RotatedRect: centre, size, angle in degrees."""

_ERRORS = (cv2.error, Fail, InvalidArgument, RuntimeException)
MOST = 1_000
"""Lines read of one picture, the largest first; a page of small print has two hundred."""
_GRID = 32
"""The network halves its input five times."""
_SHORT = 736
"""Pixels of the shorter side to which a small picture is enlarged before lines are looked for (PP-OCR's own figure)."""
_AREA = 1_300_000
"""Pixels at which lines are looked for at the most, which sets the memory needed; they are read in the original."""
_ENLARGED = 3.0
_MARGIN = 64
"""A side shorter than this is a line cut out closely, which is not found without a border around it."""
_THRESHOLD = 0.3
_BOX_SCORE = 0.5
_UNCLIP = 1.6
"""How a shrunken text region grows back: area times this by perimeter (arXiv:1911.08947, 3.5)."""
_HEIGHT = 48
_WIDEST = 6_400
"""Pixels of a line 48 high; a longer one is compressed to it."""
_UPRIGHT = (48, 192)
_TURNED = 0.9
_READ = 0.5
"""Mean probability of its characters below which a line is taken for a pattern."""
_STANDING = 1.5
"""Height by width from which a line runs from bottom to top or top to bottom."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line's corners in the picture, clockwise from its top left (4, 2; pixels), and whether it is wider than high."""

    corners: Floats
    lying: bool

    @property
    def centre(self) -> tuple[float, float]:
        x, y = self.corners.mean(axis=0)
        return float(x), float(y)

    @property
    def height(self) -> float:
        return float(np.linalg.norm(self.corners[3] - self.corners[0]))

    @property
    def edges(self) -> tuple[float, float]:
        """Leftmost and rightmost pixel."""
        return float(self.corners[:, 0].min()), float(self.corners[:, 0].max())


class Engine:
    """Reads a picture. See `dlp.extract.budget.Ocr`."""

    def __init__(self, detector: bytes, classifier: bytes, recognizer: bytes) -> None:
        """Each a model in ONNX; the recognizer names its characters. Runs all three once, so that nothing is left to load."""
        self._detector = _session(detector)
        self._classifier = _session(classifier)
        self._recognizer = _session(recognizer)
        named = self._recognizer.get_modelmeta().custom_metadata_map["character"]
        self._characters = ["", *named.splitlines(), " "]  # the first is CTC's blank
        trial = np.full((64, 320, 3), 255, dtype=np.uint8)
        cv2.putText(trial, "Trial 123", (40, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
        self.text(trial)
        self._upright(trial)
        self._recognized(trial)

    def text(self, pixels: Pixels) -> str:
        """The rows of text found in `pixels` (height, width, 3; RGB), each ended by a newline; "" where there are none.

        Raises Unreadable(crashed) where a library fails, which is what they do for want of memory too.
        """
        try:
            return self._text(pixels)
        except _ERRORS as error:
            raise Unreadable(Why.CRASHED, f"reading a picture failed ({type(error).__name__})") from error

    def _text(self, pixels: Pixels) -> str:
        picture = _bordered(np.ascontiguousarray(pixels[:, :, ::-1]))
        lines = self._lines(picture)
        if sum(not line.lying for line in lines) > len(lines) / 2:
            picture = np.ascontiguousarray(np.rot90(picture))
            lines = self._lines(picture)
        cuts = [_cut(picture, line) for line in lines]
        turned = [not self._upright(cut) for cut in cuts]
        if sum(turned) > len(turned) / 2:  # the page stands on its head, so its last line is the first
            picture, lines = np.ascontiguousarray(picture[::-1, ::-1]), [_opposite(line, picture) for line in lines]
            cuts, turned = [_cut(picture, line) for line in lines], [not one for one in turned]
        read = [self._likelier(cut) if one else self._recognized(cut)[0] for cut, one in zip(cuts, turned, strict=True)]
        found = [(line, text) for line, text in zip(lines, read, strict=True) if text.strip()]
        return "".join(f"{row}\n" for row in _rows(found))

    def _lines(self, picture: Pixels) -> list[Line]:
        height, width = picture.shape[:2]
        size = _detection_size(width, height)
        scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if width * height > _AREA else cv2.INTER_LINEAR)
        (output,) = self._detector.run(None, {self._detector.get_inputs()[0].name: _normal(scaled)})
        likely = output[0, 0]
        mask = cv2.dilate((likely > _THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        largest = sorted(contours, key=cv2.contourArea, reverse=True)[:MOST]
        scale = np.array([width / likely.shape[1], height / likely.shape[0]], dtype=np.float32)
        limits = np.array([width - 1, height - 1], dtype=np.float32)
        return [_line(box * scale, limits) for contour in largest if (box := _box(contour, likely)) is not None]

    def _upright(self, cut: Pixels) -> bool:
        height, width = _UPRIGHT
        fitted = _fitted(cut, height=height, widest=width)
        padded = np.zeros((1, 3, height, width), dtype=np.float32)
        padded[:, :, :, : fitted.shape[1]] = _normal(fitted)
        (output,) = self._classifier.run(None, {self._classifier.get_inputs()[0].name: padded})
        return float(output[0, 1]) <= _TURNED

    def _likelier(self, cut: Pixels) -> str:
        """What a line says that seems to stand on its head where others do not: the classifier is wrong about some."""
        return max(self._recognized(cut), self._recognized(np.ascontiguousarray(cut[::-1, ::-1])), key=lambda read: read[1])[0]

    def _recognized(self, cut: Pixels) -> tuple[str, float]:
        """What a line says, "" if it is unlikely to be writing, and how likely its characters are on average."""
        fitted = _fitted(cut, height=_HEIGHT, widest=_WIDEST)
        (output,) = self._recognizer.run(None, {self._recognizer.get_inputs()[0].name: _normal(fitted)})
        steps = output[0]
        best = steps.argmax(axis=1)
        kept = (best != 0) & np.concatenate(([True], best[1:] != best[:-1]))
        likely = float(steps[kept, best[kept]].mean()) if kept.any() else 0.0
        if likely < _READ:
            return "", likely
        return "".join(self._characters[index] for index in best[kept].tolist()), likely


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    # Every picture has another size: plans and arenas made for one would only hold memory.
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _bordered(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    if min(height, width) >= _MARGIN:
        return picture
    border = _MARGIN // 2
    return np.asarray(cv2.copyMakeBorder(picture, border, border, border, border, cv2.BORDER_REPLICATE), dtype=np.uint8)


def _detection_size(width: int, height: int) -> tuple[int, int]:
    """Width and height at which lines are looked for."""
    ratio = min(max(_SHORT / min(width, height), 1.0), _ENLARGED, math.sqrt(_AREA / (width * height)))
    return max(round(width * ratio / _GRID), 1) * _GRID, max(round(height * ratio / _GRID), 1) * _GRID


def _normal(picture: NDArray[Any]) -> Floats:
    """From (height, width, 3) of 0 to 255 to (1, 3, height, width) of -1 to 1."""
    channels = picture.transpose(2, 0, 1)[np.newaxis].astype(np.float32)
    channels *= np.float32(2 / 255)
    channels -= np.float32(1)
    return channels


def _box(contour: NDArray[Any], likely: Floats) -> Floats | None:
    """The corners around a region of text, grown to its full size; None where it is too small or too unlikely."""
    (x, y), (width, height), angle = cv2.minAreaRect(contour)
    if min(width, height) < 3 or _score(((x, y), (width, height), angle), likely) < _BOX_SCORE:
        return None
    grown = width * height * _UNCLIP / (width + height)  # twice the offset, area by perimeter
    return np.asarray(cv2.boxPoints(((x, y), (width + grown, height + grown), angle)), dtype=np.float32)


def _score(box: Rotated, likely: Floats) -> float:
    """The mean probability inside a box."""
    corners = cv2.boxPoints(box)
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    part = likely[top:bottom, left:right]
    mask = np.zeros(part.shape, dtype=np.uint8)
    cv2.fillPoly(mask, [(corners - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(part, mask)[0])


def _line(corners: Floats, limits: Floats) -> Line:
    """The corners in order, from the left pair and the right pair, none outside the picture."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (pair[np.argsort(pair[:, 1], kind="stable")] for pair in (by_x[:2], by_x[2:]))
    ordered = np.clip(np.stack((left[0], right[0], right[1], left[1])), 0, limits).astype(np.float32)
    width, height = _size(ordered)
    return Line(ordered, lying=height < _STANDING * width)


def _size(corners: Floats) -> tuple[int, int]:
    """Width and height in pixels, at least 1."""
    top_left, top_right, bottom_right, bottom_left = corners
    width = max(np.linalg.norm(top_left - top_right), np.linalg.norm(bottom_right - bottom_left))
    height = max(np.linalg.norm(top_left - bottom_left), np.linalg.norm(top_right - bottom_right))
    return max(int(width), 1), max(int(height), 1)


def _opposite(line: Line, picture: Pixels) -> Line:
    """The line in the picture turned by half."""
    limits = np.array([picture.shape[1] - 1, picture.shape[0] - 1], dtype=np.float32)
    return Line(np.roll(limits - line.corners, 2, axis=0), line.lying)


def _cut(picture: Pixels, line: Line) -> Pixels:
    """The line's pixels, straightened; one that stands is laid on its left side."""
    width, height = _size(line.corners)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    cut = cv2.warpPerspective(
        picture,
        cv2.getPerspectiveTransform(line.corners, target),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.ascontiguousarray(cut if line.lying else np.rot90(cut), dtype=np.uint8)


def _fitted(cut: Pixels, *, height: int, widest: int) -> Pixels:
    width = min(max(round(cut.shape[1] * height / cut.shape[0]), 16), widest)
    shrinks = cut.shape[0] > 2 * height
    resized = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def _rows(found: Sequence[tuple[Line, str]]) -> Iterator[str]:
    """What stands side by side as one row, from the top; a gap wider than a line is high separates columns."""
    row: list[tuple[Line, str]] = []
    for line, text in sorted(found, key=lambda one: one[0].centre[1]):
        if row and line.centre[1] - row[-1][0].centre[1] > 0.5 * min(line.height, row[-1][0].height):
            yield _row(row)
            row = []
        row.append((line, text))
    if row:
        yield _row(row)


def _row(row: Sequence[tuple[Line, str]]) -> str:
    ordered = sorted(row, key=lambda one: one[0].edges[0])
    text = ordered[0][1]
    for (before, _), (line, more) in pairwise(ordered):
        gap = line.edges[0] - before.edges[1]
        text += ("\t" if gap > 1.5 * line.height else " ") + more
    return text
