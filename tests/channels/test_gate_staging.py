"""What waits for the verdict: whatever is written, truncated and frozen, it reads as a plain file would."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.gate_staging import Staged, Staging, copy

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 300), st.binary(min_size=1, max_size=120)),
        st.tuples(st.just("truncate"), st.integers(0, 400), st.just(b"")),
        st.tuples(st.just("freeze"), st.just(0), st.just(b"")),
    ),
    max_size=12,
)


def whole(staged: Staged) -> bytes:
    buffer = bytearray(1000)
    return bytes(buffer[: staged.read_into(memoryview(buffer), 0)])


@given(steps=STEPS, small=st.sampled_from([0, 50, 200, 1000]))
def test_it_is_a_file(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bytes]], small: int) -> None:
    staging = Staging(str(tmp_path_factory.getbasetemp()), small=small, memory=1000, reserve=0)
    staged, model = staging.new(), b""
    for step, number, data in steps:
        if step == "write":
            staged.write(data, number)
            model = model[:number].ljust(number, b"\0") + data + model[number + len(data) :]
        elif step == "truncate":
            staged.truncate(number)
            model = model[:number].ljust(number, b"\0")
        else:
            with staged.frozen() as frozen:
                assert os.pread(frozen, 1000, 0) == model
                with pytest.raises(OSError, match=r"Bad file|not permitted"):
                    os.write(frozen, b"x")
        assert whole(staged) == model
        assert staged.status().st_size == len(model)
    staged.close()
    assert staging.take(0, min(small, 1000)), "what it took of the memory is given back"


def test_memory_is_shared_out_and_the_rest_goes_to_the_disk(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), small=100, memory=150, reserve=0)
    one, two = staging.new(), staging.new()
    one.write(bytes(100), 0)
    two.write(bytes(100), 0)
    assert [os.readlink(f"/proc/self/fd/{number}").startswith("/memfd:") for number in held(one, two)] == [True, False]
    one.close()
    three = staging.new()
    three.write(bytes(100), 0)
    assert os.readlink(f"/proc/self/fd/{held(three)[0]}").startswith("/memfd:")
    two.close()
    three.close()
    assert os.listdir(tmp_path) == []


def held(*staged: Staged) -> list[int]:
    return [one._descriptor for one in staged]


def test_a_disk_that_is_as_full_as_it_may_be(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), small=10, reserve=1 << 60)
    staged = staging.new()
    staged.write(b"small", 0)
    with pytest.raises(OSError, match="No space") as caught:
        staged.write(bytes(100), 0)
    assert caught.value.errno == errno.ENOSPC
    assert whole(staged) == b"small"
    staged.close()


def test_a_hole_of_any_size_takes_no_room(tmp_path: Path) -> None:
    staging = Staging(str(tmp_path), reserve=0)
    staged = staging.new()
    staged.truncate(1 << 40)
    staged.write(b"end", (1 << 40) - 3)
    assert staged.status().st_blocks < 1000
    target = os.open(tmp_path / "copy", os.O_CREAT | os.O_RDWR)
    with staged.frozen() as frozen:
        copy(frozen, target)
    assert os.fstat(target).st_size == 1 << 40 and os.fstat(target).st_blocks < 1000
    assert os.pread(target, 3, (1 << 40) - 3) == b"end"
    os.close(target)
    staged.close()
