"""The configuration: every table, every fault named by file, key and remedy, every path anchored."""

import dataclasses
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlp import config
from dlp.channels.clamd_settings import ClamdSettings
from dlp.config import CHECKOUT, Configuration, basis, build_policy, load_configuration, load_letters, plan
from dlp.errors import ConfigError, Fault
from dlp.extract import ocr
from dlp.model import Channel, Limits
from dlp.workers.passwords import PasswordSettings
from dlp.workers.pictures import OcrSettings

EVERY_TABLE = """
profile = "international"
state = "var"
policy = "rules/policy.toml"
people = "who.toml"
partners = "friends.toml"
[signatures]
paths = ["rules", "/srv/rules"]
[limits]
bytes = 1
expanded_bytes = 2
memory = 3
depth = 4
members = 5
seconds = 6
[organisation]
name = "Example"
domains = ["example.com"]
[workers]
confinement = "best-effort"
count = 3
recycle_after = 7
[ocr]
use = "off"
count = 2
max_queue = 8
seconds = 9
memory = 10
[passwords]
list = ["one", "two"]
file = "secret/words.txt"
remember_seconds = 11
remember = 12
[quarantine]
evidence = false
notice = false
[notify]
author = "dlp@example.com"
next_hop = "lmtp:run/lmtp.sock"
[mail]
listen = ["127.0.0.1:2525"]
next_hop = "maildir:../outbox"
mode = "relay"
on_failure = "pass-with-header"
newlines = "reject"
max_size = 1000
max_sessions = 10
max_bytes_in_flight = 100000
max_queue = 5
deadline_seconds = 20
trusted_peers = ["192.0.2.0/24"]
[milter]
listen = ["unix:../run/milter.sock", "inet:[::1]:10026"]
socket_mode = 0o600
next_hop = "maildir:../reinjected"
on_failure = "pass-with-header"
split = true
deadline_seconds = 12.5
[share]
paths = ["share", "/srv/share"]
strength = "detect"
settle_seconds = 1
rescan_seconds = 60
[usb]
mounts = ["/media/*/*"]
strength = "detect"
[clamd]
socket = "../run/clamd.sock"
mode = 0o666
group = "ask"
max_stream = 13
max_bytes_in_flight = 14
max_sessions = 15
deadline_seconds = 16.5
[metrics]
listen = "127.0.0.1:9999"
"""

SAMPLE = """
profile = "cn-enterprise"
state = "../var"
policy = "policy.toml"
signatures.paths = ["../signatures"]
limits.seconds = 30
organisation.name = "Example"
organisation.domains = ["example.com"]
workers.confinement = "required"
mail.listen = ["127.0.0.1:10025"]
mail.mode = "relay"
mail.on_failure = "tempfail"
mail.newlines = "normalise"
mail.split = false
mail.max_size = 52428800
mail.max_sessions = 1000
mail.max_bytes_in_flight = 536870912
mail.max_queue = 1000
mail.deadline_seconds = 80
mail.trusted_peers = []
share.paths = ["../var/share"]
share.strength = "detect"
usb.mounts = ["/media/*/*", "/run/media/*/*", "/mnt/usb*"]
usb.strength = "detect"
usb.allow = []
clamd.socket = "../var/run/clamd.sock"
metrics.listen = "127.0.0.1:9108"
web.listen = "127.0.0.1:8443"
"""
"""The sample of the outer contract, a key a line; a version may know fewer, and then says so by name."""


def written(folder: Path, text: str, name: str = "dlp.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def faults(path: Path) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        load_configuration(path)
    return caught.value.faults


def test_every_table_is_read_and_every_relative_path_anchored(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    base = tmp_path / "etc"
    loaded = load_configuration(written(base, EVERY_TABLE))
    assert (loaded.state, loaded.policy) == (base / "var", base / "rules/policy.toml")
    assert (loaded.people, loaded.partners) == (base / "who.toml", base / "friends.toml")
    assert loaded.signatures.paths == (base / "rules", Path("/srv/rules"))
    assert loaded.limits == Limits(bytes=1, expanded_bytes=2, memory=3, depth=4, members=5, seconds=6.0)
    assert (loaded.organisation.name, loaded.organisation.domains) == ("Example", ("example.com",))
    assert (loaded.workers.confinement, loaded.workers.count, loaded.workers.recycle_after) == ("best-effort", 3, 7)
    assert loaded.ocr == OcrSettings(use="off", count=2, max_queue=8, seconds=9.0, memory=10)
    passwords = PasswordSettings(list=("one", "two"), file=base / "secret/words.txt", remember_seconds=11.0, remember=12)
    assert loaded.passwords == passwords
    assert (loaded.quarantine.evidence, loaded.quarantine.notice) == (False, False)
    assert (loaded.notify.author, loaded.notify.next_hop) == ("dlp@example.com", f"lmtp:{base}/run/lmtp.sock")
    assert loaded.mail is not None
    assert loaded.mail.next_hop == f"maildir:{tmp_path}/outbox"
    assert (loaded.mail.newlines, loaded.mail.on_failure, loaded.mail.max_queue) == ("reject", "pass-with-header", 5)
    assert loaded.milter is not None
    assert loaded.milter.listen == (f"unix:{tmp_path}/run/milter.sock", "inet:[::1]:10026")
    assert (loaded.milter.socket_mode, loaded.milter.split, loaded.milter.deadline_seconds) == (0o600, True, 12.5)
    assert (loaded.milter.on_failure, loaded.milter.next_hop) == ("pass-with-header", f"maildir:{tmp_path}/reinjected")
    assert loaded.share is not None
    assert loaded.share.paths == (base / "share", Path("/srv/share"))
    assert loaded.usb is not None
    assert loaded.usb.mounts == ("/media/*/*",)
    assert loaded.clamd == ClamdSettings(
        socket=tmp_path / "run" / "clamd.sock",
        mode=0o666,
        group="ask",
        max_stream=13,
        max_bytes_in_flight=14,
        max_sessions=15,
        deadline_seconds=16.5,
    )
    assert loaded.metrics is not None
    assert loaded.metrics.listen == "127.0.0.1:9999"


def test_the_test_above_leaves_no_table_out() -> None:
    assert set(tomllib.loads(EVERY_TABLE)) == {field.name for field in dataclasses.fields(Configuration)}


def test_an_empty_file_is_the_defaults_with_every_channel_off(tmp_path: Path) -> None:
    loaded = load_configuration(written(tmp_path, ""))
    assert (loaded.mail, loaded.milter, loaded.share, loaded.usb, loaded.metrics) == (None, None, None, None, None)
    assert loaded.limits == Limits()
    assert loaded.next_hop() is None
    assert Path(loaded.profile) == CHECKOUT / "config" / "profiles" / "cn-enterprise.toml"
    build_policy(loaded)


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ('polcy = "x"', "polcy", "did you mean 'policy'?"),
        ('[mial]\nnext_hop = "x"', "mial", "did you mean 'mail'?"),
        ("[limits]\nsecond = 3", "limits.second", "did you mean 'seconds'?"),
        ('[mail]\nnext_hop = "maildir:x"\nmax_sise = 3', "mail.max_sise", "did you mean 'max_size'?"),
        ('[share]\npath = ["x"]\npaths = ["x"]', "share.path", "did you mean 'paths'?"),
        ('[usb]\nmount = ["/x"]', "usb.mount", "did you mean 'mounts'?"),
        ("[workers]\nzzz = 3", "workers.zzz", "known keys: confinement, count, recycle_after"),
    ],
)
def test_an_unknown_key_is_named_with_what_was_probably_meant(tmp_path: Path, text: str, key: str, remedy: str) -> None:
    path = written(tmp_path, text)
    assert Fault(str(path), key, "unknown key", remedy) in faults(path)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("state = 3", "state"),
        ('[limits]\nseconds = "3"', "limits.seconds"),
        ('[workers]\nconfinement = "none"', "workers.confinement"),
        ("[workers]\ncount = true", "workers.count"),
        ('[mail]\nlisten = ["127.0.0.1:25"]', "mail.next_hop"),
        ('[mail]\nnext_hop = "maildir:x"\nmode = "sometimes"', "mail.mode"),
        ("[share]\npaths = []", "share"),
        ('[usb]\nmounts = ["media/*"]', "usb"),
        ('[organisation]\ndomains = ["not a domain"]', "organisation"),
        ('[quarantine]\nevidence = "no"', "quarantine.evidence"),
        ('[ocr]\nuse = "sometimes"', "ocr.use"),
        ("[ocr]\ncount = 0", "ocr.count"),
        ("[passwords]\nremember = -1", "passwords.remember"),
        ('[passwords]\nlist = "one"', "passwords.list"),
        ("[signatures]\npaths = 3", "signatures.paths"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, key: str) -> None:
    path = written(tmp_path, text)
    (fault, *_) = faults(path)
    assert (fault.where, fault.key) == (str(path), key)
    assert fault.what


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, 'polcy = "x"\nstate = 3\n[limits]\ndepht = 1\n')
    assert {fault.key for fault in faults(path)} == {"polcy", "state", "limits.depht"}


@pytest.mark.parametrize("text", ["profile = \n", "x\n", "[mail\n"])
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    (fault,) = faults(written(tmp_path, text))
    assert "is not valid TOML" in fault.what
    assert "line 1" in fault.what


def test_a_file_that_is_missing_or_not_utf8_is_a_fault(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.toml")[0].what == "no such file"
    (tmp_path / "latin.toml").write_bytes(b'state = "caf\xe9"')
    assert faults(tmp_path / "latin.toml")[0].what == "is not UTF-8"
    assert "cannot be read" in faults(tmp_path)[0].what


# ---- Next hops


@pytest.mark.parametrize(
    ("hop", "anchored"),
    [
        ("maildir:out", "maildir:/base/out"),
        ("maildir:../out", "maildir:/out"),
        ("maildir:/srv/out", "maildir:/srv/out"),
        ("lmtp:run/sock", "lmtp:/base/run/sock"),
        ("lmtp:/run/sock", "lmtp:/run/sock"),
        ("lmtp://mx:24", "lmtp://mx:24"),
        ("smtp://mx:25", "smtp://mx:25"),
    ],
)
def test_local_next_hops_are_relative_to_the_file(hop: str, anchored: str) -> None:
    assert config.anchored_hop(hop, Path("/base")) == anchored


def test_mail_of_our_own_goes_where_notices_go_else_where_mail_goes(tmp_path: Path) -> None:
    mail = '[mail]\nnext_hop = "maildir:one"\n'
    assert load_configuration(written(tmp_path, mail)).next_hop() is not None
    both = load_configuration(written(tmp_path, mail + '[notify]\nnext_hop = "maildir:two"\n'))
    hop = both.next_hop()
    assert hop is not None
    assert both.notify.next_hop == f"maildir:{tmp_path}/two"


@pytest.mark.parametrize(("table", "more"), [("mail", ""), ("notify", ""), ("notify", '[mail]\nnext_hop = "maildir:x"')])
@pytest.mark.parametrize("hop", ["bogus", "smtp:mx", "lmtp://", "maildir:", "smtp://mx:99999"])
def test_a_next_hop_that_is_none_is_told_before_anything_starts(tmp_path: Path, table: str, more: str, hop: str) -> None:
    path = written(tmp_path, f'[{table}]\nnext_hop = "{hop}"\n{more}')
    (fault,) = faults(path)
    assert (fault.where, fault.key) == (str(path), f"{table}.next_hop")
    assert "smtp://host:port" in fault.remedy


# ---- Notices


def test_templates_are_relative_to_the_file_or_the_shipped_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_configuration(written(tmp_path, '[notify]\ntemplates = "notices/"\n'))
    assert loaded.notify.templates == tmp_path / "notices"
    bare = load_configuration(written(tmp_path, ""))
    letters = load_letters(bare, build_policy(bare))
    assert {kind for kind, _ in letters.templates} == {"sender", "security"}
    # Installed, the code stands apart from the checkout, and the shipped notices in /usr/share.
    shared = tmp_path / "share"
    shutil.copytree(CHECKOUT / "config" / "notices", shared / "notices")
    monkeypatch.setattr(config, "SHARED", shared)
    policy = build_policy(bare)
    monkeypatch.setattr(config, "CHECKOUT", tmp_path / "site-packages")
    assert load_letters(bare, policy).templates == letters.templates


def test_a_missing_template_is_a_fault_with_file_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for name in ("sender.zh", "sender.en", "security.zh"):
        (tmp_path / "own" / f"{name}.txt").write_text("S\n\nT\n")
    loaded = load_configuration(written(tmp_path, '[notify]\ntemplates = "own"\n'))
    with pytest.raises(ConfigError) as caught:
        load_letters(loaded, build_policy(loaded))
    (fault,) = caught.value.faults
    assert (fault.where, fault.what) == (str(tmp_path / "own" / "security.en.txt"), "no such file")
    assert "copy the shipped notices" in fault.remedy
    english = replace(loaded, profile=str(CHECKOUT / "config/profiles/international.toml"))
    (tmp_path / "own" / "security.en.txt").write_text("S\n\nT\n")
    for name in ("sender.zh", "security.zh"):
        (tmp_path / "own" / f"{name}.txt").unlink()
    assert load_letters(english, build_policy(english)).words.languages == ("en",)


def test_titles_of_signatures_are_read_where_somebody_is_told(tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "r"\nwhen = {}\nthen = "alert"\n'
    written(tmp_path, rule, "own.toml")
    loaded = load_configuration(written(tmp_path, 'policy = "own.toml"\n'))
    assert load_letters(loaded, build_policy(loaded)).titles == {}
    written(tmp_path, rule + 'notify = ["a@example.com"]\n', "own.toml")
    titles = load_letters(loaded, build_policy(loaded)).titles
    assert titles["zh"]["cn_id"] != titles["en"]["cn_id"] != "cn_id"


@pytest.mark.parametrize("author", ["nobody", "a@b\\nBcc: c@d", ""])
def test_an_author_that_no_header_can_hold_is_a_fault(tmp_path: Path, author: str) -> None:
    (fault,) = faults(written(tmp_path, f'[notify]\nauthor = "{author}"\n'))
    assert fault.key == "notify.author"


# ---- Profile, people, partners


def test_a_profile_by_name_is_looked_for_beside_the_file_first(tmp_path: Path) -> None:
    path = written(tmp_path, 'profile = "ours"')
    (tmp_path / "profiles").mkdir()
    shipped = (CHECKOUT / "config/profiles/cn-data.toml").read_text("utf-8")
    own = written(tmp_path / "profiles", shipped, "ours.toml")
    assert load_configuration(path).profile == str(own)


@pytest.mark.parametrize("named", ["own.toml", "./own.toml", "folder/own.toml"])
def test_a_profile_by_path_is_relative_to_the_file(tmp_path: Path, named: str) -> None:
    loaded = load_configuration(written(tmp_path, f'profile = "{named}"'))
    assert Path(loaded.profile) == tmp_path / named


def test_an_unknown_profile_is_told_with_the_known_ones(tmp_path: Path) -> None:
    (fault,) = faults(written(tmp_path, 'profile = "cn-enterprize"'))
    assert fault.key == "profile"
    assert "cn-enterprise" in fault.remedy
    assert "international" in fault.remedy


@pytest.mark.parametrize("name", ["people", "partners"])
def test_people_and_partners_beside_the_file_are_taken(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "")
    assert getattr(load_configuration(path), name) is None
    beside = written(tmp_path, (CHECKOUT / "config" / f"{name}.toml").read_text("utf-8"), f"{name}.toml")
    assert getattr(load_configuration(path), name) == beside
    named = load_configuration(written(tmp_path, f'{name} = "elsewhere.toml"'))
    assert getattr(named, name) == tmp_path / "elsewhere.toml"
    with pytest.raises(ConfigError, match="no such file"):
        build_policy(named)


# ---- The shipped one, and the contract's sample


def test_the_shipped_configuration_stands() -> None:
    loaded = load_configuration(CHECKOUT / "config" / "dlp.toml")
    assert loaded.mail is not None
    assert loaded.share is not None
    assert loaded.usb is not None
    assert loaded.metrics is not None
    assert loaded.state == CHECKOUT / "var"
    assert loaded.mail.next_hop == f"maildir:{CHECKOUT}/var/outbox"
    assert build_policy(loaded).rules
    assert len(basis(loaded)) == 32


def test_the_shipped_file_states_the_defaults(tmp_path: Path) -> None:
    """Who takes a line out of the shipped file changes nothing."""
    shipped, bare = load_configuration(CHECKOUT / "config" / "dlp.toml"), load_configuration(written(tmp_path, ""))
    for table in ("limits", "workers", "ocr", "passwords", "quarantine", "notify", "state", "policy", "signatures", "profile"):
        assert getattr(shipped, table) == getattr(bare, table), table


@pytest.mark.parametrize("line", SAMPLE.strip().splitlines())
def test_a_key_of_the_contract_is_known_or_refused_by_name(tmp_path: Path, line: str) -> None:
    key = line.partition(" = ")[0]
    needed = 'mail.next_hop = "maildir:x"\n' if key.startswith("mail.") else ""
    needed += 'share.paths = ["x"]\n' if key == "share.strength" else ""
    path = written(tmp_path, needed + line)
    try:
        load_configuration(path)
    except ConfigError as error:
        (fault,) = error.faults
        assert key.startswith(fault.key)
        assert fault.what == "unknown key"
        assert key == "web.listen"


# ---- What a judgement rests on


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A configuration with files of its own, all of them copies of the shipped ones."""
    for name in ("policy.toml", "people.toml", "partners.toml", "profiles/cn-data.toml"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((CHECKOUT / "config" / name).read_bytes())
    (tmp_path / "rules" / "more").mkdir(parents=True)
    (tmp_path / "rules" / "a.yar").write_text("// a")
    (tmp_path / "rules" / "more" / "b.yara").write_text("// b")
    (tmp_path / "rules" / "markings.toml").write_text("[levels]")
    written(tmp_path, 'profile = "cn-data"\npolicy = "policy.toml"\nsignatures.paths = ["rules"]\n')
    return tmp_path


def of(house: Path) -> str:
    return basis(load_configuration(house / "dlp.toml"))


@pytest.mark.parametrize(
    "name",
    [
        "policy.toml",
        "people.toml",
        "partners.toml",
        "profiles/cn-data.toml",
        "rules/a.yar",
        "rules/more/b.yara",
        "rules/markings.toml",
    ],
)
def test_the_basis_changes_with_every_file(house: Path, name: str) -> None:
    before = of(house)
    with (house / name).open("a") as file:
        file.write("\n# changed\n")
    assert of(house) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda house: (house / "people.toml").unlink(),
        lambda house: (house / "rules" / "a.yar").unlink(),
        lambda house: (house / "rules" / "c.yar").write_text("// a"),
    ],
)
def test_the_basis_changes_when_a_file_comes_or_goes(house: Path, change: Callable[[Path], Any]) -> None:
    before = of(house)
    change(house)
    assert of(house) != before


@pytest.mark.parametrize("text", ["[limits]\nseconds = 31\n", '[organisation]\ndomains = ["example.net"]\n'])
def test_the_basis_changes_with_the_limits_and_with_what_is_inside(house: Path, text: str) -> None:
    before = of(house)
    with (house / "dlp.toml").open("a") as file:
        file.write(text)
    assert of(house) != before


@pytest.mark.parametrize("text", ['[passwords]\nlist = ["one"]\n', '[passwords]\nfile = "words.txt"\n'])
def test_the_basis_changes_with_the_passwords_and_does_not_tell_them(house: Path, text: str) -> None:
    """Who knows all but the passwords, and tries words, has to pay for each."""
    before, digests = of(house), set[str]()
    with (house / "dlp.toml").open("a") as file:
        file.write(text)
    for word in ("one", "other"):
        (house / "words.txt").write_text(word)
        digests.add(of(house))
    assert before not in digests
    assert len(digests) == (2 if "file" in text else 1)


@pytest.mark.parametrize("installed", [True, False])
def test_the_basis_changes_with_text_recognition(house: Path, monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    monkeypatch.setattr(ocr, "available", lambda: installed)
    before = of(house)
    with (house / "dlp.toml").open("a") as file:
        file.write('[ocr]\nuse = "off"\n')
    assert (of(house) != before) is installed


# ---- What the workers go by


def test_the_plan_is_the_configurations(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "available", lambda: True)
    with (house / "dlp.toml").open("a") as file:
        file.write('[mail]\nnext_hop = "maildir:x"\ndeadline_seconds = 70\n[limits]\nseconds = 20\n')
        file.write('[passwords]\nlist = ["one"]\nfile = "words.txt"\n')
    (house / "words.txt").write_text("two\n")
    loaded = load_configuration(house / "dlp.toml")
    found = plan(loaded)
    assert (found.signatures, found.limits) == (loaded.signatures.paths, Limits(seconds=20.0))
    assert found.given.words == ("one", "two")
    assert found.deadlines == {Channel.MAIL: 70.0}
    assert found.ocr == OcrSettings()
    monkeypatch.setattr(ocr, "available", lambda: False)
    assert plan(loaded).ocr is None
    (house / "words.txt").unlink()
    with pytest.raises(ConfigError, match=r"words\.txt"):
        plan(loaded)


def test_the_basis_changes_with_the_version(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = of(house)
    monkeypatch.setattr(config, "__version__", "0.0.0-other")
    assert of(house) != before


def test_the_basis_does_not_change_otherwise(house: Path) -> None:
    before = of(house)
    (house / "rules" / "readme.md").write_text("no rule")
    (house / "policy.toml").touch()
    with (house / "dlp.toml").open("a") as file:
        file.write('[metrics]\nlisten = "127.0.0.1:1"\n[mail]\nnext_hop = "maildir:x"\n')
    assert of(house) == before


def test_a_file_that_cannot_be_read_is_a_fault(house: Path) -> None:
    (house / "policy.toml").unlink()
    with pytest.raises(ConfigError, match=r"policy\.toml: cannot be read"):
        of(house)


# ---- Which file


def test_the_installed_configuration_goes_before_the_checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "INSTALLED", tmp_path / "dlp.toml")
    assert config.find() == CHECKOUT / "config" / "dlp.toml"
    written(tmp_path, "")
    assert config.find() == tmp_path / "dlp.toml"


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ("listen = []", "milter.listen", "is empty"),
        ('listen = ["/run/milter.sock"]', "milter.listen", "is neither unix:PATH nor inet:host:port"),
        ('listen = ["inet:10026"]', "milter.listen", "is not host:port"),
        (f'listen = ["unix:{"x" * 100}"]', "milter.listen", "longer than the 107 bytes"),
        ('listen = ["unix:a"]\nsocket_mode = 660', "milter.socket_mode", "is not the mode of a file"),
        ('listen = ["unix:a"]\nnext_hop = "smtp:"', "milter.next_hop", "names neither"),
        ('listen = ["unix:a"]\nmax_queue = 0', "milter.max_queue", "must be at least 1"),
        ('listen = ["unix:a"]\ndeadline_seconds = 300', "milter.deadline_seconds", "less than 300"),
        ('listen = ["unix:a"]\nhostname = "a b"', "milter.hostname", "is not a host name"),
        ('listen = ["unix:a"]\nnewlines = "reject"', "milter.newlines", "unknown key"),
    ],
)
def test_a_milter_that_cannot_work_is_a_fault_of_the_file(tmp_path: Path, text: str, key: str, what: str) -> None:
    path = written(tmp_path, f"[milter]\n{text}\n")
    (fault,) = faults(path)
    assert (fault.where, fault.key) == (str(path), key)
    assert what in fault.what


async def test_released_messages_go_where_the_milter_says_else_where_mail_goes(tmp_path: Path) -> None:
    mail, listen = '[mail]\nnext_hop = "maildir:one"\n', '[milter]\nlisten = ["unix:a"]\n'
    for text, folder in ((mail + listen, "one"), (mail + listen + 'next_hop = "maildir:two"\n', "two")):
        hop = load_configuration(written(tmp_path, text)).next_hop()
        assert hop is not None
        await hop.deliver_message("a@example.com", ["b@example.com"], b"\r\n")
        assert len(list((tmp_path / folder / "new").iterdir())) == 1
    assert load_configuration(written(tmp_path, listen)).next_hop() is None
