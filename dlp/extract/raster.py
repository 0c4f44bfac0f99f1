"""Pixels of pictures, by Pillow: every frame or page, upright, on a plain ground, in RGB.

Only loaded with the engine that reads them. What a file says of its size is checked before anything is decoded.
"""

import io
import struct
import warnings
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, ImageFile, ImageOps

from dlp.extract.budget import Budget, Unreadable
from dlp.model import Why

Pixels = NDArray[np.uint8]
MOST = 64_000_000
"""Pixels of one frame that are decoded; A4 at 600 dots an inch has 35 million."""
READ = 9_000_000
"""Pixels that are read; a larger picture is reduced to them. A4 at 300 dots an inch has 8.7 million."""
FRAMES = 100
"""Frames of an animation, or pages, that are read."""
_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    struct.error,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    Image.DecompressionBombError,
)
"""What Pillow raises for damage."""
_BRIGHT = 160
"""Mean of the visible pixels from which a transparent picture is put on black, on which it can be read."""


# Everything that Pillow would load on first use, and no thread of its own: a confined child may have neither.
Image.init()
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
Image.MAX_IMAGE_PIXELS = None  # MOST is asked instead, and answered by an Unscannable
warnings.filterwarnings("ignore", module="PIL")  # about metadata, on standard error


def frames(data: bytes | memoryview, budget: Budget) -> Iterator[Pixels]:
    """The different frames of a picture, each (height, width, 3).

    Raises Unreadable after what could be decoded: unsupported, corrupt, too-large for pixels, too-many for frames.
    """
    try:
        image = Image.open(io.BytesIO(data))
        count = int(getattr(image, "n_frames", 1))
    except _ERRORS as error:
        raise Unreadable(Why.UNSUPPORTED, "a picture that cannot be decoded") from error
    seen: set[bytes] = set()
    damaged = False
    for number in range(min(count, FRAMES)):
        budget.tick()
        frame, whole = _frame(image, number)
        damaged |= not whole
        for pixels in () if frame is None else _plain(frame):
            digest = blake2b(pixels.tobytes(), digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                yield pixels
    if damaged:
        raise Unreadable(Why.CORRUPT, "a picture is cut off or damaged")
    if count > FRAMES:
        raise Unreadable(Why.TOO_MANY, f"more than {FRAMES} frames")


def _frame(image: Image.Image, number: int) -> tuple[Image.Image | None, bool]:
    """A frame as far as it can be decoded, and whether that is all of it. Raises Unreadable(too-large)."""
    for whole in (True, False):
        ImageFile.LOAD_TRUNCATED_IMAGES = not whole
        try:
            image.seek(number)
            if image.format == "JPEG":
                image.draft(image.mode, _reduced(image.size))  # which decodes no more than that
            if image.width * image.height > MOST:
                raise Unreadable(Why.TOO_LARGE, f"a picture of more than {MOST} pixels")
            image.load()
        except _ERRORS:
            continue
        return _upright(image), whole
    return None, False


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except _ERRORS:  # of the metadata only
        return image


def _reduced(size: tuple[int, int]) -> tuple[int, int]:
    """The size at which a picture is read."""
    width, height = size
    scale = min((READ / (width * height)) ** 0.5, 1.0)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _plain(image: Image.Image) -> Iterator[Pixels]:
    """The picture in RGB, and once more without its transparency where that hides something.

    Raises Unreadable(unsupported) for a kind of pixels that has no RGB.
    """
    try:
        if image.mode in {"I", "F"} or image.mode.startswith("I;"):
            yield np.repeat(
                _levels(np.asarray(image.resize(_reduced(image.size)), dtype=np.float64))[:, :, np.newaxis], 3, axis=2
            )
            return
        clear = image.mode in {"LA", "PA", "RGBA", "RGBa", "La"} or "transparency" in image.info
        image = image.convert("RGBA" if clear else "RGB")
        if _reduced(image.size) != image.size:
            image = image.resize(_reduced(image.size), Image.Resampling.BOX)
        pixels = np.asarray(image)
    except _ERRORS as error:
        raise Unreadable(Why.UNSUPPORTED, f"pixels of mode {image.mode} are not decoded") from error
    if pixels.shape[2] == 3:
        yield pixels
    else:
        yield from _grounded(pixels)


def _levels(values: NDArray[np.float64]) -> Pixels:
    """Values of any range as 0 to 255."""
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    return np.asarray((values - low) * (255 / max(high - low, 1e-9)), dtype=np.uint8)


def _grounded(pixels: Pixels) -> Iterator[Pixels]:
    """An RGBA picture on the ground on which it shows, and its colours alone if invisible pixels differ among themselves."""
    colours, alpha = pixels[:, :, :3], pixels[:, :, 3:]
    visible = alpha[:, :, 0] > 0
    ground = 0 if visible.any() and colours[visible].mean() > _BRIGHT and not visible.all() else 255
    share = alpha.astype(np.uint16)
    yield ((colours * share + ground * (255 - share)) // 255).astype(np.uint8)
    hidden = colours[~visible]
    if hidden.size and (hidden != hidden[0]).any():
        yield np.ascontiguousarray(colours)
