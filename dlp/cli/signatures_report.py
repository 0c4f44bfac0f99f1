"""`dlp signatures report`: how right each signature has been, by what people said of incidents."""

from dlp.cli.common import ConfigOption, JsonOption, configuration, print_json, print_table
from dlp.cli.stores import opened
from dlp.detect import registers, signatures
from dlp.store.precision import Tally, tallies


def report(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Findings on record, those reviewed, false positives and precision of each signature; the most false ones first."""
    loaded = configuration(config)
    with opened(loaded) as stores:
        counted = tallies(stores.incidents.list())
    known = signatures.load(loaded.signatures.paths).signatures
    titles = registers.titles("en") | {name: one.title for name, one in known.items()}
    rows = []
    for name, tally in sorted(counted.items(), key=lambda one: (-one[1].false, -one[1].findings, one[0])):
        mode = known[name].mode.value if name in known else "enforce" if name in titles else "not in force"
        if json:
            print_json({"signature": name, "mode": mode} | _json(tally))
        rows.append(
            (
                name,
                mode,
                str(tally.findings),
                str(tally.reviewed),
                str(tally.false),
                _percent(tally.precision),
                titles.get(name, ""),
            )
        )
    if not json:
        columns = ("signature", "mode", "findings", "reviewed", "false positives", "precision", "title")
        print_table(columns, rows, empty="No findings on record.")


def _json(tally: Tally) -> dict[str, object]:
    precision = None if tally.precision is None else round(tally.precision, 4)
    return {"findings": tally.findings, "reviewed": tally.reviewed, "false_positives": tally.false, "precision": precision}


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
