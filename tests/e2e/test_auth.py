"""Somebody is added, authenticates, and is named in the incident; his password is nowhere."""

import base64
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.daemon import CHECKOUT, configure, started

SECRET = "Zq8vCanaryPw47xTmo2PhsLr"


def test_an_authenticated_sender_is_in_the_incident_and_his_password_nowhere(folder: Path) -> None:
    config = configure(folder)
    config.write_text(
        config.read_text("utf-8").replace("[mail]\n", '[mail]\nauth_file = "logins"\nauth_required = true\n'), "utf-8"
    )
    command = [sys.executable, "-m", "dlp", "auth", "add", "alice@example.com", "--config", str(config)]
    subprocess.run(command, input=SECRET.encode(), cwd=CHECKOUT, check=True, timeout=120)
    with started(config) as daemon:
        with smtplib.SMTP("127.0.0.1", daemon.smtp, timeout=60) as client:
            client.ehlo()
            with pytest.raises(smtplib.SMTPSenderRefused) as refused:
                send(client)
            assert refused.value.smtp_code == 530
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("alice@example.com", SECRET + "x")
            client.login("alice@example.com", SECRET)
            with pytest.raises(smtplib.SMTPDataError):
                send(client)
        (incident,) = daemon.json("incidents", "list")
        assert incident["origin"]["user"] == "alice@example.com"
        # smtplib tries LOGIN after PLAIN.
        assert daemon.metric('dlp_mail_auth_failures_total{why="rejected"}') >= 1
        assert "mail authentication failed" in daemon.log
        assert daemon.dlp("auth", "remove", "alice@example.com").returncode == 0
        with smtplib.SMTP("127.0.0.1", daemon.smtp, timeout=60) as client, pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("alice@example.com", SECRET)
    forms = [SECRET.encode(), *(base64.b64encode(b"x" * n + SECRET.encode())[4:-4] for n in range(3))]
    looked_at = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "stderr" in looked_at
    assert [path for path in looked_at for form in forms if form in path.read_bytes()] == []


def send(client: smtplib.SMTP) -> None:
    client.sendmail("a@example.com", ["b@example.org"], "Subject: plan\r\n\r\n绝密★10年\r\n".encode(), ["BODY=8BITMIME"])
