"""Pictures with a text in them, drawn by the library that reads them: only where the extra `ocr` is installed."""

import importlib

import numpy


def a_picture(text: str) -> bytes:
    """`text` as a PNG, in the letters (ASCII only) that OpenCV draws by itself."""
    cv2 = importlib.import_module("cv2")
    pixels = numpy.full((120, 60 + 35 * len(text), 3), 255, numpy.uint8)
    cv2.putText(pixels, text, (20, 75), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3)
    return bytes(cv2.imencode(".png", pixels)[1])
