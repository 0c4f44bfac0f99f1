"""What the sheets of a workbook package share (ECMA-376 part 1, 18.2.19; [MS-XLSB] 2.4.311): names, order, states."""

from dataclasses import dataclass

from dlp.extract.budget import Budget
from dlp.extract.document import Document
from dlp.extract.format import Pieces
from dlp.extract.markup import attributes, tags
from dlp.extract.office import stream
from dlp.extract.strings import strings
from dlp.extract.zipped import Member, Package
from dlp.model import Zone

PRINTER = "xl/printersettings/"
"""A printer's own settings: nobody's document, with the printer's name and the paper's among numbers."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the workbook says of one sheet; `page` counts from 1."""

    name: str
    hidden: bool
    page: int | None


class SheetList:
    """The sheets of one workbook by their parts' names in lower case, in the workbook's order."""

    def __init__(self) -> None:
        self._sheets: dict[str, Sheet] = {}
        self._begun = False

    def add(self, part: str, name: str, *, hidden: bool) -> None:
        """The next sheet."""
        if part not in self._sheets:
            self._sheets[part] = Sheet(name, hidden, len(self._sheets) + 1)

    def __contains__(self, part: str) -> bool:
        return part in self._sheets

    def __getitem__(self, part: str) -> Sheet:
        """The sheet of a part; one that the workbook does not list is called by the part's name."""
        return self._sheets.get(part) or Sheet(part.rsplit("/", 1)[-1], hidden=False, page=None)

    def place(self, member: Member) -> int:
        """Where a part comes: the sheets in their order, then everything else."""
        sheet = self._sheets.get(member.name.lower())
        return sheet.page if sheet and sheet.page else 1 << 30

    def starts(self, sheet: Sheet) -> bool:
        """Whether the text of `sheet` begins the workbook: the first that is shown does."""
        first = not sheet.hidden and not self._begun
        self._begun = self._begun or first
        return first


def targets(document: Document, package: Package, member: Member | None, budget: Budget) -> dict[str, str]:
    """The ids of a part's relationships and the parts they mean, in lower case (ECMA-376 part 2, 8.3), relative to xl/."""
    found: dict[str, str] = {}
    if member is None:
        return found
    for piece in stream(document, package, member, budget):
        for tag in tags(piece) if isinstance(piece, str) else ():
            given = dict(attributes(tag.inside))
            if "Id" in given and "Target" in given:
                target = given["Target"]
                found[given["Id"]] = (target.lstrip("/") if target.startswith("/") else f"xl/{target}").lower()
    return found


def printer(document: Document, package: Package, member: Member) -> Pieces:
    """A printer's settings: their printable strings."""
    content, end = package.read(member)
    if end is not None:
        yield document.unread(end.why, end.detail, trail=(member.name,))
    yield from document.parts(strings(content), zone=Zone.PROPERTY)
