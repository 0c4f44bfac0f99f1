"""A daemon's side of the workers in a process of its own, as another user or on a kernel that lacks something.

Run as `python outside.py VARIANT CONFINEMENT` with a JSON list of orders on standard input; prints one JSON object.
Variants: "here" (as whoever runs it), "user" (nobody), "user-no-namespaces", "no-landlock", "no-kill" (root without
CAP_KILL). With the single order
"wait" it prints its processes' ids and waits to be killed.
"""

import asyncio
import ctypes
import errno
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pyseccomp  # noqa: E402

from dlp.errors import ConfinementError  # noqa: E402
from dlp.metrics import Metrics  # noqa: E402
from dlp.model import Limits  # noqa: E402
from dlp.workers import libc  # noqa: E402
from dlp.workers.confine import missing  # noqa: E402
from dlp.workers.pool import Plan, Workers, WorkerSettings  # noqa: E402
from tests.workers.helpers import JOBS, an_item, children  # noqa: E402

NOBODY = 65534
LIMITS = Limits(seconds=4, memory=256 << 20, bytes=1 << 20)


def open_the_way() -> None:
    """In this process's own mount namespace, let anyone reach the interpreter and the package, wherever they are: each
    closed folder above them is covered by an empty one, in which the folder wanted is mounted again."""
    os.umask(0o022)
    places = {Path(sys.base_prefix), Path(sys.prefix), ROOT}
    outermost = [one for one in places if not places & set(one.parents)]
    closed = {one: [above for above in one.parents if not above.stat().st_mode & 1] for one in outermost}
    hidden = {one: above[-1] for one, above in closed.items() if above}
    with tempfile.TemporaryDirectory(dir="/tmp") as aside:
        for number, wanted in enumerate(hidden):
            (Path(aside) / str(number)).mkdir()
            subprocess.run(["mount", "--bind", wanted, Path(aside) / str(number)], check=True)
        for cover in set(hidden.values()):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", cover], check=True)
        for number, wanted in enumerate(hidden):
            wanted.mkdir(parents=True)
            subprocess.run(["mount", "--move", Path(aside) / str(number), wanted], check=True)


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def without(number: int, *names: str) -> None:
    """From here on these system calls answer `number`, here and in whatever is started."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in names:
        rules.add_rule(pyseccomp.ERRNO(number), name)
    rules.load()


async def answers(orders: list[str], confinement: str) -> dict[str, object]:
    settings = WorkerSettings(count=2, confinement=confinement)  # type: ignore[arg-type]
    workers = Workers(settings, Plan(limits=LIMITS), Metrics(), **JOBS)
    try:
        await workers.start()
    except ConfinementError as error:
        return {"refused": error.layers}
    if orders == ["wait"]:
        zygotes = children(os.getpid())
        await asyncio.gather(*(workers.inspect(an_item(b"sleep:0.2")) for _ in range(2)))
        print(json.dumps([*zygotes, *(pid for zygote in zygotes for pid in children(zygote))]), flush=True)
        await asyncio.sleep(60)
    results: dict[str, object] = {}
    for order in orders:
        named = order.replace("DAEMON", str(os.getpid())).replace("ZYGOTE", str(children(os.getpid())[0]))
        with an_item(named.encode()).blob as blob:
            results[order] = asdict(await workers.inspect(an_item(blob=blob)))
        with an_item(b"plain").blob as blob:
            after = await workers.inspect(an_item(blob=blob))
            assert after.media_type.startswith("text/") and not after.unscannable, f"{order}: then {after}"
    await workers.check()
    await workers.stop()
    return {"results": results, "uid": os.geteuid(), "missing": missing()}


def main(variant: str, confinement: str) -> None:
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # not to outlive the test
    orders = json.load(sys.stdin)
    if variant.startswith("user") and os.geteuid() == 0:
        open_the_way()
        become_nobody()
    if variant == "user-no-namespaces":
        without(errno.EPERM, "unshare")
    if variant == "no-kill":
        header, sets = (ctypes.c_uint32 * 2)(0x2008_0522, 0), (ctypes.c_uint32 * 6)()
        libc.capget(ctypes.byref(header), ctypes.byref(sets))
        for which in range(3):
            sets[which] &= ~(1 << 5)
        libc.capset(ctypes.byref(header), ctypes.byref(sets))
    if variant == "no-landlock":
        without(errno.ENOSYS, "landlock_create_ruleset")
    print(json.dumps(asyncio.run(answers(orders, confinement))))


if __name__ == "__main__":
    main(*sys.argv[1:])
