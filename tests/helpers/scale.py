"""How much of a long test is run: a part of it in `make test`, all of it in `make test-long`."""

import os

LONG = bool(os.environ.get("DLP_LONG"))
