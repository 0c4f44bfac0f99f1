"""The negative control: the real daemon, but for a gateway that answers 250 from memory, before anything was done.

`python -m tests.loss.control run --config FILE`. A loss test that does not see this one lose sees nothing.
"""

from typing import Any

from dlp import daemon
from dlp.cli import main


class Hasty(daemon.MailGateway):
    """Says yes at once and does the work later."""

    async def settle(self, *message: Any) -> str:
        self.spawn(super().settle(*message))
        return "250 2.0.0 Ok: in memory"


if __name__ == "__main__":
    daemon.MailGateway = Hasty  # type: ignore[misc]
    main()
