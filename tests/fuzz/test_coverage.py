"""A few seconds of coverage-guided fuzzing for each reader of our own; `make fuzz` takes minutes, and each by itself."""

import math
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from dlp.extract.formats import FORMATS

CHECKOUT = Path(__file__).parents[2]
SECONDS = float(os.environ.get("FUZZ_SECONDS", "0.2"))
"""For one format."""
GROUP = 1 if "FUZZ_SECONDS" in os.environ else 10
"""Formats that share a process, since it takes longer to start one than to see that it runs."""
NAMES = [form.name for form in FORMATS if not form.risky]
GROUPS = [NAMES[start : start + GROUP] for start in range(0, len(NAMES), GROUP)]

pytestmark = pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no build for this Python")


@pytest.mark.timeout(SECONDS * GROUP + 120)
@pytest.mark.parametrize("names", GROUPS, ids=",".join)
def test_a_reader_never_raises(names: list[str], tmp_path: Path) -> None:
    options = [f"-max_total_time={math.ceil(SECONDS * len(names))}", f"-artifact_prefix={tmp_path}/", "-max_len=65536"]
    command = [sys.executable, "-m", "tests.fuzz.target", ",".join(names), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, errors="replace")
    found = [(path.name, path.read_bytes().hex()[:4000]) for path in tmp_path.iterdir()]
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{found}"
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs is not None, done.stderr[-500:]
    assert int(runs.group(1)) > 0
