"""OpenDocument files made by code (ODF 1.3): packages, flat documents, packages encrypted as LibreOffice has done it."""

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from tests.helpers.documents import Member, a_zip

_NAMES = ("office", "style", "text", "table", "draw", "presentation", "meta", "form", "script", "config", "number")
_SPACES = "".join(f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in _NAMES) + (
    ' xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0"'
    ' xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"'
    ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'
)
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_MEDIA = "application/vnd.oasis.opendocument."
_SALT, _VECTOR = bytes(range(16)), bytes(range(16, 32))
_XMLENC = "http://www.w3.org/2001/04/xmlenc#"


def an_odf(
    body: str,
    *,
    kind: str = "text",
    automatic: str = "",
    styles: str = "",
    masters: str = "",
    properties: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    extra: Mapping[str, Member] | None = None,
    manifest: str = "",
) -> bytes:
    """A package: `body` is the markup inside office:text (or the element of that `kind`).

    `properties` are Dublin Core names, `labels` user-defined ones; `extra` members by their full name.
    """
    element = {"graphics": "drawing"}.get(kind, kind)
    members: dict[str, Member] = {
        "mimetype": _MEDIA + kind,
        "content.xml": _part(
            "content",
            f"<office:automatic-styles>{automatic}</office:automatic-styles>"
            f"<office:body><office:{element}>{body}</office:{element}></office:body>",
        ),
        "styles.xml": _part(
            "styles", f"<office:styles>{styles}</office:styles><office:master-styles>{masters}</office:master-styles>"
        ),
        "meta.xml": _part("meta", _meta(properties or {}, labels or {})),
        "META-INF/manifest.xml": manifest or _manifest(""),
    }
    return _packed(members | dict(extra or {}))


def a_flat_odf(body: str, *, kind: str = "text", properties: Mapping[str, str] | None = None) -> bytes:
    """One XML document with everything in it (ODF 1.3 part 3, section 3.1.2)."""
    return (
        f'{_DECLARATION}<office:document{_SPACES} office:version="1.3" office:mimetype="{_MEDIA}{kind}">'
        f"{_meta(properties or {}, {})}<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>"
    ).encode()


def encrypted_odf(body: str, password: str, *, method: str = "aes", iterations: int = 1024) -> bytes:
    """A text whose content.xml is encrypted: "aes" (CBC, PBKDF2, SHA-256), "blowfish" (CFB, SHA-1)."""
    content = _part("content", f"<office:body><office:text>{body}</office:text></office:body>").encode()
    squeezed = zlib.compressobj(wbits=-15)
    plain = squeezed.compress(content) + squeezed.flush()
    digest = hashlib.sha256 if method == "aes" else hashlib.sha1
    size = 32 if method == "aes" else 16
    key = hashlib.pbkdf2_hmac("sha1", digest(password.encode()).digest(), _SALT, iterations, size)
    if method == "aes":
        count = 16 - len(plain) % 16
        encryptor = Cipher(AES(key), modes.CBC(_VECTOR)).encryptor()
        sealed = encryptor.update(plain + bytes([count]) * count)
        names = (f"{_XMLENC}aes256-cbc", f"{_XMLENC}sha256", "#sha256-1k")
    else:
        sealed = Cipher(Blowfish(key), CFB(_VECTOR[:8])).encryptor().update(plain)
        names = ("Blowfish CFB", "SHA1", "SHA1/1K")
    vector = _VECTOR if method == "aes" else _VECTOR[:8]
    derivation = f'manifest:key-derivation-name="PBKDF2" manifest:iteration-count="{iterations}" manifest:key-size="{size}"'
    entry = _encrypted("content.xml", names, vector, derivation, digest(plain[:1024]).digest())
    members: dict[str, Member] = {
        "mimetype": _MEDIA + "text",
        "content.xml": sealed,
        "META-INF/manifest.xml": _manifest(entry),
    }
    return _packed(members)


def wholly_encrypted_odf(package: bytes, password: str) -> bytes:
    """`package` as one encrypted member (AES-GCM, Argon2id), as LibreOffice writes it since 24.2."""
    start = hashlib.sha256(password.encode()).digest()
    key = Argon2id(salt=_SALT, length=32, iterations=1, lanes=1, memory_cost=64).derive(start)
    sealed = _VECTOR[:12] + AESGCM(key).encrypt(_VECTOR[:12], package, None)
    derivation = (
        'manifest:key-derivation-name="urn:org:documentfoundation:names:experimental:office:manifest:argon2id"'
        ' loext:argon2-iterations="1" loext:argon2-memory="64" loext:argon2-lanes="1" manifest:key-size="32"'
    )
    names = ("http://www.w3.org/2009/xmlenc11#aes256-gcm", f"{_XMLENC}sha256", "")
    entry = _encrypted("encrypted-package", names, _VECTOR[:12], derivation, b"")
    return _packed({"mimetype": _MEDIA + "text", "encrypted-package": sealed, "META-INF/manifest.xml": _manifest(entry)})


def _packed(members: Mapping[str, Member]) -> bytes:
    return a_zip(members, compression=0)


def _part(name: str, content: str) -> str:
    return f"{_DECLARATION}<office:document-{name}{_SPACES}>{content}</office:document-{name}>"


def _meta(properties: Mapping[str, str], labels: Mapping[str, str]) -> str:
    said = "".join(f"<dc:{name}>{escape(value)}</dc:{name}>" for name, value in properties.items())
    labelled = "".join(
        f"<meta:user-defined meta:name={quoteattr(name)}>{escape(value)}</meta:user-defined>" for name, value in labels.items()
    )
    return f"<office:meta>{said}{labelled}</office:meta>"


def _manifest(entries: str) -> str:
    space = 'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
    return f"{_DECLARATION}<manifest:manifest {space}>{entries}</manifest:manifest>"


def _encrypted(path: str, names: tuple[str, str, str], vector: bytes, derivation: str, checksum: bytes) -> str:
    """A manifest's entry; `names` are the algorithm, the start key's and the checksum's digest."""
    algorithm, start, kind = names
    checked = f' manifest:checksum-type="{kind}" manifest:checksum="{b64encode(checksum).decode()}"' if kind else ""
    return (
        f'<manifest:file-entry manifest:full-path="{path}" manifest:media-type="text/xml">'
        f"<manifest:encryption-data{checked}>"
        f'<manifest:algorithm manifest:algorithm-name="{algorithm}"'
        f' manifest:initialisation-vector="{b64encode(vector).decode()}"/>'
        f'<manifest:start-key-generation manifest:start-key-generation-name="{start}" manifest:key-size="32"/>'
        f'<manifest:key-derivation {derivation} manifest:salt="{b64encode(_SALT).decode()}"/>'
        "</manifest:encryption-data></manifest:file-entry>"
    )
