"""Brings a database to the tables this version knows (Alembic, https://alembic.sqlalchemy.org)."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from dlp.errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The newest revision in MIGRATIONS; a test holds it to the folder."""
MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, where: str, *, head: str = HEAD, migrations: Path = MIGRATIONS) -> None:
    """Run what `connection`'s database lacks, in its transaction. Raises ConfigError where a newer version made it."""
    revision = current(connection)
    if revision == head:
        return
    # Heavy, and wanted only by a database that lacks something: every command line would wait for it.
    from alembic import command

    if revision is not None and revision not in {script.revision for script in _scripts(migrations)}:
        remedy = "install the version that made it, or restore a copy from before"
        raise ConfigError.single(where, "", f"was made by a newer version of dlp (revision {revision})", remedy)
    config = _config(migrations)
    config.attributes["connection"] = connection
    command.upgrade(config, head)


def current(connection: Connection) -> str | None:
    """The revision of the tables, or None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _config(migrations: Path) -> "Config":
    from alembic.config import Config

    config = Config()
    # "%" is Config's own escape (configparser's interpolation).
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return config


def _scripts(migrations: Path) -> list:  # type: ignore[type-arg]
    from alembic.script import ScriptDirectory

    return list(ScriptDirectory.from_config(_config(migrations)).walk_revisions())
