"""`dlp status`: one look at the agent."""

import urllib.error
import urllib.request
from typing import Any

from dlp.cli.common import ConfigOption, JsonOption, configuration, print_fields, print_json
from dlp.cli.stores import opened
from dlp.config import Configuration
from dlp.instance import running


def status(config: ConfigOption = None, json: JsonOption = False) -> int:
    """Whether the daemon runs and is ready, what is held, what is open. Exit status 1 if it is not running and ready."""
    loaded = configuration(config)
    facts: dict[str, Any] = {"running": running(loaded.state), "ready": _ready(loaded), "profile": loaded.profile}
    facts["channels"] = [name for name in ("mail", "milter", "share", "usb") if getattr(loaded, name)]
    with opened(loaded) as stores:
        held, size = stores.quarantine.totals()
        facts |= {"held": held, "held_bytes": size, "incidents_open": sum(stores.incidents.counts_open().values())}
        facts["audit_head"] = stores.audit.head_time()
    if json:
        print_json(facts)
    else:
        print_fields(facts)
    return 0 if facts["running"] and facts["ready"] in ("ready", "unknown") else 1


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
