"""`dlp register`: what the organisation has declared, a module of this package for each kind."""

import typer

from dlp.cli import register_codenames, register_documents, register_records

app = typer.Typer(help="What is declared: classified documents, public ones, tables, code names.", no_args_is_help=True)
app.add_typer(register_documents.documents, name="documents")
app.add_typer(register_documents.public, name="public")
app.add_typer(register_records.app, name="records")
app.add_typer(register_codenames.app, name="codenames")
