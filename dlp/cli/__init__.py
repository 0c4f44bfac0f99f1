"""The command `dlp`: one file a verb, listed here."""

import os
import signal
import sys
from importlib import import_module
from typing import Annotated

import typer

from dlp import __version__
from dlp.cli.common import print_error
from dlp.errors import ConfigError, DLPError

USAGE = 64
"""EX_USAGE of sysexits(3): the command line itself is wrong."""

VERBS = ("run", "guard", "check", "scan", "status", "incidents", "quarantine", "queue", "signatures", "register", "audit", "auth")
"""A module of this package each, with a function of its name or, where the verb has verbs of its own, an `app`."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the verb's status: 64 for wrong usage, 2 for a bad configuration, 1 for the rest."""
    sys.exit(_status(sys.argv[1:] if arguments is None else arguments))


def build(verbs: tuple[str, ...] = VERBS) -> typer.Typer:
    """The command line of these verbs."""
    app = typer.Typer(
        name="dlp",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_dlp)
    for verb in verbs:
        module = import_module(f"dlp.cli.{verb}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb)(getattr(module, verb))
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dlp {__version__}")
        raise typer.Exit


def _dlp(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Data loss prevention for Linux: mail, shares and drives. 数据防泄漏。"""


def _status(arguments: list[str]) -> int:
    # The verb that is asked for is the only one loaded: most of a short command's time would go into the others.
    asked = tuple(verb for verb in VERBS if arguments[:1] == [verb])
    try:
        result = build(asked or VERBS)(arguments, prog_name="dlp", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        # All that typer raises by itself is about the command line.
        _usage(error.format_message(), asked)
        return USAGE
    except typer.Abort:
        return 130
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as end:
        # typer and rich make 1 of a reader that went away, and 1 is an answer here.
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        return _reader_gone()
    except ConfigError as error:
        for fault in error.faults:
            print_error(str(fault))
        return USAGE if arguments[:1] == ["scan"] else 2
    except DLPError as error:
        print_error(str(error))
        return 1
    return result if isinstance(result, int) else 0


def _reader_gone() -> int:
    """As a shell shows a death by SIGPIPE; what is left in the buffer goes nowhere, quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def _usage(said: str, asked: tuple[str, ...]) -> None:
    """What is wrong with the command line, or, where nothing was asked, the whole help."""
    if "\n" in said:
        typer.echo(said, err=True)
    else:
        print_error(f"{said.rstrip('.')}; `{' '.join(('dlp', *asked))} --help` says what there is")
