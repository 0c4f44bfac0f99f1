"""The engine that reads text in pictures: whether it is installed, and how to load it.

It is an extra (`make setup EXTRAS=ocr`), large and slow, so only the processes that read pictures load it, before
they are confined: afterwards nothing can be imported and no model opened.
"""

import os
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlp.errors import ExtractError
from dlp.extract.budget import Budget, Ocr

LEGIBLE = 10
"""Pixels of a side below which a picture holds no legible text: the smallest fonts of screens need that much."""
_TILE = 1_800
"""Pixels of a side that the engine is given at once, so that small print is found and the budget is asked in between."""
_LAP = 120
"""Pixels that tiles share: a line of ordinary print cut by the edge of one is whole in the other."""
_FAINT = 64
"""Levels between the darkest and the lightest below which contrast is raised: what the eye misses a reader can make out."""

_PACKAGES = ("rapidocr", "onnxruntime", "cv2", "PIL")
_KINDS = ("det", "cls", "rec")
"""The models in RapidOCR's wheel by a word of their names: where lines are, which way up they stand, what they say."""


def available() -> bool:
    """Whether the extra is installed, models and all. Imports none of it."""
    return not _lacking()


@cache
def load() -> Ocr:
    """The engine, ready to run: its libraries imported, its models read, one picture read for a trial.

    Call it before confinement and before forking. Raises ExtractError where the extra is missing, and where a library
    started a thread of its own, which the filter of system calls would not cover.
    """
    if lacking := _lacking():
        raise ExtractError(f"text in pictures needs the extra `ocr`, which lacks {', '.join(lacking)}: make setup EXTRAS=ocr")
    # From 1.29 on ONNX Runtime's wheels report each session to its maker, from a thread; it looks only once, at import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import_module("cv2").setNumThreads(0)
    before = _threads()
    import_module("dlp.extract.raster")
    import_module("onnxruntime").disable_telemetry_events()
    engine: Ocr = import_module("dlp.extract.paddle").Engine(*(_model(kind).read_bytes() for kind in _KINDS))
    if (started := _threads() - before) > 0:
        raise ExtractError(f"loading the reader of pictures started {started} threads")
    return engine


def recognized(pixels: NDArray[np.uint8], budget: Budget) -> Iterator[str]:
    """The text in a picture (height, width, 3; RGB), tile by tile; nothing where the budget has no engine or all is one colour.

    Raises Exhausted(timeout) between tiles, Unreadable(crashed) where the engine fails.
    """
    if budget.ocr is None:
        return
    darkest, lightest = int(pixels.min()), int(pixels.max())
    if darkest == lightest:
        return
    if lightest - darkest < _FAINT:
        pixels = ((pixels - np.uint8(darkest)).astype(np.uint16) * 255 // (lightest - darkest)).astype(np.uint8)
    height, width = pixels.shape[:2]
    for rows in _spans(height):
        for columns in _spans(width):
            budget.tick()
            tile = pixels[rows, columns]
            if tile.min() != tile.max():
                yield budget.ocr.text(tile)


def _spans(length: int) -> list[slice]:
    """A side in as few equal pieces as there may be, each beginning with the end of the one before."""
    count = max(-(-(length - _LAP) // (_TILE - _LAP)), 1)
    size = -(-(length + (count - 1) * _LAP) // count)
    return (
        [slice(start, start + size) for start in range(0, (size - _LAP) * count, size - _LAP)]
        if count > 1
        else [slice(0, length)]
    )


def _lacking() -> list[str]:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    return missing or [f"the model {kind!r}" for kind in _KINDS if not _models(kind)]


def _model(kind: str) -> Path:
    return _models(kind)[-1]


def _models(kind: str) -> list[Path]:
    """The wheel's models of a kind, the newest last: their names carry the version."""
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        return []
    return sorted((Path(spec.origin).parent / "models").glob(f"*_{kind}_*.onnx"))


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))
