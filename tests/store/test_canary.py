"""A unique secret goes in everywhere content can; no file under the state folder has it in clear."""

import json
import secrets
from pathlib import Path

from structlog.testing import capture_logs

from dlp.model import Finding, Inspection
from dlp.redact import mask
from dlp.store.stores import Stores
from tests.store.items import VERDICT, MakeItem, an_envelope, now


def test_the_secret_is_in_no_file_and_no_log_line(state: Path, make_item: MakeItem) -> None:
    secret = secrets.token_hex(16)
    item = make_item(f"content {secret} content".encode() * 1000, origin=an_envelope(f"subject {secret}"))
    with capture_logs() as logs:
        stores = Stores.open(state, clock=now)
        incident = stores.incidents.open(item, Inspection(findings=(Finding(signature="s", excerpt=mask(secret)),)), VERDICT)
        held = stores.quarantine.store(item, incident, VERDICT, {"xattrs": {"user.comment": secret}})
        stores.incidents.close(incident, held=held)
        stores.audit.record("held", held=held, incident=incident)
        assert secret.encode() in b"".join(stores.quarantine.content(held))
        while_open = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
        stores.close()
    after = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    # The test must see what it looks for: the write-ahead log and the object are among the files.
    assert {"dlp.db", "dlp.db-wal", "audit.jsonl", held} <= {path.name for path in while_open}
    for spelling in (secret.encode(), secret[:12].encode(), secret.encode("utf-16-le"), secret.encode().hex().encode()):
        assert not [path for path, data in (*while_open.items(), *after.items()) if spelling in data]
    assert secret not in json.dumps(logs, default=str)
