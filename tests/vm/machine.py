"""A virtual machine under qemu, without KVM: commands for its agent, and USB sticks that are plugged in and pulled out.

Agent and QMP are sockets in `folder`; the console's output is `folder/console`. Source: qemu's docs/interop/qmp-spec.rst.
"""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.vm.image import Image

BOOT_SECONDS = 900.0
"""Software emulation on a busy machine."""
COMMAND_SECONDS = 300.0
MEMORY = "1536"
"""MiB."""


class MachineError(Exception):
    """The machine did not do what was asked; says what and shows the console's end."""


@dataclass(frozen=True)
class Done:
    """What became of a command in the guest."""

    status: int
    out: str
    err: str


class Machine:
    """A running machine."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self._process = process
        self._agent = _Lines(self, folder / "agent")
        self._qmp = _Lines(self, folder / "qmp")
        self._qmp.take(30)
        self._execute("qmp_capabilities")

    @property
    def console(self) -> str:
        """What the guest wrote to its console."""
        return (self._folder / "console").read_text("utf-8", "replace")

    def wait_until_up(self) -> None:
        """Return once commands are taken. Raises MachineError."""
        if self._agent.take(BOOT_SECONDS) != {"ready": True}:
            raise MachineError("the agent said something strange")

    def try_(self, command: str, *, seconds: float = COMMAND_SECONDS) -> Done:
        """Run words of the shell, as root. Raises MachineError where no answer comes."""
        self._agent.give({"command": command, "seconds": seconds})
        answer = self._agent.take(seconds + 60)
        return Done(answer["status"], answer["out"], answer["err"])

    def run(self, command: str, *, seconds: float = COMMAND_SECONDS) -> str:
        """As `try_`; what it printed. Raises MachineError where it fails."""
        done = self.try_(command, seconds=seconds)
        if done.status:
            raise MachineError(f"{command!r} failed ({done.status}): {done.out[-1500:]}{done.err[-1500:]}")
        return done.out

    def plug(self, name: str, disk: Path, *, serial: str | None, port: int = 1, kind: str = "usb-storage") -> None:
        """Plug in a USB stick with the contents of `disk`, written straight through."""
        node = {"driver": "raw", "node-name": f"{name}-disk", "file": {"driver": "file", "filename": str(disk)}}
        self._execute("blockdev-add", **node)
        facts: dict[str, Any] = {"driver": kind, "id": name, "drive": f"{name}-disk", "bus": "xhci.0", "port": str(port)}
        self._execute("device_add", **facts, removable=True, **({} if serial is None else {"serial": serial}))

    def pull(self, name: str) -> None:
        """Pull it out, whatever it is doing; return once the file is let go."""
        self._execute("device_del", id=name)
        self._freed(name)

    def _freed(self, name: str) -> None:
        end = time.monotonic() + 60
        while True:
            try:
                self._execute("blockdev-del", **{"node-name": f"{name}-disk"})
            except MachineError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return

    def plug_uas(self, name: str, disk: Path, *, serial: str) -> None:
        """Plug in a disk that speaks UAS."""
        node = {"driver": "raw", "node-name": f"{name}-disk", "file": {"driver": "file", "filename": str(disk)}}
        self._execute("blockdev-add", **node)
        self._execute("device_add", driver="usb-uas", id=name, bus="xhci.0", port="1", serial=serial)
        self._execute("device_add", driver="scsi-hd", id=f"{name}-lun", bus=f"{name}.0", drive=f"{name}-disk")
        # Plugged in at run time it waits for its disks first (qemu's docs/system/devices/usb.rst).
        self._execute("qom-set", path=f"/machine/peripheral/{name}", property="attached", value=True)

    def pull_uas(self, name: str) -> None:
        """Pull it out."""
        self._execute("device_del", id=name)
        self._freed(name)

    def remove(self, name: str) -> None:
        """Unplug what `add` plugged in."""
        self._execute("device_del", id=name)

    def add(self, driver: str, name: str, port: int) -> None:
        """Plug in another USB device, such as usb-kbd."""
        self._execute("device_add", driver=driver, id=name, bus="xhci.0", port=str(port))

    def alive(self) -> bool:
        """Whether qemu still runs."""
        return self._process.poll() is None

    def _execute(self, command: str, **arguments: Any) -> Any:
        self._qmp.give({"execute": command, "arguments": arguments})
        while "event" in (answer := self._qmp.take(60)):
            pass
        if "error" in answer:
            raise MachineError(f"qemu refused {command}: {answer['error']['desc']}")
        return answer["return"]


class _Lines:
    """A UNIX socket that speaks JSON, a line each."""

    def __init__(self, machine: Machine, path: Path) -> None:
        self._machine = machine
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._rest = b""

    def give(self, value: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(value).encode() + b"\n")

    def take(self, seconds: float) -> Any:
        """The next line. Raises MachineError where none comes in time."""
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            self._socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                chunk = self._socket.recv(1 << 16)
            except TimeoutError:
                chunk = b""
            if not chunk:
                state = "does not answer" if self._machine.alive() else "has ended"
                raise MachineError(f"the machine {state}; its console ends with\n{self._machine.console[-2000:]}")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


@contextmanager
def started(image: Image, folder: Path) -> Iterator[Machine]:
    """A machine on a copy of the image that is dropped at the end; qemu is ended whatever happens."""
    command = [
        *("setpriv", "--pdeathsig", "KILL"),  # also where this process is killed
        *("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"),
        *("-m", MEMORY, "-nodefaults", "-display", "none", "-no-reboot"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initramfs)),
        *("-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off"),
        *("-serial", f"file:{folder / 'console'}"),
        *("-drive", f"if=virtio,file={image.disk},format=raw,snapshot=on"),
        *("-device", "qemu-xhci,id=xhci"),
        *("-device", "virtio-serial", "-chardev", f"socket,id=agent,path={folder / 'agent'},server=on,wait=off"),
        *("-device", "virtserialport,chardev=agent,name=dlp.agent"),
        *("-qmp", f"unix:{folder / 'qmp'},server=on,wait=off"),
    ]
    with (folder / "qemu").open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        yield _connected(folder, process)
    finally:
        process.kill()
        process.wait()


def _connected(folder: Path, process: subprocess.Popen[bytes]) -> Machine:
    """Once qemu listens."""
    end = time.monotonic() + 60
    while True:
        try:
            return Machine(folder, process)
        except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
            if process.poll() is not None or time.monotonic() > end:
                raise MachineError(f"qemu does not start: {(folder / 'qemu').read_text('utf-8', 'replace')[-1000:]}") from None
            time.sleep(0.1)
