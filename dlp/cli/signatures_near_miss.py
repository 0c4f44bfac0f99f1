"""`dlp signatures near-miss`: a false alarm becomes a case that the signature has to learn."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dlp import logs
from dlp.cli.common import ConfigOption, NotFound, configuration, styled_line
from dlp.cli.quarantine import check_approval, find
from dlp.cli.signatures_replay import original
from dlp.cli.stores import opened
from dlp.config import Configuration, plan
from dlp.detect import signatures
from dlp.detect.bench import asked
from dlp.detect.cases import read_cases
from dlp.detect.cases_write import example, with_near_miss
from dlp.detect.detector import Detector
from dlp.detect.signatures import Signature
from dlp.errors import DLPError
from dlp.metrics import Metrics
from dlp.model import Finding, Item, Zone
from dlp.passages import KEPT, passage_of
from dlp.ports import Incident
from dlp.store.precision import FALSE_POSITIVE, MARK
from dlp.workers.pool import Workers

_JOB = {False: "dlp.passages:outlined", True: "dlp.passages:quoted"}


def near_miss(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="The file of cases, named as the signature's file: cards.yml.")],
    signature: Annotated[
        str | None, typer.Option(help="Whose false alarm; needed where several signatures found something.")
    ] = None,
    passage: Annotated[
        bool, typer.Option("--passage", help="Keep the words of the passage; only numbers and addresses are replaced.")
    ] = False,
    approved_by: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Who approves --passage, where the rule names approvers.")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Make a near miss of what a signature found in an incident's original, as long as it finds it there.

    Without --passage every word and number is replaced by one of its shape, but those that the finding hangs on. That the
    original was read is in the audit log.
    """
    logs.configure(level="WARNING")
    loaded = configuration(config)
    with opened(loaded) as stores:
        found = stores.incidents.get(incident)
        if found is None:
            raise NotFound("incident", incident, "dlp incidents list")
        chosen = _chosen(loaded, found, signature, to)
        held = find(stores, incident)
        if passage:
            check_approval(loaded, held, approved_by)
        with (item := original(stores, held, purpose="near-miss")).blob:
            shown = asyncio.run(_shown(loaded, item, chosen, job=_JOB[passage]))
    text, left = passage_of(shown), int(shown.facts.get(KEPT, "0"))
    if left and not passage:
        raise DLPError(f"{left} numbers could not be replaced, since the finding hangs on them; --passage keeps them as they are")
    key = _added(chosen, to, example(text, shown.zone))
    styled_line(f"{to}: {key} is found today, and must not be: narrow {chosen.path}, then `dlp signatures test`")
    if left:
        styled_line(f"{left} numbers or addresses stand in it as they were, since the finding hangs on them")


def _chosen(loaded: Configuration, incident: Incident, named: str | None, to: Path) -> Signature:
    """The signature whose case it is. Raises DLPError where that is not clear."""
    found = {one.signature for one in incident.findings}
    false = {one.signature for one in incident.findings if one.facts.get(MARK) == FALSE_POSITIVE}
    names = {named} & found if named else false or found
    if len(names) != 1:
        raise DLPError(f"name with --signature one of those that found something: {', '.join(sorted(found)) or 'none did'}")
    (name,) = names
    chosen = signatures.load(loaded.signatures.paths).signatures.get(name)
    if chosen is None:
        raise DLPError(f"{name} is no signature in force; `dlp signatures list` shows them")
    stem = chosen.path.stem
    if to.name not in (f"{stem}.yml", f"{stem}.tests.yml"):
        raise DLPError(f"the cases of {name} are read from {stem}.yml or {stem}.tests.yml; {to.name} is neither")
    return chosen


async def _shown(loaded: Configuration, item: Item, signature: Signature, *, job: str) -> Finding:
    """The finding with its passage, made by a confined child that knows this signature's file alone. Raises DLPError."""
    workers = Workers(loaded.workers, replace(plan(loaded, registers=False), signatures=(signature.path,)), Metrics(), job=job)
    try:
        await workers.start()
        inspection = await workers.inspect(item)
    finally:
        await workers.stop()
    shown = next((one for one in inspection.findings if one.signature == signature.name), None)
    if shown is None:
        raise DLPError(f"{signature.name} finds nothing there any more: it is not to be narrowed")
    if not passage_of(shown) or shown.zone is Zone.RAW:
        raise DLPError(f"no short passage shows by itself what {signature.name} found there; write the case by hand")
    return shown


def _added(signature: Signature, to: Path, line: str) -> str:
    """Write the case into the file, once it is sure that it is read and found today; where it stands. Raises DLPError."""
    try:
        before = to.read_text("utf-8") if to.exists() else ""
        known = read_cases(to)[0] if before.strip() else []
        source = with_near_miss(before, signature.name, line)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".dlp-") as folder:
            made = Path(folder) / to.name
            made.write_text(source, "utf-8")
            cases, faults = read_cases(made)
            old = [(one.key, one.pieces) for one in known]
            added = [one for one in cases if one.signature == signature.name and not one.hit]
            if faults or len(cases) != len(old) + 1 or not added:
                raise DLPError(f"{to} would not read as it has to with the case in it; add by hand: {line}")
            if "was found" not in asked(Detector.load([signature.path]), added[0]):
                raise DLPError(f"{signature.name} does not find the passage by itself; write the case by hand")
            if to.exists():
                made.chmod(to.stat().st_mode & 0o777)
            made.replace(to)
    except (ValueError, UnicodeDecodeError) as error:
        raise DLPError(f"{to}: {error}") from error
    except OSError as error:
        raise DLPError(f"{to} cannot be written: {error.strerror}; check the folder and its permissions") from error
    return added[0].key
