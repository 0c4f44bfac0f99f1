"""Who sits at the machine, with a loginctl of the test's own."""

from pathlib import Path

import pytest

from dlp.channels import seat

SESSION = """#!/bin/sh
case "$*" in
"show-seat seat0 --property=ActiveSession --value") echo 7 ;;
"show-session 7 --property=Name --value") echo zhang ;;
*) echo "$*" >&2; exit 1 ;;
esac
"""
NOBODY = "#!/bin/sh\necho\n"
FAILS = "#!/bin/sh\necho zhang; exit 1\n"
HANGS = "#!/bin/sh\nexec sleep 60\n"


@pytest.mark.parametrize(("loginctl", "user"), [(SESSION, "zhang"), (NOBODY, ""), (FAILS, ""), (HANGS, ""), (None, "")])
async def test_the_user_is_whom_logind_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loginctl: str | None, user: str
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    if loginctl is not None:
        (folder / "loginctl").write_text(loginctl)
        (folder / "loginctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin" if loginctl else str(folder))
    if loginctl == HANGS:
        monkeypatch.setattr(seat, "SECONDS", 0.1)
    assert await seat.user() == user
