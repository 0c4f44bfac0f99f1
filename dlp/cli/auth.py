"""`dlp auth`: who may authenticate to the mail gateway, by the file that `[mail] auth_file` names."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dlp.channels import smtp_auth_file as logins
from dlp.channels.smtp_auth_file import Verifier
from dlp.channels.smtp_sasl import Malformed, prepared
from dlp.cli.common import (
    ConfigOption,
    JsonOption,
    actor,
    configuration,
    configuration_file,
    print_error,
    print_json,
    print_table,
    printable,
)
from dlp.cli.stores import opened
from dlp.config import Configuration
from dlp.errors import ConfigError, DLPError, StoreError

app = typer.Typer(help="Names and passwords of those who may authenticate to the mail gateway.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As the mail program sends it; case counts.")]


@app.command()
def add(name: Name, config: ConfigOption = None) -> None:
    """Add somebody, or give him another password: asked for twice, or the first line of standard input.

    The daemon takes it up by itself.
    """
    loaded = configuration(config)
    path = _file(loaded, config)
    try:
        logins.checked_name(name)
    except ValueError as error:
        raise typer.BadParameter(f"{printable(name)!r} {error}", param_hint="NAME") from None
    verifier = _verifier(_password(confirm=True))
    with _changing(path) as text:
        known = name in logins.parse(text, path)
        _record(loaded, "auth-add", name)
        logins.replace_file(path, logins.rewritten(text, name, verifier), owner=_owner(path, loaded))
    typer.echo(f"{name} {'has another password' if known else 'may authenticate'}")


@app.command()
def remove(name: Name, config: ConfigOption = None) -> None:
    """Take somebody out. A session that is open and authenticated stays so."""
    loaded = configuration(config)
    path = _file(loaded, config)
    with _changing(path) as text:
        _find(name, text, path)
        _record(loaded, "auth-remove", name)
        logins.replace_file(path, logins.rewritten(text, name, None), owner=_owner(path, loaded))
    typer.echo(f"{name} may no longer authenticate")


@app.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Everybody in the file, and what checking his password costs; nothing of the password."""
    path = _file(configuration(config), config)
    found = logins.parse(logins.read(path)[0], path)
    if json:
        for name, one in found.items():
            print_json({"name": name, "scheme": "scrypt", "ln": one.ln, "r": one.r, "p": one.p})
    else:
        rows = ((name, "scrypt", f"{(128 * one.r << one.ln) >> 20} MiB", str(one.p)) for name, one in found.items())
        print_table(("name", "scheme", "memory", "passes"), rows, empty="Nobody may authenticate.")


@app.command()
def check(name: Name, config: ConfigOption = None, json: JsonOption = False) -> int:
    """Is this his password? Asked for once, or the first line of standard input. Exit status 1 if it is not."""
    path = _file(configuration(config), config)
    verifier = _find(name, logins.read(path)[0], path)
    try:
        holds = verifier.matches(prepared(_password(confirm=False)).encode())
    except Malformed:
        holds = False
    if json:
        print_json({"name": name, "holds": holds})
    else:
        typer.echo("the password holds" if holds else "that is not the password")
    return 0 if holds else 1


def _file(loaded: Configuration, config: Path | None) -> Path:
    if loaded.mail is None or loaded.mail.auth_file is None:
        remedy = 'write auth_file = "logins" into [mail]'
        raise ConfigError.single(configuration_file(config), "mail.auth_file", "is not set", remedy)
    return loaded.mail.auth_file.resolve()  # a link stays one


def _find(name: str, text: str, path: Path) -> Verifier:
    found = logins.parse(text, path).get(name)
    if found is None:
        raise DLPError(f"{path} has nobody with the name {name!r}; `dlp auth list` shows who is there")
    return found


def _password(*, confirm: bool) -> bytes:
    """From the terminal without showing it, or the first line of standard input, without its end."""
    if sys.stdin.isatty():
        said: str = typer.prompt("Password", hide_input=True, confirmation_prompt=confirm)
        return said.encode("utf-8", "surrogateescape")
    return sys.stdin.buffer.readline().removesuffix(b"\n").removesuffix(b"\r")


def _verifier(password: bytes) -> Verifier:
    try:
        return Verifier.of(password)
    except Malformed as error:
        raise DLPError(f"that cannot be a password: {error}; choose another") from None


@contextmanager
def _changing(path: Path) -> Iterator[str]:
    """The text of the file, "" where there is none yet, while nobody else changes it."""
    try:
        with logins.held(path):
            yield logins.read(path)[0] if path.exists() else ""
    except OSError as error:
        raise DLPError(f"{path} was not changed: {error.strerror}; check owner and permissions of it and its folder") from error


def _owner(path: Path, loaded: Configuration) -> tuple[int, int]:
    """The file's own, kept; root makes a new one for the daemon: for who owns the state, or its first parent there is."""
    if not path.exists() and os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    place = path if path.exists() else loaded.state
    while not place.exists():
        place = place.parent
    status = place.stat()
    return status.st_uid, status.st_gid


def _record(loaded: Configuration, event: str, name: str) -> None:
    """In the audit log where there is one. A file of logins may be made before the daemon has ever run, and must then not
    make a state that belongs to another user."""
    try:
        if not loaded.state.exists():
            return
        with opened(loaded) as stores:
            stores.audit.record(event, name=name, by=actor())
    except (StoreError, ConfigError, OSError) as error:
        print_error(f"not recorded in the audit log: {error}")
