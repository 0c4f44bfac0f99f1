"""The notice of a gated drive."""

from dlp.channels.gate_refusals import MOST, Refusals


def test_it_says_what_was_refused_and_nothing_before() -> None:
    refusals = Refusals(clock=lambda: 1_000_000_000.0)
    assert refusals.text() == b""
    refusals.add("/报价\udcff.txt", "it holds what may not leave", "inc-1")
    refusals.add("/b", "the drive failed")
    text = refusals.text().decode()
    assert "2001-09-" in text and "inc-1" in text and "\\udcff" in text
    assert text.index("/b") < text.index("/报价"), "the latest first"
    assert refusals.changed == 1_000_000_000.0


def test_it_does_not_grow_for_ever() -> None:
    refusals = Refusals()
    for number in range(MOST + 50):
        refusals.add(f"/f{number}", "why")
    text = refusals.text().decode()
    assert "/f249" in text and "/f49\n" not in text
