"""Secrets told by the line they stand in: files of clients and servers, connection strings, messages.

The pattern shows where in the line the secret is; what is asked here is whether it is one, or an example, a variable, a
sentence that goes on.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.detect.secrets import PLACEHOLDER, common, entropy, original, secretive, token, wordy

_CASED = (
    *("NRAK-", "PMAK-", "AGE-SECRET-KEY-1", "SG.", "GOCSPX-", "AKLT", "ALTAK", "JDC_", "AQE", "AKCp", "ATATT3", "HRKU-"),
    *(
        "oy2",
        "dapi",
        "hf_",
        "sk-",
        "gsk_",
        "r8_",
        "pplx-",
        "hvs.",
        "hvb.",
        "ya29.",
        "key-",
        "sqp_",
        "squ_",
        "sqa_",
        "dp.",
        "pul-",
    ),
)
"""Prefixes whose case a maker fixes: other cases are chance, in base64 above all."""


def cased_token(candidate: Candidate) -> Judgement | None:
    """As `token`, and its prefix is written as its maker writes it."""
    value = original(candidate)
    lower = value.lower()
    strayed = any(lower.startswith(prefix.lower()) and not value.startswith(prefix) for prefix in _CASED)
    return None if strayed else token(candidate)


_ASSIGNED = re.compile(r"[:=]\s*[\"']?([^\s\"':=]+)\Z")


def _random(value: str) -> Judgement | None:
    fine = not PLACEHOLDER.search(value) and entropy(value) >= 3.0 and re.search("[0-9]", value) and re.search("[A-Za-z]", value)
    return Judgement(value=value) if fine else None


def assigned_token(candidate: Candidate) -> Judgement | None:
    """What stands after the sign: random, and no part of a longer run."""
    found = _ASSIGNED.search(original(candidate))
    after = candidate.around(1)[1]
    return _random(found.group(1)) if found and not (wordy(after) or after in ("/", "+", "=")) else None


def token_about(candidate: Candidate) -> Judgement | None:
    """A client secret of Microsoft Entra: three characters, then 8Q~ as written, then 31 to 34 more."""
    before, after = candidate.around(4)
    value = original(candidate)
    if not value.startswith("8Q~") or not re.search(r"(?:\A|[^A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\Z", before) or wordy(after[:1]):
        return None
    return _random(before[-3:] + value)


_BOT_NUMBER = re.compile(r"(?:\A|\D)([0-9]{8,10})\Z")


def bot_token(candidate: Candidate) -> Judgement | None:
    """A Telegram bot's number, a colon and 35 characters that begin with AA; or the secret of an application, assigned."""
    if candidate.string != "telegram":
        return assigned_token(candidate)
    number = _BOT_NUMBER.search(candidate.around(12)[0])
    value = original(candidate)
    return _random(number.group(1) + value) if number and value.startswith(":AA") and not wordy(candidate.around(1)[1]) else None


def _plain(value: str) -> Judgement | None:
    """A password of a file whose form leaves no doubt: anything that is no placeholder, variable or word for one."""
    fine = len(value) >= 4 and not PLACEHOLDER.search(value) and not common(value) and value[0] not in "$%{<*"
    return Judgement(value=value) if fine and len(set(value)) > 2 else None


def spaced_password(candidate: Candidate) -> Judgement | None:
    """The word after "password" (ftp(1), .netrc), for a machine that is no example."""
    words = original(candidate).split()
    return _plain(words[-1]) if not any(PLACEHOLDER.search(word) for word in words) else None


def last_field_password(candidate: Candidate) -> Judgement | None:
    """The last of the fields divided by colons, in a line of host:port:database:user:password (PostgreSQL, .pgpass)."""
    line = candidate.around(80)[0].rsplit("\n", 1)[-1]
    fields = original(candidate).split(":", 4)
    return _plain(fields[-1]) if re.fullmatch(r"[\w.*-]{1,80}", line) else None


def hash_line(candidate: Candidate) -> Judgement | None:
    """A hashed password in its place (crypt(5), RFC 2307, Windows SAM); the hash itself tells two apart."""
    value = original(candidate)
    return (
        Judgement(value=value)
        if not re.search(r"\.\.\.|xxxx|<|example", value, re.IGNORECASE) and entropy(value) >= 3.0
        else None
    )


def kube_secret(candidate: Candidate) -> Judgement | None:
    """A client's key or token in a file of Kubernetes."""
    return _random(re.split(r":\s*[\"']?", original(candidate), maxsplit=1)[-1])


_EXAMPLES = ("", "s6BhdRkqt3", "Aladdin")
"""Users of the examples in RFC 6749 and RFC 7617."""
_BASE64 = re.compile(r"([A-Za-z0-9+/]{12,}={0,2})[\"']?\Z")


def basic_login(candidate: Candidate) -> Judgement | None:
    """Base64 that decodes to a user's name, a colon and a password (RFC 7617)."""
    found = _BASE64.search(original(candidate))
    try:
        plain = base64.b64decode(found.group(1), validate=True).decode("ascii") if found else ""
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, colon, password = plain.partition(":")
    alone = "_password" in candidate.folded and plain.isprintable()
    if alone:
        return _plain(plain)
    return _plain(password) if colon and user not in _EXAMPLES and plain.isprintable() else None


_PARAMETER = re.compile(r"(?:password|pwd)\s?=\s?([^\s&;\"'<]{4,128})\Z", re.IGNORECASE)
_THIN = re.compile(r"thin:\w{1,63}/([^\s@/\"']{4,128})@\Z", re.IGNORECASE)


def parameter_password(candidate: Candidate) -> Judgement | None:
    """The value of password= or pwd= among the parameters of a connection, or the one before @ in Oracle's form."""
    value = original(candidate)
    found = _PARAMETER.search(value) or _THIN.search(value)
    return _plain(found.group(1)) if found else None


_TOLD = re.compile(
    r"(?:密码|口令|password|passcode|passphrase|pass|pwd|pw)(?:已)?"
    r"(?:重置为|改为|设为|改成|是|为| is| was reset to| has been set to| will be| changed to)?[ :=]{0,4}[\"'“「]?([!-~]{6,64})\Z",
    re.IGNORECASE,
)
_RULE = re.compile(r"&\w{2,6};|\d{1,2}[-~]\d{1,2}|length|character|digit|minimum|least", re.IGNORECASE)


def told_password(candidate: Candidate) -> Judgement | None:
    """A password somebody tells: letters with digits or signs; a rule about passwords ("8-16 characters") is none."""
    found = _TOLD.search(original(candidate))
    value = found.group(1).strip(",.;:!?\"')") if found else ""
    address = "@" in value and "." in value.rsplit("@", 1)[-1]
    if found is None or len(value) < 6 or _RULE.search(found.group(1)) or common(value) or address:
        return None
    if len(value) >= 8:
        return secretive(value)
    mixed = re.search("[A-Za-z]", value) and re.search("[0-9]", value) and not PLACEHOLDER.search(value)
    return Judgement(value=value, confidence=50) if mixed and value[0] not in "$%{<([/@" else None


_INNER = re.compile(r"(?:<value>|<keymaterial>|<password>|cpassword=\")([^<\"]{4,200})", re.IGNORECASE)


def markup_password(candidate: Candidate) -> Judgement | None:
    """What stands between the tags."""
    found = _INNER.search(original(candidate))
    value = found.group(1).strip() if found else ""
    return _plain(value) if value and not value.startswith("{") else None


LINE_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        "cased_token": cased_token,
        "assigned_token": assigned_token,
        "token_about": token_about,
        "bot_token": bot_token,
        "spaced_password": spaced_password,
        "last_field_password": last_field_password,
        "hash_line": hash_line,
        "kube_secret": kube_secret,
        "basic_login": basic_login,
        "parameter_password": parameter_password,
        "told_password": told_password,
        "markup_password": markup_password,
    }
)
"""Validators by the name that a signature's meta gives."""
