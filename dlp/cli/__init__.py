"""The command `dlp`: one file a verb, listed here."""

import sys
from importlib import import_module
from typing import Annotated

import click
import typer

from dlp import __version__
from dlp.cli.common import print_error
from dlp.errors import ConfigError, DLPError

USAGE = 64
"""EX_USAGE of sysexits(3): the command line itself is wrong."""

VERBS = ("run", "check", "scan", "status", "incidents", "quarantine", "signatures", "audit")
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


def _dlp(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Data loss prevention for Linux: mail, shares and drives. 数据防泄漏。"""
    if version:
        typer.echo(f"dlp {__version__}")
        raise typer.Exit


def _status(arguments: list[str]) -> int:
    # The verb that is asked for is the only one loaded: most of a short command's time would go into the others.
    asked = tuple(verb for verb in VERBS if arguments[:1] == [verb])
    try:
        result = build(asked or VERBS)(arguments, standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.Abort:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away; nothing is left to say
        return 141
    except ConfigError as error:
        for fault in error.faults:
            print_error(str(fault))
        return USAGE if arguments[:1] == ["scan"] else 2
    except DLPError as error:
        print_error(str(error))
        return 1
    return result if isinstance(result, int) else 0
