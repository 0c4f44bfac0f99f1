"""The file of logins: what a line may be, when the file is read again, and what checking it may cost."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels import smtp_auth_file
from dlp.channels.smtp_auth import Unchecked
from dlp.channels.smtp_auth_file import FileCredentials, Verifier, parse, read, replace_file, rewritten
from dlp.channels.smtp_sasl import Claim, Malformed
from dlp.errors import ConfigError

CHEAP = {"ln": 10, "r": 8, "p": 1}
PHC = "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def line(user: str, password: str) -> str:
    return f"{user}:{Verifier.of(password.encode(), **CHEAP)}\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


def claim(user: str, password: str | bytes) -> Claim:
    return Claim(user=user, password=password.encode() if isinstance(password, str) else password)


async def test_who_is_in_it_and_who_is_not(tmp_path: Path) -> None:
    file = write(tmp_path / "logins", "# comment: with a colon\n\n" + line("alice", "one") + line("用户@例子.中国", "密码"))
    credentials = FileCredentials(file)
    assert await credentials.holds(claim("alice", "one"))
    assert await credentials.holds(claim("用户@例子.中国", "密码"))
    for user, password in (("alice", "密码"), ("Alice", "one"), ("nobody", "one"), ("alice", b"\xff"), ("# comment", "x")):
        assert not await credentials.holds(claim(user, password))


async def test_a_password_is_one_however_it_was_typed(tmp_path: Path) -> None:
    credentials = FileCredentials(write(tmp_path / "logins", line("alice", "ｐａｓｓ\u00a0é")))
    assert await credentials.holds(claim("alice", "pass e\u0301"))


async def test_a_change_counts_at_once(tmp_path: Path) -> None:
    file = write(tmp_path / "logins", line("alice", "one"))
    credentials = FileCredentials(file)
    assert await credentials.holds(claim("alice", "one"))
    file.write_text(line("alice", "two"))  # in place, perhaps within one tick of the file system's clock
    assert not await credentials.holds(claim("alice", "one"))
    assert await credentials.holds(claim("alice", "two"))
    old = time.time_ns() - 3_600 * 10**9
    os.utime(file, ns=(old, old))
    assert await credentials.holds(claim("alice", "two"))
    draft = write(tmp_path / "draft", line("bob", "two"))
    os.utime(draft, ns=(old, old))
    draft.replace(file)  # another inode, the same time
    assert not await credentials.holds(claim("alice", "two"))
    assert await credentials.holds(claim("bob", "two"))


@pytest.mark.parametrize("how", ["gone", "open", "broken", "folder"])
async def test_a_file_that_goes_bad_lets_nobody_in_for_a_while(tmp_path: Path, how: str) -> None:
    file = write(tmp_path / "logins", line("alice", "one"))
    credentials = FileCredentials(file)
    assert await credentials.holds(claim("alice", "one"))
    match how:
        case "gone":
            file.unlink()
        case "open":
            file.chmod(0o640)
        case "broken":
            file.write_text("alice:canary\n")
        case "folder":
            file.unlink()
            file.mkdir(0o700)
    with pytest.raises(Unchecked) as error:
        await credentials.holds(claim("alice", "one"))
    assert str(file) in str(error.value)
    assert "canary" not in str(error.value)
    if how == "folder":
        file.rmdir()
    write(file, line("alice", "one"))
    assert await credentials.holds(claim("alice", "one"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("alice", "is not name:$scrypt$"),
        ("alice:canary", "is not name:$scrypt$"),
        ("alice:$6$abc$canary", "is not name:$scrypt$"),
        (f":{PHC}", "name that is empty"),
        (f" alice:{PHC}", "name that is empty"),
        (f"ａlice:{PHC}", "name that is empty"),
        (f"alice:{PHC}\nbob:{PHC}\nalice:{PHC}", "a second time"),
        ("alice:" + PHC.replace("ln=10", "ln=9"), "asks for less"),
        ("alice:" + PHC.replace("ln=10", "ln=17"), "asks for less"),
        ("alice:" + PHC.replace("ln=10", "ln=99"), "asks for less"),
        ("alice:" + PHC.replace("p=1", "p=17"), "asks for less"),
        ("alice:" + PHC.replace("p=1", "p=0"), "asks for less"),
        ("alice:" + PHC.replace("c2FsdHNhbHQ", "c2Fs"), "salt of less"),
        ("alice:" + PHC.replace("c2FsdHNhbHQ", "c2Fsd"), "is not in base64"),
    ],
)
def test_a_line_that_is_wrong_is_named_by_its_number(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigError) as error:
        FileCredentials(write(tmp_path / "logins", f"# first\n{text}\n"))
    assert what in str(error.value)
    assert all(fault.key in ("line 2", "line 4") for fault in error.value.faults)
    assert "canary" not in str(error.value)


def test_all_wrong_lines_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        parse("a\nb\nc\n", tmp_path)
    assert [fault.key for fault in error.value.faults] == ["line 1", "line 2", "line 3"]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o622, 0o601])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    file = write(tmp_path / "logins", line("alice", "one"))
    file.chmod(mode)
    with pytest.raises(ConfigError, match="open to others") as error:
        FileCredentials(file)
    assert error.value.faults[0].remedy == f"chmod 600 {file}"


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file.*dlp auth add"):
        read(tmp_path / "logins")
    (tmp_path / "logins").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read(tmp_path / "logins")


@given(st.binary(min_size=1, max_size=40), st.integers(10, 12), st.integers(1, 3))
def test_a_verifier_is_read_back(password: bytes, ln: int, p: int) -> None:
    try:
        made = Verifier.of(password, ln=ln, p=p)
    except Malformed:
        return
    assert Verifier.parse(str(made)) == made


@given(st.text(max_size=60))
def test_any_text_is_a_verifier_or_is_not(text: str) -> None:
    for one in (text, "$scrypt$" + text, PHC + text):
        try:
            assert str(Verifier.parse(one)) == one or one != PHC
        except ValueError as error:
            assert len(str(error)) < 150


def test_a_known_answer() -> None:
    """RFC 7914 section 12, third vector."""
    digest = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    made = Verifier(ln=14, r=8, p=1, salt=b"SodiumChloride", digest=digest)
    assert made.matches(b"pleaseletmein")
    assert not made.matches(b"pleaseletmeout")


def costs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """What each derivation from now on is asked to cost."""
    asked: list[tuple[int, int, int]] = []
    real = Verifier.matches

    def matches(self: Verifier, password: bytes) -> bool:
        asked.append((self.ln, self.r, self.p))
        return real(self, password)

    monkeypatch.setattr(Verifier, "matches", matches)
    return asked


async def test_an_unknown_name_costs_what_a_wrong_password_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = f"odd:{Verifier.of(b'x', ln=11, r=8, p=1)}\n"
    credentials = FileCredentials(write(tmp_path / "logins", odd + line("alice", "one") + line("bob", "two")))
    asked = costs(monkeypatch)
    for user, password in (("alice", b"wrong"), ("nobody", b"wrong"), ("alice", b"\xff"), ("nobody", b"\xff")):
        assert not await credentials.holds(claim(user, password))
    assert asked == [(10, 8, 1)] * 4
    empty = FileCredentials(write(tmp_path / "empty", ""))
    assert not await empty.holds(claim("alice", "one"))
    assert asked[-1] == (14, 8, 5)


async def test_who_authenticates_for_every_message_costs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = FileCredentials(write(tmp_path / "logins", line("alice", "one")))
    asked = costs(monkeypatch)
    for _ in range(20):
        assert await credentials.holds(claim("alice", "one"))
    assert len(asked) == 1
    for _ in range(3):
        assert not await credentials.holds(claim("alice", "wrong"))
    assert len(asked) == 4


async def test_few_are_derived_at_once_and_few_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_auth_file, "WAITING", 10)
    credentials = FileCredentials(write(tmp_path / "logins", line("alice", "one")))
    running, most = 0, 0
    real = Verifier.matches

    def matches(self: Verifier, password: bytes) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return real(self, password)

    monkeypatch.setattr(Verifier, "matches", matches)
    found = await asyncio.gather(*(credentials.holds(claim("alice", f"{n}")) for n in range(40)), return_exceptions=True)
    assert most <= smtp_auth_file.AT_ONCE
    assert sum(one is False for one in found) >= 10
    assert sum(isinstance(one, Unchecked) for one in found) >= 1
    assert sum(one is False or isinstance(one, Unchecked) for one in found) == 40
    assert await credentials.holds(claim("alice", "one"))


def test_a_change_leaves_all_other_lines_as_they_are() -> None:
    text = "# head\n\nalice:1\n  \n#alice:old\nbob:2"
    verifier = Verifier.parse(PHC)
    assert rewritten(text, "alice", verifier) == f"# head\n\nalice:{PHC}\n  \n#alice:old\nbob:2\n"
    assert rewritten(text, "alice", None) == "# head\n\n  \n#alice:old\nbob:2\n"
    assert rewritten(text, "carol", verifier) == f"# head\n\nalice:1\n  \n#alice:old\nbob:2\ncarol:{PHC}\n"
    assert rewritten("", "carol", verifier) == f"carol:{PHC}\n"


def test_the_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, owner = write(tmp_path / "logins", "old"), (os.geteuid(), os.getegid())
    before = file.stat().st_ino
    old_mask = os.umask(0o777)
    try:
        replace_file(file, "new", owner=owner)
    finally:
        os.umask(old_mask)
    assert (file.read_text(), file.stat().st_mode & 0o777, file.stat().st_ino != before) == ("new", 0o600, True)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(file, "newer", owner=owner)
    assert file.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["logins"]
