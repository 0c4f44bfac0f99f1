"""The command in this process, and a configuration of the test's own."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from dlp.cli import main
from tests.helpers.daemon import configure


@dataclass(frozen=True)
class Done:
    """What a command left: its exit status and both outputs."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The output as lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


Dlp = Callable[..., Done]


@pytest.fixture(scope="session")
def shared_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For verbs that keep nothing."""
    return configure(tmp_path_factory.mktemp("cli"), extra="[workers]\ncount = 1\n")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """For verbs that need a state of their own."""
    return configure(tmp_path, extra="[workers]\ncount = 1\n")


@pytest.fixture
def dlp(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Dlp]:
    """Run the command line as `dlp.cli.main` does; the process's logging is as before afterwards."""
    handlers, level = logging.root.handlers[:], logging.root.level
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def run(*arguments: object, config: Path | None = None) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments), *(["--config", str(config)] if config else [])])
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return Done(caught.value.code, captured.out, captured.err)

    yield run
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()
