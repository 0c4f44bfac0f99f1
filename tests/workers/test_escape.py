"""A child that was taken over tries to get out: as root, as an ordinary user, and as one without namespaces.

Every attempt is made inside a real child; each must be refused or end the child, and the pool must answer
the next job (`outside.py` asks one after each).
"""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.workers import outside
from tests.workers.helpers import children

REFUSED = [
    "open_read:/etc/passwd",
    "open_read:/proc/self/environ",
    "open_read:/proc/DAEMON/mem",
    "open_read:/dev/null",
    "open_write:/tmp/dlp-escape",
    "open_write:/etc/dlp-escape",
    "list_proc",
    "tcp",
    "udp",
    "unix",
    "netlink",
    "pair",
    "kill:DAEMON",
    "kill:ZYGOTE",
    "inherited",
    "write_content",
    "executable",
    "make_executable",
]
KILLED = ["fork", "execute", "thread", "grow"]
X86_64 = {
    "vfork": "58",
    "clone with CLONE_THREAD": "56,65536",
    "clone into a user namespace": "56,268435473",
    "clone3": "435,0,0",
    "execveat": "322,-100,0,0,0,0",
    "ptrace of the zygote": "101,16,ZYGOTE,0,0",
    "ptrace of the daemon": "101,16,DAEMON,0,0",
    "process_vm_readv": "310,DAEMON,0,0,0,0,0",
    "process_vm_writev": "311,DAEMON,0,0,0,0,0",
    "pidfd_open": "434,DAEMON,0",
    "io_uring_setup": "425,8,0",
    "bpf": "321,0,0,0",
    "userfaultfd": "323,0",
    "keyctl": "250,0,0",
    "add_key": "248,0,0,0,0,0",
    "unshare": "272,268435456",
    "setns": "308,0,0",
    "mount": "165,0,0,0,0,0",
    "perf_event_open": "298,0,0,-1,-1,0",
    "init_module": "175,0,0,0",
    "kexec_load": "246,0,0,0,0",
    "personality": "135,4194304",
    "modify_ldt": "154,0,0,0",
    "prctl": "157,4,1,0,0,0",
    "seccomp": "317,0,0,0",
    "landlock": "444,0,0,1",
    "pkey_mprotect": "329,0,0,0,0",
    "arch_prctl": "158,0,0",
    "remap_file_pages": "216,0,0,0,0,0",
    "fcntl F_SETFL": "72,0,4,0",
    "x32's open": "1073741826,0,0",
}
RAW = [f"raw_call:{numbers}" for numbers in X86_64.values()] if platform.machine() == "x86_64" else []
EXHAUSTING = {"hog": "too-large", "spin": "timeout", "deep": "too-deep"}

root = pytest.mark.root
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be root, or become somebody else")


def run(variant: str, orders: list[str], confinement: str = "required") -> dict[str, Any]:
    done = subprocess.run(command(variant, confinement), input=json.dumps(orders), capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def command(variant: str, confinement: str = "required") -> list[str]:
    own_mounts = ["unshare", "--mount", "--propagation", "private"] if variant.startswith("user") and os.geteuid() == 0 else []
    return [*own_mounts, sys.executable, str(Path(outside.__file__)), variant, confinement]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("here", marks=[root, needs_root], id="root"),
        pytest.param("user", id="user"),
        pytest.param("user-no-namespaces", id="user without namespaces"),
    ],
)
def attempts(request: pytest.FixtureRequest) -> dict[str, Any]:
    if os.geteuid() == 0 and shutil.which("unshare") is None:
        pytest.skip("unshare(1) is not installed")
    return run(request.param, [*REFUSED, *KILLED, *RAW, *EXHAUSTING])


def test_no_layer_is_missing(attempts: dict[str, Any]) -> None:
    assert attempts["missing"] == []


@pytest.mark.parametrize("order", REFUSED)
def test_the_attempt_is_refused(attempts: dict[str, Any], order: str) -> None:
    result = attempts["results"][order]
    assert result["media_type"].startswith("text/refused-"), result
    assert result["unscannable"] == []


@pytest.mark.parametrize("order", KILLED + RAW)
def test_the_attempt_is_deadly(attempts: dict[str, Any], order: str) -> None:
    result = attempts["results"][order]
    assert result["media_type"] == "text/salvaged"
    assert [(one["why"], one["detail"]) for one in result["unscannable"]] == [("crashed", "killed by SIGSYS")]


@pytest.mark.parametrize("order", EXHAUSTING)
def test_exhausting_is_no_inspection(attempts: dict[str, Any], order: str) -> None:
    result = attempts["results"][order]
    assert result["media_type"] == "text/salvaged"
    assert [one["why"] for one in result["unscannable"]] == [EXHAUSTING[order]]


def test_nothing_was_written(attempts: dict[str, Any]) -> None:
    assert attempts["results"]["open_write:/tmp/dlp-escape"]
    assert not Path("/tmp/dlp-escape").exists()
    assert not Path("/etc/dlp-escape").exists()


def test_a_missing_layer_is_named_and_refused() -> None:
    (layer,) = run("no-landlock", [])["refused"]
    assert layer.startswith("the file system (Landlock)")


def test_best_effort_goes_on_with_what_there_is() -> None:
    answer = run("no-landlock", ["open_read:/etc/passwd"], "best-effort")
    assert answer["results"]["open_read:/etc/passwd"]["media_type"] == "text/refused-EPERM"
    assert [one.partition(":")[0] for one in answer["missing"]] == ["the file system (Landlock)"]


@root
@needs_root
def test_a_daemon_that_may_not_kill_is_still_rid_of_its_children() -> None:
    results = run("no-kill", ["plain", "spin", "plain"])["results"]
    assert [one["why"] for one in results["spin"]["unscannable"]] == ["timeout"]
    assert results["plain"]["unscannable"] == []


def test_nothing_outlives_a_killed_daemon() -> None:
    with subprocess.Popen(command("here"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdin is not None and daemon.stdout is not None
        daemon.stdin.write(json.dumps(["wait"]))
        daemon.stdin.close()
        pids = json.loads(daemon.stdout.readline())
        assert len(pids) == 3
        assert set(pids[1:]) <= set(children(pids[0]))
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    give_up = time.monotonic() + 30
    while any(map(running, pids)):
        assert time.monotonic() < give_up, "workers outlived their daemon"
        time.sleep(0.02)


def running(pid: int) -> bool:
    """Whether there is such a process that is not a zombie (its new parent may not have reaped it yet)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
