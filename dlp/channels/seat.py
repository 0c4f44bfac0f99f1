"""Who sits at the machine, as systemd-logind knows it."""

import asyncio
import contextlib

SECONDS = 3.0
"""How long logind is waited for."""


async def user(seat: str = "seat0") -> str:
    """The login name of the session in the foreground of a seat (loginctl(1)); "" where there is none, or no logind."""
    session = await _asked("show-seat", seat, "--property=ActiveSession")
    return await _asked("show-session", session, "--property=Name") if session else ""


async def _asked(*words: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            "loginctl",
            *words,
            "--value",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return ""
    return out.decode("utf-8", "replace").strip() if process.returncode == 0 else ""
