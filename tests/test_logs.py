import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from dlp import logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    logs.configure(stream=stream)
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def test_every_line_is_one_json_object(lines: io.StringIO) -> None:
    structlog.get_logger().info("绝", place="a\nb")
    logging.getLogger("other").warning("%s", "said")
    first, second = map(json.loads, lines.getvalue().splitlines())
    assert (first["event"], first["place"], first["level"]) == ("绝", "a\nb", "info")
    assert (second["event"], second["level"]) == ("said", "warning")


@pytest.mark.parametrize("logger", [structlog.get_logger, logging.getLogger])
def test_an_exception_is_told_without_its_message(lines: io.StringIO, logger: object) -> None:
    try:
        int("CANARY")
    except ValueError:
        logger().exception("bad")  # type: ignore[operator]
    entry = json.loads(lines.getvalue())
    assert entry["error_type"] == "ValueError"
    assert "test_logs.py" in entry["error_at"]
    assert "CANARY" not in lines.getvalue()
