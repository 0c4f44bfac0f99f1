"""What the type of a file system tells: whether others change it behind this kernel's back, and what a file is known by.

inotify(7) and fanotify(7) tell of what is done through this kernel only: what another machine does on a network file
system, or what the program behind a FUSE mount does by itself, sends no event. The names are those of the mount
table (proc(5), /proc/PID/mountinfo).
"""

from pathlib import Path

from dlp.channels import mounts

FAT = frozenset({"vfat", "msdos", "exfat"})
"""File systems without lasting inode numbers, whose times are coarse (two seconds on FAT)."""

_REMOTE = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs",
        "gfs2",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "prl_fs",
        "pvfs2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
    }
)


def remote(kind: str) -> bool:
    """Whether others may change files there without an event here. So they may on any FUSE, but for `fuseblk`, which
    holds a local disk."""
    return kind in _REMOTE or _fuse(kind)


def by_path(kind: str) -> bool:
    """Whether the inode number says nothing that lasts: FAT makes it up as files are met, and so does FUSE."""
    return kind in FAT or _fuse(kind)


def of_path(place: str, table: Path = mounts.MOUNTINFO) -> dict[str, str]:
    """The types of the file system that holds `place`, an absolute path without links, and of those mounted below it, by
    mount point. Raises OSError."""
    found = mounts.current(table)
    above = [point for point in found if place == point or place.startswith(point.rstrip("/") + "/")]
    below = [point for point in found if point.startswith(place.rstrip("/") + "/")]
    return {point: found[point].filesystem for point in [*([max(above, key=len)] if above else []), *sorted(below)]}


class FileSystems:
    """Types by st_dev, remembered until `forget`; a number may come back for another file system. Any thread may ask."""

    def __init__(self) -> None:
        self._kinds: dict[int, str] = {}

    def kind(self, device: int) -> str:
        """ "" for one that is not in the mount table. Raises OSError."""
        known = self._kinds.get(device)
        if known is None:
            known = self._kinds[device] = mounts.filesystem(device)
        return known

    def forget(self) -> None:
        """The mount table may have changed."""
        self._kinds = {}


def _fuse(kind: str) -> bool:
    return kind == "fuse" or kind.startswith("fuse.")
