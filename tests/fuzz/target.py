"""Coverage-guided fuzzing of formats' readers: `python -m tests.fuzz.target FORMAT[,FORMAT…] [libFuzzer options]`.

The reader gets bytes that libFuzzer makes from the format's seeds, and must yield pieces or raise Unreadable: any
other exception is a finding. Of several formats the first byte tells which. Formats marked risky are left out: there the
library in C would be fuzzed, and it is confined because it may crash.
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


def main(names: list[str], options: list[str]) -> None:
    """Fuzz until the options say stop; the exit status is libFuzzer's. Documents inside are taken, not read."""
    forms = [next(form for form in FORMATS if form.name == name) for name in names]

    def one(data: bytes) -> None:
        budget = Budget(LIMITS, passwords=["secret"])
        form = forms[data[0] % len(forms)] if data else forms[0]
        document = Document(data=data[1:])
        try:
            for piece in form.read(document, budget):
                if isinstance(piece, Unscannable) and piece.why is Why.CRASHED:
                    raise RuntimeError(piece.detail)
        except Unreadable:
            return

    with tempfile.TemporaryDirectory() as seeds:
        for number, name in enumerate(names):
            for kind, seed in SEEDS[name].items():
                (Path(seeds) / f"{name}-{kind}").write_bytes(bytes([number]) + seed())
        atheris.Setup([sys.argv[0], seeds, "-timeout=25", "-rss_limit_mb=2048", "-close_fd_mask=1", *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1].split(","), sys.argv[2:])
