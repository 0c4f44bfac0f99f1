"""What each action does, in order: custody first, then the gate.

| Action     | the gate does not destroy (mail)          | the gate destroys (a file)            |
|------------|-------------------------------------------|---------------------------------------|
| ALLOW      | release                                   | release                               |
| ALERT      | release                                   | release                               |
| QUARANTINE | custody, withhold                         | custody, withhold                     |
| BLOCK      | custody as evidence if kept, withhold     | custody always, withhold              |

Where a substitute goes in place of what would be withheld (dlp.replacement), custody always comes first as well.
"""

import asyncio

from dlp.model import Action, Item, Verdict
from dlp.ports import Gate, Quarantine


async def take_custody(
    item: Item, gate: Gate, verdict: Verdict, incident: str, quarantine: Quarantine, *, evidence: bool
) -> str | None:
    """The custody id of the original where the action wants custody, else None. Raises StoreError if it is not durable.

    `evidence` keeps a copy of what is blocked at a gate that leaves the sender his own.
    """
    wanted = verdict.action is Action.QUARANTINE or (verdict.action is Action.BLOCK and (gate.destroys or evidence))
    if not wanted:
        return None
    return await asyncio.to_thread(quarantine.store, item, incident, verdict, gate.attributes)


async def act(gate: Gate, verdict: Verdict, incident: str, held: str | None) -> None:
    """Let the item go on, or keep it back. Raises RelayError or GateError as the gate does."""
    if verdict.action >= Action.QUARANTINE:
        await gate.withhold(verdict, incident, held)
    else:
        await gate.release()
