"""`dlp register documents` and `dlp register public`: classified documents to be found again, and public ones to be told from."""

from pathlib import Path

import typer

from dlp import columns
from dlp.cli.common import ConfigOption, JsonOption, configuration
from dlp.cli.register_common import listed

documents = typer.Typer(help="Classified documents, found again whole or in part.", no_args_is_help=True)
public = typer.Typer(help="Public documents and templates, whose text proves nothing.", no_args_is_help=True)


@documents.callback()
@public.callback()
def _several() -> None:
    """A group of verbs, even of one."""


@documents.command("list")
def list_documents(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All declared documents, oldest first."""
    listed(configuration(config), "documents", json=json, in_force=_in_force)


@public.command("list")
def list_public(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All public documents and templates, oldest first."""
    listed(configuration(config), "public", json=json, in_force=_in_force)


def _in_force(folder: Path) -> list[str]:
    return [entry["id"] for entry in columns.facts(folder).get("entries", [])]
