"""What can only be said to be encrypted: protected Office packages ([MS-OFFCRYPTO]) and PGP messages (RFC 4880)."""

from dlp.extract.budget import Budget, Unreadable
from dlp.extract.document import Document
from dlp.extract.format import Format, Pieces
from dlp.extract.sniff import ENCRYPTED
from dlp.model import Why


def read(document: Document, budget: Budget) -> Pieces:
    """Raises Unreadable(encrypted); the walk salvages."""
    raise Unreadable(Why.ENCRYPTED, "the document is encrypted")


FORMAT = Format(name="encrypted", media_types=(ENCRYPTED, "application/pgp-encrypted"), read=read)
