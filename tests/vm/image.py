"""The virtual machine's disk: Debian built once, and `dlp` installed in it as `make install` does.

Both are kept under CACHE: `base-*.img` until what is in it changes, `dlp-*.img` until the checkout changes. Needs root:
mmdebstrap, a loop mount, chroot. Nothing is mounted outside a mount namespace of its own, so nothing stays mounted.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.daemon import CHECKOUT

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dlp-test-vm"
SIZE = 2 << 30
"""Bytes of the disk; the file is sparse."""
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
SUITE = "bookworm"
PACKAGES = (
    "systemd,systemd-sysv,dbus,udev,kmod,linux-image-amd64,initramfs-tools,procps,util-linux,fdisk,make,"
    "python3,python3-venv,libseccomp2,libarchive13,libfuse3-3,e2fsprogs,dosfstools,exfatprogs"
)
INITRAMFS = "virtio_pci virtio_blk ext4"
"""All that is needed to find the root; every other module is on it."""
AGENT = Path(__file__).with_name("agent.py")
SERVICE = r"""[Unit]
Description=Takes commands from the test
BindsTo=dev-virtio\x2dports-dlp.agent.device
After=dev-virtio\x2dports-dlp.agent.device

[Service]
ExecStart=/usr/bin/python3 /opt/agent.py
KillMode=process

[Install]
WantedBy=multi-user.target
"""
PROGRAMS = ("mmdebstrap", "mkfs.ext4", "mkfs.vfat", "mkfs.exfat", "sfdisk", "qemu-system-x86_64")
"""What the test needs of this machine; scripts/system-packages --test-vm installs it."""
INSTALL_SECONDS = 1200.0

Say = Callable[[str], None]


class NotBuilt(Exception):
    """The disk could not be made; says why."""


@dataclass(frozen=True)
class Image:
    """A bootable disk, with the kernel and the initramfs that qemu loads itself."""

    disk: Path
    kernel: Path
    initramfs: Path


def build(say: Say, *, fresh: bool = False) -> Image:
    """The disk with this checkout's `dlp` installed; `fresh` builds all of it again. Raises NotBuilt."""
    if os.getuid() != 0:
        raise NotBuilt("the test builds a disk and runs as root: sudo make test-vm")
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        raise NotBuilt(f"not installed: {', '.join(missing)}; scripts/system-packages --test-vm installs them")
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    base = CACHE / f"base-{_digest(SUITE, PACKAGES, INITRAMFS, str(SIZE))}.img"
    if fresh or not base.exists():
        _only(base, "base-*")
        say("building Debian's disk (once, some minutes)")
        _build_base(base)
    files = _checkout()
    agent = (SERVICE, AGENT.read_text(), INSTALL)
    disk = CACHE / f"dlp-{_digest(base.name, *agent, *(f'{name} {_sum(CHECKOUT / name)}' for name in files))}.img"
    if fresh or not disk.exists():
        _only(disk, "dlp-*")
        say("installing this checkout in it: make install")
        _install(base, disk, files)
    return Image(disk, base.with_suffix(".vmlinuz"), base.with_suffix(".initrd"))


def _build_base(base: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="dlp-vm-", dir=CACHE) as folder:
        tree, disk = Path(folder) / "tree", Path(folder) / "disk"
        conf = "printf 'MODULES=list\\n' > $1/etc/initramfs-tools/conf.d/dlp"
        conf += f"; printf '%s\\n' {INITRAMFS} > $1/etc/initramfs-tools/modules"
        quiet = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "locale", "doc")]
        hook = f"--essential-hook=mkdir -p $1/etc/initramfs-tools/conf.d; {conf}"
        _run_twice(
            ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={PACKAGES}", *quiet, hook, SUITE, str(tree), MIRROR],
            Path(folder) / "log",
            tree,
            seconds=3600,
        )
        units = tree / "etc" / "systemd" / "system"
        for timer in ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "dpkg-db-backup.timer"):
            (units / timer).unlink(missing_ok=True)
            (units / timer).symlink_to("/dev/null")
        (tree / "etc" / "hostname").write_text("dlp-vm\n")
        (tree / "etc" / "fstab").write_text("/dev/vda / ext4 rw,noatime 0 1\n")
        with disk.open("wb") as file:
            file.truncate(SIZE)
        _run(["mkfs.ext4", "-q", "-F", "-d", str(tree), str(disk)], Path(folder) / "log", seconds=1800)
        for name, suffix in (("vmlinuz-*", ".vmlinuz"), ("initrd.img-*", ".initrd")):
            shutil.copy(next((tree / "boot").glob(name)), base.with_suffix(suffix))
        disk.rename(base)


INSTALL = """
set -eu
mount -o loop,rw "$1" "$2"
for name in proc sys dev; do mount --rbind "/$name" "$2/$name"; done
mkdir -p "$2/root/.cache/uv" "$2/root/dlp/.venv/bin"
mount --bind "$3" "$2/root/.cache/uv"
cp /etc/resolv.conf "$2/etc/resolv.conf"
mkdir -p "$2/etc/ssl/certs"
mount --bind -o ro "$(readlink -f /etc/ssl/certs)" "$2/etc/ssl/certs"
tar --create --null --no-recursion --files-from "$4" | tar --extract --directory "$2/root/dlp"
cp .venv/bin/uv "$2/root/dlp/.venv/bin/uv"
UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$2" make -C /root/dlp install
rm -rf "$2/root/dlp"
cp "$5" "$2/opt/agent.py"
cp "$6" "$2/etc/systemd/system/dlp-agent.service"
ln -s ../dlp-agent.service "$2/etc/systemd/system/multi-user.target.wants/"
"""
"""Arguments: the disk, an empty folder, uv's cache, a list of the checkout's files, the agent, its unit. In a mount namespace
of its own."""


def _install(base: Path, disk: Path, files: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="dlp-vm-", dir=CACHE) as folder:
        half, point, listed, unit = (Path(folder) / name for name in ("disk", "point", "files", "unit"))
        _run(["cp", "--sparse=always", "--reflink=auto", str(base), str(half)], Path(folder) / "log", seconds=600)
        point.mkdir()
        listed.write_text("".join(f"{name}\0" for name in files))
        unit.write_text(SERVICE)
        cache = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
        cache.mkdir(parents=True, exist_ok=True)
        private = ["unshare", "--mount", "--propagation", "private", "bash", "-c", INSTALL, "install"]
        places = (half, point, cache, listed, AGENT, unit)
        _run([*private, *map(str, places)], Path(folder) / "log", seconds=INSTALL_SECONDS)
        half.rename(disk)


def _run_twice(command: Sequence[str], log: Path, tree: Path, *, seconds: float) -> None:
    """Downloads fail now and then."""
    try:
        _run(command, log, seconds=seconds)
    except NotBuilt:
        shutil.rmtree(tree, ignore_errors=True)
        _run(command, log, seconds=seconds)


def _run(command: Sequence[str], log: Path, *, seconds: float) -> None:
    """Run it quietly; what it wrote is shown where it fails."""
    with log.open("w+b") as written:
        try:
            done = subprocess.run(command, stdout=written, stderr=written, cwd=CHECKOUT, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise NotBuilt(f"{command[0]} took more than {seconds:.0f} s") from error
        if done.returncode:
            written.seek(0)
            last = "\n".join(written.read().decode("utf-8", "replace").splitlines()[-20:])
            raise NotBuilt(f"{command[0]} failed ({done.returncode}):\n{last}")


def _checkout() -> list[str]:
    """The files of the checkout, as git knows them, that an installation takes anything from."""
    places = ["dlp", "signatures", "config", "scripts", "systemd", "docs", "tests/signatures", "*.md", "LICENSE"]
    listed = [
        "git",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        *places,
        "Makefile",
        "pyproject.toml",
        "uv.lock",
    ]
    found = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, check=True, text=True).stdout.split("\0")
    return sorted(name for name in found if name and (CHECKOUT / name).is_file())


def _only(keep: Path, pattern: str) -> None:
    """Remove what an earlier checkout left in the cache."""
    for old in CACHE.glob(pattern):
        if old.is_dir():
            shutil.rmtree(old)
        elif old.stem != keep.stem:
            old.unlink()
    keep.unlink(missing_ok=True)


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
