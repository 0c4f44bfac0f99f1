"""`dlp check`: is all well before the daemon starts? Each fault with file, key, remedy."""

import os
import shutil
import socket
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import typer

from dlp import columns
from dlp.channels import filesystems, smtp_auth_file
from dlp.channels.milter_socket import answers
from dlp.channels.relay import parse_endpoint
from dlp.channels.smtp_auth import loopback
from dlp.channels.watch import LIMIT_KEY
from dlp.cli import check_devices, check_gate, check_guard
from dlp.cli.common import ConfigOption, JsonOption, configuration_file, print_fault
from dlp.config import Configuration, build_policy, declared, load_configuration, load_letters
from dlp.detect import signatures
from dlp.detect.registers import BUILT_IN, Registers
from dlp.errors import ConfigError, Fault
from dlp.instance import running
from dlp.policy.check import unlisted, unmatched, vacant
from dlp.policy.policy import Policy
from dlp.workers.confine import missing
from dlp.workers.pictures import REMEDY

WATCHES = {
    LIMIT_KEY: Path("/proc/sys/fs/inotify/max_user_watches"),
    "user.max_inotify_watches": Path("/proc/sys/user/max_inotify_watches"),
}
"""How many folders one user may watch: inotify(7), and within a user namespace namespaces(7). The lowest counts."""

OTHERS = 0o007
"""The bits of a file's mode that are everybody's."""
TEXT_RECOGNITION = "text recognition"


def check(config: ConfigOption = None, json: JsonOption = False) -> int:
    """Check configuration, policy, signatures, kernel features, watch limits, ports and permissions.

    Exit status: 0 all is well (warnings may be printed), 2 something is not.
    """
    path = configuration_file(config)
    faults: list[Fault] = []
    try:
        loaded = load_configuration(path)
    except ConfigError as error:
        faults = list(error.faults)
    else:
        faults += _inline(loaded, path)
        for name, examine in EXAMINATIONS.items():
            found = list(_examined(examine, loaded))
            faults += found
            if not found and not json:
                typer.echo(f"ok  {name}{NOTES[name](loaded) if name in NOTES else ''}")
    for fault in faults:
        print_fault(fault, json=json)
    for fault in () if faults else warnings(loaded):
        print_fault(fault, warning=True, json=json)
    if not faults and not json:
        typer.echo(f"{path}: all is well")
    return 2 if faults else 0


def _note_ocr(loaded: Configuration) -> str:
    return ": in use" if loaded.ocr.in_use() else ": not in use"


def _note_shares(loaded: Configuration) -> str:
    """Which of them are polled, and why."""
    if loaded.share is None:
        return ""
    every = f"every {loaded.share.poll_seconds:g} s"
    if loaded.share.events == "poll":
        return f": polled {every}, as configured"
    places = [f"{place} ({kind})" for place, kind in _remote(loaded)] if loaded.share.events == "auto" else []
    return f": polled {every}, as on a network file system: {', '.join(places)}" if places else ""


def _remote(loaded: Configuration) -> Iterator[tuple[str, str]]:
    """Mount points in or around the shares on which others change files without an event here, and their types."""
    for root in loaded.share.paths if loaded.share else ():
        for place, kind in filesystems.of_path(str(root.resolve())).items():
            if filesystems.remote(kind):
                yield place, kind


def _examined(examine: Callable[[Configuration], Iterator[Fault]], loaded: Configuration) -> Iterator[Fault]:
    try:
        yield from examine(loaded)
    except ConfigError as error:
        yield from error.faults


def _policy(loaded: Configuration) -> Iterator[Fault]:
    build_policy(loaded)
    return iter(())


def _notices(loaded: Configuration) -> Iterator[Fault]:
    load_letters(loaded, build_policy(loaded))
    return iter(())


def _signatures(loaded: Configuration) -> Iterator[Fault]:
    signatures.load(loaded.signatures.paths)
    return iter(())


def _registers(loaded: Configuration) -> Iterator[Fault]:
    """Indexes that are damaged or may not be read."""
    if found := declared(loaded.state):
        Registers.open(*found)
    return iter(())


def _kernel(loaded: Configuration) -> Iterator[Fault]:
    if loaded.workers.confinement == "best-effort":
        return
    for layer in missing():
        remedy = 'use a kernel that has it, or accept the risk with workers.confinement = "best-effort"'
        yield Fault("kernel", "workers.confinement", layer, remedy)


def _inline(loaded: Configuration, path: Path) -> Iterator[Fault]:
    """Passwords in the configuration itself make it a secret."""
    if loaded.passwords.list:
        yield from _secret(path, "passwords.list")


def _passwords(loaded: Configuration) -> Iterator[Fault]:
    loaded.passwords.given()
    if loaded.passwords.file:
        yield from _secret(loaded.passwords.file, "passwords.file")


def _secret(path: Path, key: str) -> Iterator[Fault]:
    if stat.S_IMODE(path.stat().st_mode) & OTHERS:
        yield Fault(str(path), key, "everybody may read these passwords", f"chmod o= {path}")


def _logins(loaded: Configuration) -> Iterator[Fault]:
    if loaded.mail and loaded.mail.auth_file:
        text, _ = smtp_auth_file.read(loaded.mail.auth_file)
        smtp_auth_file.parse(text, loaded.mail.auth_file)
    return iter(())


def _ocr(loaded: Configuration) -> Iterator[Fault]:
    loaded.ocr.in_use()
    return iter(())


def _shares(loaded: Configuration) -> Iterator[Fault]:
    """Shares that are not there or not ours to clean, and more folders than the kernel will watch."""
    folders, watching = 0, loaded.share is not None and loaded.share.events != "poll"
    for root in loaded.share.paths if loaded.share else ():
        if root.is_dir():
            folders += sum(1 for _ in os.walk(root)) if watching else 0
            if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
                yield Fault(str(root), "share.paths", "may not be read and written", "give the agent's user these rights")
        elif not root.is_relative_to(loaded.state):  # those under its own state the daemon makes
            yield Fault(str(root), "share.paths", "no such folder", "create it, or correct the path")
    allowed, key = min((int(file.read_text()), key) for key, file in WATCHES.items() if file.exists())
    if folders > allowed:
        remedy = f"sysctl {key}={2 * folders}, and the same line in /etc/sysctl.d/dlp.conf"
        yield Fault("kernel", "share.paths", f"{folders} folders to watch, but only {allowed} watches for a user", remedy)


def _ports(loaded: Configuration) -> Iterator[Fault]:
    """What another holds; the daemon of this very configuration may."""
    if running(loaded.state):
        return
    places = [("mail.listen", place) for place in (loaded.mail.listen if loaded.mail else ())]
    milter = loaded.milter.listen if loaded.milter else ()
    places += [("milter.listen", place.removeprefix("inet:")) for place in milter if place.startswith("inet:")]
    places += [("metrics.listen", loaded.metrics.listen)] if loaded.metrics else []
    for key, place in places:
        host, _, port = place.rpartition(":")
        try:
            with socket.create_server((host.strip("[]"), int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
                pass
        except (OSError, ValueError) as error:
            yield Fault("network", key, f"cannot listen on {place}: {error}", "free the port or choose another")


def _milter(loaded: Configuration) -> Iterator[Fault]:
    """Sockets that cannot be made, or that the mail server's group could not be given."""
    if loaded.milter is None:
        return
    loaded.milter.group_id()
    for path in (place for place in loaded.milter.places if isinstance(place, Path)):
        if not path.parent.is_dir():
            remedy = "create it where the mail server, which may be chrooted, finds it"
            yield Fault(str(path.parent), "milter.listen", "no such folder", remedy)
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            yield Fault(str(path.parent), "milter.listen", "may not be written", "give the agent's user this right")
        elif not running(loaded.state) and answers(path):
            yield Fault(str(path), "milter.listen", "another process listens there", "stop it, or choose another path")


def _clamd(loaded: Configuration) -> Iterator[Fault]:
    """A socket that cannot be made, or that its group could not be given."""
    if loaded.clamd is None:
        return
    loaded.clamd.group_id()
    path, folder = loaded.clamd.socket, loaded.clamd.socket.parent
    if folder.is_relative_to(loaded.state) and not folder.exists():  # the daemon makes it
        return
    if not folder.is_dir():
        yield Fault(str(folder), "clamd.socket", "no such folder", "create it where those who ask find it")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Fault(str(folder), "clamd.socket", "may not be written", "give the agent's user this right")
    elif not running(loaded.state) and answers(path):
        yield Fault(str(path), "clamd.socket", "another process listens there", "stop it, or choose another path")


def _permissions(loaded: Configuration) -> Iterator[Fault]:
    yield from _writable(loaded.state, "state")
    key = loaded.state / "quarantine.key"
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Fault(str(key), "", "others may read this key", f"chmod 600 {key}")


def _spool(loaded: Configuration) -> Iterator[Fault]:
    """Where mail is spooled: a folder that is ours alone, with room for two messages of the largest size."""
    if loaded.mail is None or loaded.mail.mode != "spool":
        return
    folder, need = loaded.spool().root, 2 * loaded.mail.max_size
    yield from _writable(folder, "mail.mode")
    if folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield Fault(str(folder), "mail.mode", "others may look into the spool", f"chmod 700 {folder}")
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < need:
        what = f"only {free} bytes are free, and below {need} mail is refused for a while (452)"
        yield Fault(str(folder), "mail.max_size", what, "make room, or lower mail.max_size")


def _writable(folder: Path, key: str) -> Iterator[Fault]:
    """A folder that exists must be writable; one that does not must be creatable."""
    place = folder
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        yield Fault(str(folder), key, f"{place} may not be written", "give the agent's user this right, or choose another folder")


SHARES = "shares and watch limits"
NOTES: dict[str, Callable[[Configuration], str]] = {TEXT_RECOGNITION: _note_ocr, SHARES: _note_shares}
"""What is said beside the name of an examination without a fault."""
EXAMINATIONS: dict[str, Callable[[Configuration], Iterator[Fault]]] = {
    "policy, profile, people, partners": _policy,
    "signatures": _signatures,
    "registers": _registers,
    "notices": _notices,
    "passwords": _passwords,
    "logins": _logins,
    TEXT_RECOGNITION: _ocr,
    "kernel features": _kernel,
    SHARES: _shares,
    "deny-open": check_guard.deny_open,
    "gate": check_gate.gate,
    "guard": check_guard.not_there,
    "ports": _ports,
    "milter sockets": _milter,
    "clamd socket": _clamd,
    "permissions": _permissions,
    "spool": _spool,
    "device control": check_devices.held,
}
"""What is examined, in this order, once the configuration itself is read."""


def warnings(loaded: Configuration) -> Iterator[Fault]:
    """What is allowed and probably not meant."""
    policy, known = build_policy(loaded), signatures.load(loaded.signatures.paths).signatures
    yield from _unlisted(loaded, policy, [signature.category for signature in known.values() if signature.category])
    for pattern in unmatched(policy, {*known, *BUILT_IN}):
        yield Fault(str(loaded.policy), "when.signature", f"no signature is called {pattern!r}", "correct the name")
    for role in vacant(policy):
        yield Fault(str(loaded.policy), "approve_by", f"nobody holds the role {role!r}", "give it to somebody in people.toml")
    yield from _notify(loaded, policy)
    yield from _unreachable_auth(loaded)
    yield from _set_aside(loaded)
    yield from _unheard(loaded)
    yield from _no_public_set(loaded)
    yield from check_devices.unruled(loaded)
    yield from check_guard.not_yet(loaded)
    if loaded.ocr.use == "if-installed" and not loaded.ocr.in_use():
        yield Fault("[ocr]", "ocr.use", "text in pictures is not read: the extra is not installed", REMEDY)


def _no_public_set(loaded: Configuration) -> Iterator[Fault]:
    folder = loaded.state / "register"
    if columns.facts(folder / "documents").get("entries") and not columns.facts(folder / "public").get("entries"):
        what = "documents are declared and no public ones: text of laws, forms and templates in them will be found everywhere"
        yield Fault(str(folder), "", what, "dlp register public add PATH…, with what such documents are made from")


def _set_aside(loaded: Configuration) -> Iterator[Fault]:
    folder = loaded.spool().corrupt
    if folder.is_dir() and (names := sorted(path.name for path in folder.iterdir())):
        remedy = "look at them by hand, put the message back or away"
        yield Fault(str(folder), "", f"the spool could not read {len(names)} files, such as {names[0]}", remedy)


def _unheard(loaded: Configuration) -> Iterator[Fault]:
    if loaded.share and loaded.share.events == "inotify":
        for place, kind in _remote(loaded):
            what = f"is {kind}: what others change there is found every {loaded.share.rescan_seconds:g} s only"
            yield Fault(place, "share.events", what, 'write events = "auto", which polls it')


def _unlisted(loaded: Configuration, policy: Policy, categories: Collection[str]) -> Iterator[Fault]:
    for category in unlisted(policy.profile, categories):
        what = f"signatures name the category {category!r}, which the profile gives no level of its own"
        yield Fault(loaded.profile, "categories", what, f"it counts as {policy.profile.unlisted!r}; add it to give it another")


def _notify(loaded: Configuration, policy: Policy) -> Iterator[Fault]:
    if loaded.next_hop() is None and any(rule.notify for rule in policy.rules):
        yield Fault(str(loaded.policy), "notify", "rules name people to notify, but there is no next hop", "set notify.next_hop")


def _unreachable_auth(loaded: Configuration) -> Iterator[Fault]:
    """AUTH that no client beyond this machine will be offered."""
    mail = loaded.mail
    if mail is None or (mail.auth_file is None and mail.auth_upstream is None) or mail.auth_without_tls or mail.tls_cert:
        return
    if not all(loopback(parse_endpoint(place)[0]) for place in mail.listen):
        remedy = "give tls_cert and tls_key, or accept passwords in clear with auth_without_tls = true"
        yield Fault("[mail]", "mail.tls_cert", "is not set, so that AUTH is offered on loopback only", remedy)
