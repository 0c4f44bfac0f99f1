from datetime import UTC, datetime, timedelta

from dlp.ids import new_id


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = [new_id(start + timedelta(milliseconds=n)) for n in range(1000)]
    assert made == sorted(made)
    assert len({new_id(start) for _ in range(1000)}) == 1000
    assert {len(one) for one in made} == {18}
