"""The command `dlp`: one file a verb, listed here."""

import sys

import click
import typer

from dlp.cli import audit, check, incidents, quarantine, run, scan, status
from dlp.cli.common import print_error
from dlp.errors import ConfigError, DLPError

USAGE = 64
"""EX_USAGE of sysexits(3): the command line itself is wrong."""

app = typer.Typer(
    name="dlp",
    help="Data loss prevention for Linux: mail, shares and drives. 数据防泄漏。",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("scan")(scan.scan)
app.command("status")(status.status)
app.add_typer(incidents.app, name="incidents")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(audit.app, name="audit")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the verb's status: 64 for wrong usage, 2 for a bad configuration, 1 for the rest."""
    sys.exit(_status(sys.argv[1:] if arguments is None else arguments))


def _status(arguments: list[str]) -> int:
    try:
        result = app(arguments, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
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
