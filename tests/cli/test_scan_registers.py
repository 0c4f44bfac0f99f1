"""`dlp scan` by a user who may not read the registers."""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from dlp.cli.scan import may_ask
from dlp.config import Configuration, load_configuration


def asked_by_another(loaded: Configuration) -> tuple[bool, str]:
    """What another user is answered, and told."""
    ours, said = os.pipe()
    if (child := os.fork()) == 0:
        sys.stderr = os.fdopen(said, "w")
        os.setgid(65534)
        os.setuid(65534)
        allowed = may_ask(loaded)
        sys.stderr.flush()
        os._exit(allowed)
    os.close(said)
    _, status = os.waitpid(child, 0)
    with os.fdopen(ours, "rb") as told:
        return bool(os.waitstatus_to_exitcode(status)), told.read().decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_who_may_not_read_the_state_is_told_that_nothing_declared_is_looked_for(config: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        loaded = replace(load_configuration(config), state=Path(folder) / "state")
        assert may_ask(loaded)
        assert asked_by_another(loaded) == (True, "")
        loaded.state.mkdir(mode=0o700)
        assert may_ask(loaded)
        for mode in (0o755, 0o700):  # of the folder above
            Path(folder).chmod(mode)
            allowed, told = asked_by_another(loaded)
            assert not allowed and "nothing is looked for that was declared" in told
