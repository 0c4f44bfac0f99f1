"""Coverage-guided fuzzing of one format's reader: `python -m tests.fuzz.target FORMAT [libFuzzer options]`.

The reader gets bytes that libFuzzer makes from the format's seeds, and must yield pieces or raise Unreadable: any
other exception is a finding. Formats marked risky are left out: there the library in C would be fuzzed, and it is
confined because it may crash.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dlp.extract"]):
    from dlp.extract.budget import Budget, Unreadable
    from dlp.extract.document import Document
    from dlp.extract.formats import FORMATS

from dlp.model import Limits, Unscannable, Why
from tests.fuzz.seeds import SEEDS

LIMITS = Limits(bytes=1 << 20, expanded_bytes=8 << 20, depth=4, members=200, seconds=20)
TARGETS = tuple(form.name for form in FORMATS if not form.risky)


def main(name: str, options: list[str]) -> None:
    """Fuzz until the options say stop; the exit status is libFuzzer's. Documents inside are taken, not read."""
    form = next(form for form in FORMATS if form.name == name)

    def one(data: bytes) -> None:
        budget = Budget(LIMITS, passwords=["secret"])
        document = Document(data=data)
        try:
            for piece in form.read(document, budget):
                if isinstance(piece, Unscannable) and piece.why is Why.CRASHED:
                    raise RuntimeError(piece.detail)
        except Unreadable:
            return

    with tempfile.TemporaryDirectory() as seeds:
        for kind, seed in SEEDS[name].items():
            (Path(seeds) / kind).write_bytes(seed())
        atheris.Setup([sys.argv[0], seeds, "-timeout=25", "-rss_limit_mb=2048", "-close_fd_mask=1", *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
