"""Runs inside the guest: takes commands from the virtio-serial port, a line of JSON each, and answers with one.

{"command": "shell words", "seconds": n} → {"status": n, "out": "…", "err": "…"}; status 124 where the time was up.
Alone in this file and of the standard library only: it is copied into the image.
"""

import json
import os
import signal
import subprocess
import tempfile
from typing import IO, Any

LATE = 124
"""The status where the time was up, as timeout(1) has it."""
PORT = "/dev/virtio-ports/dlp.agent"


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What became of one command. One that hangs is killed with all it started, and left where it cannot be killed."""
    command = ["/bin/bash", "-c", asked["command"]]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        try:
            status = process.wait(asked["seconds"])
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status = LATE
        return {"status": status, "out": read(out), "err": read(err)}


def read(file: IO[bytes]) -> str:
    """All that was written."""
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def main() -> None:
    """Until the machine is switched off."""
    with open(PORT, "r+b", buffering=0) as port:  # once: a port has one holder at a time
        port.write(b'{"ready": true}\n')
        rest = b""
        while chunk := port.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                said = json.dumps(answer(json.loads(line))).encode() + b"\n"
                while said:
                    said = said[port.write(said) :]


main()
