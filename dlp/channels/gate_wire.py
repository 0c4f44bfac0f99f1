"""What the guard tells the process that stands before a drive."""

from dataclasses import asdict, dataclass, field
from typing import Any

DUTY = "gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """`node` is the block device, `options` what its file system is mounted with, `point` where users see it, `device` its
    serial or number, `state` the daemon's, `staging` the folder for what waits, `reserve` bytes that stay free there,
    `memory` as for `Staging`, `seconds` how long a verdict on little content is waited for."""

    node: str
    filesystem: str
    point: str
    device: str
    state: str
    staging: str
    seconds: float
    reserve: int
    memory: int | None = None
    read_only: bool = False
    options: dict[str, str | None] = field(default_factory=dict)


def dump_gated(gated: Gated) -> dict[str, Any]:
    return asdict(gated)


def parse_gated(packet: dict[str, Any]) -> Gated:
    """Raises TypeError for what is none."""
    return Gated(**packet)
