"""What differs between two inspections of the same bytes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dlp.detect.replay import UNREAD, Change, Compared, Judged, Kind, Totals, compare
from dlp.model import Action, Finding, Inspection, Unscannable, Why, Zone

A = Finding(signature="a", level="secret", confidence=90, count=2, trail=("x.zip", "y"), offset=3, excerpt="****")

FINDINGS = st.lists(
    st.builds(
        Finding,
        signature=st.sampled_from("abc"),
        level=st.sampled_from([None, "secret"]),
        count=st.integers(1, 3),
        trail=st.sampled_from([(), ("x",)]),
    ),
    max_size=6,
).map(tuple)


def compared(before: Inspection, after: Inspection, actions: tuple[Action, Action] = (Action.ALLOW, Action.ALLOW)) -> Compared:
    return compare("item", Judged(inspection=before, action=actions[0]), Judged(inspection=after, action=actions[1]))


def found(*findings: Finding) -> Inspection:
    return Inspection(findings=findings)


def test_found_lost_and_changed() -> None:
    other = replace(A, trail=())
    result = compared(found(A, replace(A, signature="b")), found(replace(A, count=3), replace(A, signature="c"), other))
    assert [(one.signature, one.trail, one.kind) for one in result.changes] == [
        ("a", (), Kind.FOUND),
        ("a", A.trail, Kind.CHANGED),
        ("b", A.trail, Kind.LOST),
        ("c", A.trail, Kind.FOUND),
    ]
    assert result.changes[1] == Change(
        signature="a",
        trail=A.trail,
        before=(("secret", "90", "2", "body", "enforce"),),
        after=(("secret", "90", "3", "body", "enforce"),),
    )
    assert not result.same


def test_where_the_best_match_stands_is_no_change() -> None:
    assert compared(found(A), found(replace(A, offset=9, excerpt="**", facts={"near": "x"}))).same
    assert not compared(found(A), found(replace(A, zone=Zone.HEADER))).same


def test_what_only_one_can_read_is_a_change() -> None:
    unread = Inspection(unscannable=(Unscannable(why=Why.TIMEOUT, trail=("z",)),))
    (change,) = compared(found(), unread).changes
    assert (change.signature, change.trail, change.before, change.after) == (UNREAD, ("z",), (), (("timeout",),))
    assert compared(unread, unread).same


def test_an_action_or_level_alone_is_a_change() -> None:
    assert not compared(found(), found(), (Action.ALLOW, Action.BLOCK)).same
    assert not compare(
        "i", Judged(inspection=found(), action=Action.ALLOW), Judged(inspection=found(), action=Action.ALLOW, level="x")
    ).same


def test_totals() -> None:
    totals = Totals()
    totals.add(compared(found(A), found(), (Action.BLOCK, Action.ALLOW)))
    totals.add(compared(found(), found(A, replace(A, signature="b"))))
    totals.add(compared(found(A), found(A)))
    assert (totals.items, totals.changed) == (3, 2)
    assert {name: dict(kinds) for name, kinds in totals.signatures.items()} == {
        "a": {Kind.LOST: 1, Kind.FOUND: 1},
        "b": {Kind.FOUND: 1},
    }
    assert dict(totals.actions) == {(Action.BLOCK, Action.ALLOW): 1}


@given(before=FINDINGS, after=FINDINGS)
def test_the_way_back_is_the_way_there_turned_round(before: tuple[Finding, ...], after: tuple[Finding, ...]) -> None:
    there, back = compared(found(*before), found(*after)), compared(found(*after), found(*before))
    assert [(one.signature, one.trail, one.before, one.after) for one in there.changes] == [
        (one.signature, one.trail, one.after, one.before) for one in back.changes
    ]
    assert compared(found(*before), found(*reversed(before))).same
