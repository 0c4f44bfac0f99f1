"""Which attachments a message has to lose so that it may go. Pure; what may go is asked of the policy.

A finding lies in the attachment that its trail begins with. Where several have that name, all of them are meant. One in
the bytes of the message as a whole lies where its offset says. Everything else is the message's own: its header, its
texts, and what could not be read of it.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from dlp.model import Attachment, Finding, Inspection, Mode, Unscannable, Zone

_Piece = Finding | Unscannable


def offending(inspection: Inspection, keeps: Callable[[Inspection], bool]) -> tuple[Attachment, ...]:
    """The attachments without which the message may go, as far as this inspection tells; none where its own is too much.

    `keeps` says whether a message of which that much is known may not go. Those are taken which may not go alone; if the
    rest may not go together, all in which anything was found.
    """
    pieces = _by_name(inspection)

    def known(names: Iterable[str | None]) -> Inspection:
        chosen = [piece for name in names for piece in pieces[name]]
        return replace(
            inspection,
            findings=tuple(piece for piece in chosen if isinstance(piece, Finding)),
            unscannable=tuple(piece for piece in chosen if isinstance(piece, Unscannable)),
        )

    if keeps(known([None])):
        return ()
    guilty = {name for name in pieces if name is not None and keeps(known([name]))}
    if keeps(known(pieces.keys() - guilty)):
        guilty = {name for name in pieces if name is not None}
    return tuple(one for one in inspection.attachments if one.name in guilty)


def named_by_a_finding(inspection: Inspection, attachment: Attachment) -> bool:
    """Whether something was found in the attachment's own name, or in its header or properties, which may repeat it."""
    return any(
        finding.trail == (attachment.name,) and finding.zone in (Zone.FILENAME, Zone.PROPERTY) for finding in inspection.findings
    )


def _by_name(inspection: Inspection) -> dict[str | None, list[_Piece]]:
    """What lies in the attachments of each name, and under None what is the message's own."""
    names = {one.name for one in inspection.attachments}
    pieces: dict[str | None, list[_Piece]] = {None: []}
    counting: list[_Piece] = [finding for finding in inspection.findings if finding.mode is Mode.ENFORCE]
    for piece in (*counting, *inspection.unscannable):
        pieces.setdefault(_name(piece, inspection, names), []).append(piece)
    return pieces


def _name(piece: _Piece, inspection: Inspection, names: Collection[str]) -> str | None:
    if piece.trail:
        return piece.trail[0] if piece.trail[0] in names else None
    if isinstance(piece, Finding) and piece.zone is Zone.RAW:
        place = bisect_right(inspection.attachments, piece.offset, key=lambda one: one.start) - 1
        if place >= 0 and piece.offset < inspection.attachments[place].end:
            return inspection.attachments[place].name
    return None
