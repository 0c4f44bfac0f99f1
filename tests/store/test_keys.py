"""The key file is made once, whole, for its owner only."""

import os
import threading
from pathlib import Path

import pytest

from dlp.errors import ConfigError, StoreError
from dlp.store.keys import Keys, open_keys


def test_it_is_made_private_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "quarantine.key"
    keys = open_keys(path, needed=False)
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_keys(path, needed=True) == keys
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_each_use_has_its_own_key_and_none_is_printed(tmp_path: Path) -> None:
    keys = open_keys(tmp_path / "key", needed=False)
    master = bytes.fromhex((tmp_path / "key").read_text().split()[1])
    assert len({keys.wrapping, keys.audit, master}) == 3
    assert keys == Keys.derived(master)
    assert keys.wrapping.hex() not in repr(keys)
    assert repr(keys.wrapping) not in repr(keys)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    open_keys(path, needed=False)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="open to others") as caught:
        open_keys(path, needed=True)
    assert "chmod 600" in str(caught.value)


@pytest.mark.root
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = tmp_path / "key"
    open_keys(path, needed=False)
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigError, match="another user"):
        open_keys(path, needed=True)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives a file away")
def test_root_may_use_the_key_of_the_user_whose_state_it_is(tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = open_keys(path, needed=False)
    os.chown(path, 12345, 12345)
    os.chown(tmp_path, 12345, 12345)
    assert open_keys(path, needed=True) == made


@pytest.mark.parametrize("text", ["", "dlp-key-1 abcd\n", "dlp-key-2 " + "ab" * 32, "dlp-key-1 " + "zz" * 32, "\xff"])
def test_a_damaged_file_is_refused_and_not_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="not a key file"):
        open_keys(path, needed=False)
    assert path.read_text() == text


def test_a_link_or_a_pipe_is_not_followed(tmp_path: Path) -> None:
    open_keys(tmp_path / "real", needed=False)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StoreError):
        open_keys(tmp_path / "link", needed=False)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigError, match="regular"):
        open_keys(tmp_path / "pipe", needed=False)


def test_those_who_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(open_keys(tmp_path / "key", needed=False).id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_half_a_key_is_never_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        with pytest.raises(StoreError, match="no space"):
            open_keys(tmp_path / "key", needed=False)
    assert list(tmp_path.iterdir()) == []
