"""The gateway's AUTH as [mail] has it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from dlp.channels.mail_settings import MailSettings
from dlp.channels.smtp_auth import Authenticator, Credentials
from dlp.channels.smtp_auth_file import FileCredentials
from dlp.channels.smtp_auth_upstream import UpstreamCredentials
from dlp.metrics import Metrics


def authenticator(
    settings: MailSettings, metrics: Metrics, *, spawn: Callable[[Coroutine[Any, Any, bool]], asyncio.Task[bool]]
) -> Authenticator | None:
    """None where [mail] names no credentials. Raises ConfigError for a file that cannot be used."""
    credentials = _credentials(settings)
    if credentials is None:
        return None
    return Authenticator(
        credentials, metrics, spawn=spawn, without_tls=settings.auth_without_tls, required=settings.auth_required
    )


def _credentials(settings: MailSettings) -> Credentials | None:
    if settings.auth_file is not None:
        return FileCredentials(settings.auth_file)
    if settings.auth_upstream is None:
        return None
    return UpstreamCredentials(
        settings.auth_upstream,
        tls=settings.auth_upstream_tls,
        hostname=settings.hostname,
        connect_timeout=settings.connect_seconds,
        command_timeout=settings.reply_seconds,
    )
