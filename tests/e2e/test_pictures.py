"""A picture in a message is read before the message is answered, where the extra for it is installed."""

import smtplib
from pathlib import Path

import pytest

from dlp.extract import ocr
from tests.helpers.daemon import configure, eventually, started
from tests.helpers.documents import a_mail
from tests.helpers.ocr import a_picture

needs_ocr = pytest.mark.skipif(not ocr.available(), reason="the extra `ocr` is not installed")
SENDER, RECIPIENT = "a@example.com", "b@example.org"


@needs_ocr
def test_a_card_in_a_picture_is_found_on_its_way_out_and_on_a_share(folder: Path) -> None:
    picture = a_picture("CARD 4111 1111 1111 1111")
    message = a_mail(SENDER, [RECIPIENT], attachments=[("scan.png", "image/png", picture)])
    with started(configure(folder)) as daemon:
        assert daemon.metric('dlp_ocr_items_total{result="read"}') == 0
        with smtplib.SMTP("127.0.0.1", daemon.smtp, timeout=60) as client:
            client.ehlo()
            client.mail(SENDER)
            client.rcpt(RECIPIENT)
            client.data(message)
        (daemon.share / "scan.png").write_bytes(picture)
        eventually(lambda: len(daemon.json("incidents", "list")) == 2)
        for incident in daemon.json("incidents", "list"):
            assert "bank_card" in {finding["signature"] for finding in incident["findings"]}
            assert incident["unscannable"] == []
        assert daemon.metric('dlp_ocr_items_total{result="read"}') == 2
        assert daemon.metric('dlp_queue_items{channel="ocr"}') == 0
