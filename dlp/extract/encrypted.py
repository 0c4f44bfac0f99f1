"""What is encrypted as a whole: protected Office packages ([MS-OFFCRYPTO]), and what can only be said to be encrypted."""

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.compound import Compound
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.ole import other_streams
from dlp.extract.passwords import OPENED
from dlp.extract.sniff import ENCRYPTED
from dlp.extract.unlock import unlocked
from dlp.model import Why

_SEALED = frozenset({"encryptedpackage", "encryptioninfo"})


def read(document: Document, budget: Budget) -> Pieces:
    """The package inside, if a known password opens it; else what stands beside it in the clear.

    Raises Unreadable(encrypted) for anything but an Office package; the walk salvages.
    """
    try:
        compound = Compound(document.data, budget)
    except Unreadable as error:
        raise Unreadable(Why.ENCRYPTED, "the document is encrypted") from error
    plain = unlocked(document.data, budget)
    if plain is not None:
        yield document.nested(plain, name=None, label=OPENED)
    else:
        yield document.unread(Why.ENCRYPTED, "the document is encrypted")
    yield from other_streams(document, compound, budget, read=_SEALED)


FORMAT = Format(name="encrypted", media_types=(ENCRYPTED,), read=read)
