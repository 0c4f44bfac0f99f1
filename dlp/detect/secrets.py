"""Keys, tokens and passwords, confirmed by what they look like: length and alphabet by the patterns, here the rest.

A token is long and random; an example, a placeholder and a variable's name are not.
"""

import base64
import binascii
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.evidence import Candidate, Judgement, Validator

PLACEHOLDER = re.compile(
    r"example|sample|placeholder|change_?me|your[_-]|dummy|redacted|xxxx|\*\*\*|\.\.\.|<[^>]*>|\$\{|\$\(|%\(|\{\{|0{8}|12345678|abcdefgh|"
    r"process\.env|os\.environ|getenv|config[.\[]|示例|你的",
    re.IGNORECASE,
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


def entropy(text: str) -> float:
    """Bits a character (Shannon 1948), from the text's own frequencies: 0 for "aaaa", some 4 for 24 random letters and digits."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values()) if text else 0.0


def original(candidate: Candidate) -> str:
    """The match in ordinary width and with its capitals, which folding took, and without what hides in it."""
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", candidate.match))


def token(candidate: Candidate) -> Judgement | None:
    """A service's token: what follows its prefix is random and no example, and nothing of the kind goes on before or after."""
    value = original(candidate)
    before, after = candidate.around(1)
    if wordy(before) or wordy(after) or PLACEHOLDER.search(value):
        return None
    return Judgement(value=value) if entropy(value[-20:]) >= 3.0 else None


def wordy(letter: str) -> bool:
    """Whether a token would go on with this neighbour."""
    return letter.isascii() and (letter.isalnum() or letter == "_")


def access_key(candidate: Candidate) -> Judgement | None:
    """As `token`, where the prefix is written in capitals (AKIA…, LTAI…, AKID…), which prose in small letters is not."""
    return token(candidate) if original(candidate)[:4].isupper() else None


_KEY_BODY = re.compile(r"(?:[A-Za-z0-9+/=]{16,}[\\nr\s\"',]*){3,}")


def private_key(candidate: Candidate) -> Judgement | None:
    """The head of a key with a key under it: three lines of base64 (RFC 7468) within the next 600 characters."""
    _, after = candidate.around(600)
    body = _KEY_BODY.search(_INVISIBLE.sub("", after))
    return Judgement(value=body.group()[:64]) if body else None


_SIGNATURE = re.compile(r"(?:signature|signed)[\\\"'\s]{0,6}[:=][\\\"'\s]{0,6}\Z", re.IGNORECASE)


def jwt(candidate: Candidate) -> Judgement | None:
    """A JSON Web Token (RFC 7519): its header decodes to an object that names an algorithm. One that is named a signature vouches
    for what stands beside it and opens nothing."""
    value = original(candidate)
    if _SIGNATURE.search(candidate.around(30)[0]):
        return None
    head = value.split(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error):
        return None
    return Judgement(value=value) if isinstance(header, dict) and "alg" in header else None


_ASSIGNED = re.compile(r"[:=：＝]\s*[\"'“]?([^\s\"'”,;，；。&]+)")
_URL_PASSWORD = re.compile(r"://[^\s:@/]*:([^\s@/]+)@")
_LEAST_PASSWORD = 8


def password(candidate: Candidate) -> Judgement | None:
    """The value after "password =": eight characters or more, of two kinds one of which is a digit or a sign, not an
    example, a path, a type or a variable."""
    found = _ASSIGNED.search(original(candidate))
    return secretive(found.group(1)) if found else None


def url_password(candidate: Candidate) -> Judgement | None:
    """The password in scheme://user:password@host (RFC 3986, section 3.2.1)."""
    found = _URL_PASSWORD.search(original(candidate))
    value = found.group(1) if found else ""
    return Judgement(value=value) if len(value) >= 4 and not PLACEHOLDER.search(value) and not common(value) else None


def common(value: str) -> bool:
    """Whether it is what examples write for a password."""
    return (
        re.fullmatch(r"pass(?:word|wd)?\d{0,3}|passw0rd|secret|user|root|admin|test|tiger|qwerty", value, re.IGNORECASE)
        is not None
    )


def secretive(value: str) -> Judgement | None:
    """A password as people and programs choose them; a word, a path, a call or an example is none."""
    if not value.isascii() or not _LEAST_PASSWORD <= len(value) <= 128 or PLACEHOLDER.search(value) or value[0] in "$%{<([/@":
        return None
    kinds = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9_.()]"))
    callish = re.search(r"[(\[]|::|->|^[A-Za-z_]+(\.[A-Za-z_]+)+$", value)
    signs = re.search("[0-9]|[^A-Za-z0-9_.-]", value)
    return Judgement(value=value) if kinds >= 2 and signs and not callish and entropy(value) >= 2.5 else None


SECRET_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        "token": token,
        "access_key": access_key,
        "private_key": private_key,
        "jwt": jwt,
        "password": password,
        "url_password": url_password,
    }
)
"""Validators by the name that a signature's meta gives."""
