"""Runs inside the guest: takes commands from the virtio-serial port, a line of JSON each, and answers with one.

{"command": "shell words", "seconds": n} → {"status": n, "out": "…", "err": "…"}; status 124 where the time was up.
Alone in this file and of the standard library only: it is copied into the image.
"""

import json
import subprocess
from typing import Any

PORT = "/dev/virtio-ports/dlp.agent"


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What became of one command."""
    try:
        done = subprocess.run(
            ["/bin/bash", "-c", asked["command"]], capture_output=True, timeout=asked["seconds"], stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return {"status": 124, "out": "", "err": "the time was up"}
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return {"status": done.returncode, "out": out, "err": err}


def main() -> None:
    """Until the machine is switched off."""
    with open(PORT, "r+b", buffering=0) as port:  # once: a port has one holder at a time
        port.write(b'{"ready": true}\n')
        line = b""
        while chunk := port.read(1):
            line += chunk
            if chunk == b"\n":
                said = json.dumps(answer(json.loads(line))).encode() + b"\n"
                while said:
                    said = said[port.write(said) :]
                line = b""


main()
