"""`dlp audit`: does the record stand up?"""

import typer

from dlp.cli.common import ConfigOption, JsonOption, configuration, print_error, print_json
from dlp.cli.stores import opened

app = typer.Typer(help="The hash-chained record of decisions and of administrators' acts.", no_args_is_help=True)


@app.command()
def verify(config: ConfigOption = None, json: JsonOption = False) -> int:
    """Check the whole chain: an edit, a deletion, a reordering, a cut tail are named. Exit status 1 if there is any."""
    with opened(configuration(config)) as stores:
        report = stores.audit.verify()
    if json:
        print_json({"records": report.records, "problems": [{"line": p.line, "what": p.what} for p in report.problems]})
    else:
        for problem in report.problems:
            print_error(f"audit line {problem.line}: {problem.what}")
        typer.echo(
            f"{report.records} records; {'the chain holds' if not report.problems else f'{len(report.problems)} problems'}."
        )
    return 1 if report.problems else 0
