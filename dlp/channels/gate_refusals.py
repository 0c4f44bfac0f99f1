"""The notice of a gated drive: a file in its root that is not on the drive, and says what was refused and why.

Most programs do not look at the error of close(2), so this is where people find out.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from dlp.channels.folder_file import shown

NAME = "DLP-REFUSED.txt"
MOST = 200
"""Refusals that are told, the latest first."""

_HEAD = """\
本说明由数据防泄漏系统生成，不在移动存储上。下列文件未写入本移动存储。
This note is not on the drive; the data loss prevention agent shows it. These files were not written to the drive.

"""
_TAIL = """
已被拦截的文件保存在隔离区；如确需写入，请将编号告知保密管理部门，经批准后放行。
What was refused is kept in quarantine. If it has to go onto the drive, tell your security office the reference.
其余未写入的文件没有保存副本，请重新复制。 Of what failed for another reason there is no copy: copy it again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """`path` from the drive's root; `incident` the reference, None where it failed for `why` alone."""

    path: str
    at: float
    why: str
    incident: str | None


class Refusals:
    """What was refused since the drive was plugged in. May be used by several threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._told: deque[Refusal] = deque(maxlen=MOST)
        self._lock = threading.Lock()
        self.changed = 0.0

    def add(self, path: str, why: str, incident: str | None = None) -> None:
        with self._lock:
            self.changed = self._clock()
            self._told.appendleft(Refusal(path=path, at=self.changed, why=why, incident=incident))

    def text(self) -> bytes:
        """The file's content; b"" while nothing was refused, and then there is no file."""
        with self._lock:
            told = list(self._told)
        return f"{_HEAD}{''.join(map(_line, told))}{_TAIL}".encode() if told else b""


def _line(refusal: Refusal) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(refusal.at))
    reference = f"  编号 reference {refusal.incident}" if refusal.incident else ""
    return f"{at}  {shown(refusal.path)}\n    {refusal.why}{reference}\n"
