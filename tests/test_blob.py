import hashlib
import os
from pathlib import Path

import pytest

from dlp.blob import Blob


def test_a_blob_is_sealed_and_knows_its_hash() -> None:
    with Blob.of([b"ab", b"", b"cd"]) as blob:
        assert (blob.size, blob.sha256, blob.read(), blob.sealed) == (4, hashlib.sha256(b"abcd").hexdigest(), b"abcd", True)
        with pytest.raises(PermissionError):
            os.pwrite(blob.descriptor, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(blob.descriptor, 1)


def test_many_readers_do_not_disturb_each_other() -> None:
    with Blob.of([bytes(range(256)) * 16]) as blob:
        one, two = blob.chunks(100), blob.chunks(1000)
        assert next(one) + next(one) == next(two)[:200]


@pytest.mark.parametrize(("start", "end"), [(0, 5), (3, 9), (4, 4), (7, 3), (8, 100), (100, 200)])
def test_what_stands_between_two_places_is_read_alone(start: int, end: int) -> None:
    with Blob.of([b"0123456789"]) as blob:
        assert b"".join(blob.between(start, end)) == b"0123456789"[start:end]


def test_a_copy_does_not_follow_its_source(tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"before")
    with source.open("rb") as file, Blob.copy_of(file.fileno()) as copied, Blob.over(file.fileno()) as over:
        source.write_bytes(b"after!")
        assert copied.read() == b"before"
        assert (over.read(), over.sealed) == (b"after!", False)


def test_a_failing_source_leaves_no_descriptor_behind() -> None:
    def broken() -> object:
        yield b"x"
        raise ValueError

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError):
        Blob.of(broken())
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_rest_of_a_blob_is_read_from_there_over_the_same_descriptor() -> None:
    with Blob.of([b"0123456789"]) as blob:
        rest = blob.rest(4)
        assert (rest.read(), rest.size, rest.descriptor) == (b"456789", 6, blob.descriptor)
        assert rest.sha256 == hashlib.sha256(b"456789").hexdigest()
        assert list(rest.rest(1).chunks(3)) == [b"567", b"89"]
        assert (blob.rest(99).read(), blob.rest(99).size) == (b"", 0)
        assert blob.read() == b"0123456789"
