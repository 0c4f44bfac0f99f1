"""`dlp status`: one look at the agent."""

import urllib.error
import urllib.request
from typing import Any

from dlp.cli.common import ConfigOption, JsonOption, configuration, print_error, print_fields, print_json
from dlp.cli.stores import opened
from dlp.config import Configuration, duties
from dlp.errors import StoreError
from dlp.instance import guard_stands, running

ABSENT = "not running"


def status(config: ConfigOption = None, json: JsonOption = False) -> int:
    """Whether the daemon runs and is ready, and a guard where one is needed; what is held, what is open.

    Exit status 1 if one of them does not run, or is not ready.
    """
    loaded = configuration(config)
    facts: dict[str, Any] = {"running": running(loaded.state), "ready": _ready(loaded), "profile": loaded.profile}
    facts["channels"] = [name for name in ("mail", "milter", "share", "usb") if getattr(loaded, name)]
    facts["guard"] = _guard(loaded)
    try:
        with opened(loaded) as stores:
            held, size = stores.quarantine.totals()
            facts |= {"held": held, "held_bytes": size, "incidents_open": sum(stores.incidents.counts_open().values())}
            facts["audit_head"] = stores.audit.head_time()
    except StoreError as error:  # a full disk, such as the daemon itself may stand before
        print_error(str(error))
    if json:
        print_json(facts)
    else:
        print_fields(facts)
    well = "held" in facts and facts["running"] and facts["ready"] in ("ready", "unknown")
    return 0 if well and facts["guard"] != ABSENT else 1


def _guard(loaded: Configuration) -> str:
    if not duties(loaded):
        return "not needed"
    return "running" if guard_stands(loaded.state) else ABSENT


def _ready(loaded: Configuration) -> str:
    """What /readyz says; "unknown" where the configuration serves no metrics."""
    if loaded.metrics is None:
        return "unknown"
    try:
        with urllib.request.urlopen(f"http://{loaded.metrics.listen}/readyz", timeout=3):
            return "ready"
    except urllib.error.HTTPError as error:
        return "not ready: " + ", ".join(error.read().decode("utf-8", "replace").split())
    except OSError:
        return "no answer"
