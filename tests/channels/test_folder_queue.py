"""The queue of looks: each path once, in time, never beyond its limit, nothing lost without a word."""

from hypothesis import given
from hypothesis import strategies as st

from dlp.channels.folder_queue import Pending

PATHS = st.sampled_from("abcdefgh")
STEPS = st.lists(st.one_of(st.tuples(PATHS, st.integers(0, 50)), st.integers(0, 10)), max_size=200)


@given(STEPS)
def test_every_path_comes_out_once_for_each_time_it_went_in(steps: list[tuple[str, int] | int]) -> None:
    pending, now, model = Pending(6), 0.0, dict[str, float]()
    for step in steps:
        if isinstance(step, tuple):
            path, wait = step
            taken = pending.add(path, due=now + wait, now=now)
            assert taken == (path in model or len(model) < 6)
            if taken:
                model[path] = now + wait
        else:
            now += step
            while (look := pending.take(now)) is not None:
                assert model.pop(look.path) <= now
            assert all(due > now for due in model.values())
        assert len(pending) == len(model)
        due = pending.next_due()
        assert not model or (due is not None and due <= min(model.values()))


def test_a_look_put_back_keeps_its_history_and_the_newer_time() -> None:
    pending = Pending(10)
    pending.add("a", due=0, now=0)
    look = pending.take(0)
    assert look is not None
    look.tries, look.idle, look.due = 3, True, 100
    pending.add("a", due=5, now=4)
    pending.put_back(look)
    again = pending.take(5)
    assert again is not None
    assert (again.first, again.tries, again.due) == (0, 3, 5)


def test_a_path_moved_forward_many_times_does_not_fill_the_heap() -> None:
    pending = Pending(10)
    for n in range(5000):
        pending.add("a", due=10_000 - n, now=0)
    assert len(pending._heap) <= 1002
    assert pending.take(5001) is not None
    assert pending.take(20_000) is None


def test_an_idle_look_is_not_fresh_until_it_is_heard_of_again() -> None:
    pending = Pending(10)
    pending.add("a", due=0, now=0)
    look = pending.take(0)
    assert look is not None
    look.idle = True
    pending.put_back(look)
    assert pending.fresh == 0
    assert pending.idle("a")
    pending.add("a", due=1, now=0)
    assert pending.fresh == 1
    assert not pending.idle("a")


def test_who_changes_a_file_again_and_again_does_not_put_it_off_for_ever() -> None:
    pending = Pending(10, patience=30)
    for second in range(100):
        pending.add("a", due=second + 1, now=second)
    look = pending.take(30)
    assert look is not None
    assert look.due == 30


def test_what_is_only_met_again_is_not_put_off() -> None:
    pending = Pending(10)
    pending.add("a", due=5, now=0)
    pending.add("a", due=9, now=4, changed=False)
    assert pending.take(5) is not None
