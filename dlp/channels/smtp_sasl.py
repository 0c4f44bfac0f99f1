"""What SASL's PLAIN and LOGIN look like: base64, the message of PLAIN, names and passwords prepared. Pure.

RFC 4616 (PLAIN), RFC 4013 (SASLprep), RFC 4954 section 4. LOGIN has no RFC; it is two lines, name and password.
"""

import binascii
import stringprep
import unicodedata
from dataclasses import dataclass, field

LONGEST_NAME = 255
"""Bytes in UTF-8; RFC 4616 section 2 asks for at least as many."""

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


class Malformed(ValueError):
    """Not what base64, the mechanism or SASLprep asks for. Its text quotes nothing of what was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who somebody says he is, and the password that is to prove it. `user` is prepared, `password` as it was sent."""

    user: str
    password: bytes = field(repr=False)

    @classmethod
    def of(cls, user: bytes, password: bytes) -> "Claim":
        """Raises Malformed. The name is prepared here, so that one person has one name in policy and record."""
        if not password or b"\0" in password:
            raise Malformed("the password is empty, or has a NUL")
        return cls(user=name(user), password=password)


def name(octets: bytes) -> str:
    """A prepared name of 1 to LONGEST_NAME bytes, all of it printable. Raises Malformed."""
    if len(octets) > LONGEST_NAME:
        raise Malformed("the name is too long")
    user = prepared(octets)
    if not user.isprintable() or len(user.encode()) > LONGEST_NAME:
        raise Malformed("the name is not printable, or too long")
    return user


def decoded(text: bytes) -> bytes:
    """Base64 to the letter (RFC 4648 section 3: nothing foreign in it, padded to the end). Raises Malformed."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise Malformed("not base64") from None


def plain(message: bytes) -> Claim | None:
    """The message of PLAIN, [authzid] NUL authcid NUL passwd; None where one person would act as another.

    Raises Malformed.
    """
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise Malformed("the message of PLAIN has three parts")
    authority, user, password = parts
    claim = Claim.of(user, password)
    return claim if not authority or name(authority) == claim.user else None


def prepared(octets: bytes) -> str:
    """UTF-8 after SASLprep (RFC 4013), so that one password typed on two keyboards is one. Raises Malformed."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    text = unicodedata.normalize("NFKC", mapped)
    if not text or any(prohibited(c) for c in text for prohibited in _PROHIBITED) or not _one_direction(text):
        raise Malformed("empty, or with characters that SASLprep prohibits")
    return text


def _one_direction(text: str) -> bool:
    """RFC 3454 section 6: text with a right-to-left letter has no left-to-right one, and begins and ends with such."""
    right = [stringprep.in_table_d1(c) for c in text]
    return not any(right) or (right[0] and right[-1] and not any(stringprep.in_table_d2(c) for c in text))
