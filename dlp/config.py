"""The frozen configuration: one TOML file, validated whole before anything starts.

Each room declares its own settings; this module names them once, as tables. An unknown key, a wrong
type or a missing file is a ConfigError with file, key and remedy. Relative paths are relative to the
file that names them.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dlp import __version__
from dlp.channels.clamd_settings import ClamdSettings
from dlp.channels.mail_settings import MailSettings
from dlp.channels.milter_settings import MilterSettings
from dlp.channels.relay import NextHop
from dlp.channels.share import ShareSettings
from dlp.channels.spool import SpoolHop
from dlp.channels.spool_folder import SpoolFolder
from dlp.channels.usb import UsbSettings
from dlp.channels.usb_devices_control import DUTY as DEVICES
from dlp.detect import registers, signatures
from dlp.errors import ConfigError
from dlp.instance import now
from dlp.model import Channel, Limits
from dlp.notify.letters import Letters
from dlp.notify.notices import LANGUAGES, Language, Words
from dlp.notify.templates import load_templates
from dlp.policy.organisation import Organisation
from dlp.policy.partners import Partners, load_partners
from dlp.policy.people import People, load_people
from dlp.policy.policy import Policy, load_policy
from dlp.policy.profiles import Profile, load_profile
from dlp.settings import anchored, load
from dlp.store.keys import open_keys
from dlp.web.exporter import MetricsSettings
from dlp.workers.passwords import PasswordSettings
from dlp.workers.pictures import OcrSettings
from dlp.workers.pool import Plan, WorkerSettings

Stored = Callable[[str], None]
"""Is told the id of a message that has been spooled."""

CHECKOUT = Path(__file__).resolve().parent.parent
INSTALLED = Path("/etc/dlp/dlp.toml")
"""Where the package puts the configuration; absent in a checkout."""
SHARED = Path("/usr/share/dlp")
"""Where the package puts what is shipped and not to be edited; absent in a checkout."""


def nobody(spooled: str) -> None:
    """For a process that runs no spool: the daemon's finds the message by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureSettings:
    """Folders (searched for *.yar and *.yara) and files; later ones add, never replace."""

    paths: tuple[Path, ...] = (CHECKOUT / "signatures",)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineSettings:
    """`evidence`: keep a copy of blocked mail. `notice`: leave a notice file where a file was taken."""

    evidence: bool = True
    notice: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Notices by mail to whom a rule's `notify` names. `next_hop` as in [mail], whose own is taken where it is absent.
    `templates`: the folder of what they say (dlp.notify.templates), by default the shipped ones."""

    author: str = "dlp@localhost"
    next_hop: str | None = None
    templates: Path | None = None

    def __post_init__(self) -> None:
        """Raises ConfigError for an author that no header can hold."""
        if not self.author.isprintable() or "@" not in self.author:
            raise ConfigError.single("[notify]", "notify.author", "is not an address", 'write such as "dlp@example.com"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The whole file. A channel whose table is absent is off."""

    profile: str = "cn-enterprise"
    state: Path = CHECKOUT / "var"
    policy: Path = CHECKOUT / "config" / "policy.toml"
    people: Path | None = None
    partners: Path | None = None
    signatures: SignatureSettings = field(default_factory=SignatureSettings)
    limits: Limits = field(default_factory=Limits)
    organisation: Organisation = field(default_factory=Organisation)
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    ocr: OcrSettings = field(default_factory=OcrSettings)
    passwords: PasswordSettings = field(default_factory=PasswordSettings)
    quarantine: QuarantineSettings = field(default_factory=QuarantineSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    mail: MailSettings | None = None
    milter: MilterSettings | None = None
    share: ShareSettings | None = None
    usb: UsbSettings | None = None
    clamd: ClamdSettings | None = None
    metrics: MetricsSettings | None = None

    def next_hop(self, stored: Stored = nobody) -> NextHop | None:
        """Where mail of our own goes: notices, and messages released from quarantine. `stored` as in `mail_hop`.

        Raises ConfigError.
        """
        if self.notify.next_hop is not None:
            return NextHop.parse(self.notify.next_hop)
        if self.milter and (hop := self.milter.hop()):
            return hop
        return self.mail_hop(self.mail, stored) if self.mail else None

    def mail_hop(self, mail: MailSettings, stored: Stored = nobody) -> NextHop:
        """Where mail that may pass goes: the next hop, or the spool, which tells `stored` the id of each message."""
        if mail.mode == "relay":
            return mail.hop()
        return SpoolHop(self.spool(), mail.hop(), clock=now, random=os.urandom, limit=mail.max_size, stored=stored)

    def spool(self) -> SpoolFolder:
        """The folder of messages that wait for the next hop; there only where mail is, or was, spooled."""
        return SpoolFolder(self.state / "spool", random=os.urandom)


def duties(configuration: Configuration) -> frozenset[str]:
    """What the configuration asks of a guard (`dlp guard`), a word each; nothing where every strength is `detect` and every
    drive is allowed."""
    strengths = {table.strength for table in (configuration.share, configuration.usb) if table is not None}
    control = {DEVICES} if configuration.usb and configuration.usb.allow else set()
    return frozenset(strengths - {"detect"} | control)


def large(state: Path) -> Path:
    """Where large messages lie while they are in work, without a name."""
    return state / "mail"


def find() -> Path:
    """The configuration used where none is named: the installed one, else the checkout's."""
    return INSTALLED if INSTALLED.is_file() else CHECKOUT / "config" / "dlp.toml"


def load_configuration(path: Path) -> Configuration:
    """The file at `path`, every path in it absolute. Raises ConfigError."""
    base = path.resolve().parent
    read = load(path, Configuration)
    return replace(
        read,
        profile=str(_profile(read.profile, path)),
        people=_beside(read.people, base / "people.toml"),
        partners=_beside(read.partners, base / "partners.toml"),
        notify=replace(read.notify, next_hop=_notices_hop(read.notify.next_hop, path)),
        mail=replace(read.mail, next_hop=anchored_hop(read.mail.next_hop, base)) if read.mail else None,
        milter=_anchored_milter(read.milter, path) if read.milter else None,
    )


def _anchored_milter(milter: MilterSettings, path: Path) -> MilterSettings:
    """With absolute paths, which may be too long for a socket where the relative one was not."""
    base = path.resolve().parent
    kinds = [place.partition(":") for place in milter.listen]
    listen = [f"unix:{anchored(Path(rest), base)}" if kind == "unix" else f"{kind}:{rest}" for kind, _, rest in kinds]
    try:
        return replace(milter, listen=tuple(listen), next_hop=milter.next_hop and anchored_hop(milter.next_hop, base))
    except ConfigError as error:
        raise ConfigError([replace(fault, where=str(path)) for fault in error.faults]) from None


def _profile(profile: str, path: Path) -> Path:
    """A path is taken from the folder of `path`; a name is looked for in its `profiles`, then among the shipped ones."""
    base = path.resolve().parent
    if profile.endswith(".toml") or "/" in profile:
        return base / profile
    folders = (base / "profiles", CHECKOUT / "config" / "profiles")
    for file in (folder / f"{profile}.toml" for folder in folders):
        if file.is_file():
            return file
    known = sorted({file.stem for folder in folders for file in folder.glob("*.toml")})
    raise ConfigError.single(path, "profile", f"no profile is called {profile!r}", f"one of: {', '.join(known)}; or a path")


def _beside(named: Path | None, default: Path) -> Path | None:
    """The file that was named, else the one of the usual name beside the configuration, where there is one."""
    return named or (default if default.is_file() else None)


def _notices_hop(hop: str | None, path: Path) -> str | None:
    """Tried here, because the room that knows next hops cannot know that this one stands in [notify]."""
    if hop is None:
        return None
    found = anchored_hop(hop, path.resolve().parent)
    try:
        NextHop.parse(found)
    except ConfigError as error:
        raise ConfigError([replace(fault, where=str(path), key="notify.next_hop") for fault in error.faults]) from None
    return found


def anchored_hop(hop: str, base: Path) -> str:
    """`hop` with the path of a relative "maildir:" or "lmtp:" socket taken from `base`."""
    scheme, _, rest = hop.partition(":")
    local = scheme == "maildir" or (scheme == "lmtp" and not rest.startswith("//"))
    return f"{scheme}:{anchored(Path(rest), base)}" if local and rest else hop


def build_policy(configuration: Configuration) -> Policy:
    """The policy with everything it asks: profile, organisation, people, partners. Raises ConfigError."""
    return load_policy(
        configuration.policy,
        profile=load_profile(Path(configuration.profile), CHECKOUT),
        organisation=configuration.organisation,
        people=load_people(configuration.people) if configuration.people else People(),
        partners=load_partners(configuration.partners) if configuration.partners else Partners(),
    )


def load_letters(configuration: Configuration, policy: Policy) -> Letters:
    """How notices by mail are written, in the profile's language: templates, names of levels, titles of signatures. Raises
    ConfigError. Takes a second where a rule notifies somebody, because signatures are read for their titles."""
    words = words_of(policy.profile)
    return Letters(
        words=words,
        templates=load_templates(_templates(configuration), words.languages),
        inside=configuration.organisation.inside,
        titles=titles(configuration) if any(rule.notify for rule in policy.rules) else {},
        organisation=configuration.organisation.name,
    )


def titles(configuration: Configuration) -> Mapping[Language, Mapping[str, str]]:
    """What each signature finds, by language and name. Raises ConfigError; takes a second."""
    known = signatures.load(configuration.signatures.paths).signatures
    return {
        "zh": registers.titles("zh") | {name: signature.title_zh for name, signature in known.items()},
        "en": registers.titles("en") | {name: signature.title for name, signature in known.items()},
    }


def words_of(profile: Profile) -> Words:
    """The profile's language and its names of the levels, lowest first."""
    names = {language: {level: profile.name_of(level, language) for level in profile.ids} for language in LANGUAGES}
    return Words(profile.language, names)


def _templates(configuration: Configuration) -> Path:
    shipped = CHECKOUT / "config" / "notices"
    return configuration.notify.templates or (shipped if shipped.is_dir() else SHARED / "notices")


def declared(state: Path) -> tuple[Path, bytes] | None:
    """The folder of the registers and their key; None where nothing was ever declared. Raises ConfigError."""
    folder = state / "register"
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError.single(folder, "", f"cannot be read: {error.strerror}", "give it to the daemon's user") from error
    return folder, open_keys(state / "quarantine.key", needed=True).register


def plan(configuration: Configuration, *, registers: bool = True) -> Plan:
    """What the workers go by; without `registers` they look for nothing declared. Reads the file of passwords; raises
    ConfigError, also where text recognition is required and not installed."""
    folder, key = (declared(configuration.state) if registers else None) or (None, None)
    doors = [door for door in (configuration.mail, configuration.milter) if door]
    deadlines = {Channel.MAIL: min(door.deadline_seconds for door in doors)} if doors else {}
    if configuration.clamd:
        deadlines[Channel.CLAMD] = configuration.clamd.deadline_seconds
    return Plan(
        signatures=configuration.signatures.paths,
        limits=configuration.limits,
        given=configuration.passwords.given(),
        passwords=configuration.passwords,
        ocr=configuration.ocr if configuration.ocr.in_use() else None,
        deadlines=deadlines,
        registers=folder,
        key=key,
    )


def basis(configuration: Configuration) -> str:
    """A digest of all that a judgement rests on: signatures, policy, profile, people, partners, what is inside, the
    limits (what was too large to read may not be so any more), whether pictures are read, passwords, what is declared,
    this version.

    A file judged under another basis is judged again. Raises ConfigError where a file cannot be read.
    """
    files = [configuration.policy, Path(configuration.profile), configuration.people, configuration.partners]
    files += sorted(file for path in configuration.signatures.paths for file in signatures.files(path))
    files += signatures.tables(configuration.signatures.paths)
    ocr = configuration.ocr if configuration.ocr.in_use() else None
    digest = hashlib.sha256(repr((__version__, configuration.limits, configuration.organisation, ocr)).encode())
    if words := configuration.passwords.given().words:
        # The basis is in the journal and the audit log, so it must not tell who tries words whether one is among these.
        digest.update(hashlib.scrypt("\0".join(words).encode(), salt=b"dlp basis", n=1 << 14, r=8, p=1))
    for file in filter(None, files):
        try:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as error:
            raise ConfigError.single(file, "", f"cannot be read: {error.strerror}", "check its permissions") from error
    folder = configuration.state / "register"
    try:
        digest.update(registers.generation(folder))
    except OSError as error:
        raise ConfigError.single(folder, "", f"cannot be read: {error.strerror}", "check its permissions") from error
    return digest.hexdigest()[:32]
