"""The security team's bench: are the signatures well made (`lint`), and do they find what they should (`test`)?

Both take the paths of `[signatures] paths` and the folder with the cases of the first of them, the shipped
signatures; there every signature must have hits and near misses. In an operator's own folders they are only missed
(`warnings`). The form of the cases is told in `dlp.detect.cases`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlp.detect import coverage
from dlp.detect.cases import Case, cases_of
from dlp.detect.cost import Cost, cost
from dlp.detect.detector import Detector
from dlp.detect.signatures import Signature, files, tables
from dlp.errors import Fault, SignatureError
from dlp.model import Finding, Unscannable


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one case; `why` is empty where it passed, else a sentence."""

    case: Case
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether the signature did what the case says."""
        return not self.why


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """One signature's cases: how many hits and near misses there are, how many of both failed."""

    signature: str
    hits: int
    near_misses: int
    failed: int


def totals(results: Sequence[Result]) -> list[Total]:
    """By signature, in the order of the cases."""
    by_name: dict[str, list[Result]] = {}
    for result in results:
        by_name.setdefault(result.case.signature, []).append(result)
    return [
        Total(
            signature=name,
            hits=sum(one.case.hit for one in several),
            near_misses=sum(not one.case.hit for one in several),
            failed=sum(not one.passed for one in several),
        )
        for name, several in by_name.items()
    ]


def lint(paths: Sequence[Path], tests: Path | None = None, *, costs: bool = True) -> list[Fault]:
    """Everything that would refuse the signatures: what `load` refuses, missing cases, cost. Raises nothing for them.

    Without `costs` nothing is measured, and the answer is the same on every machine.
    """
    try:
        signatures = Detector.load(paths).signatures
    except SignatureError as error:
        return list(error.faults)
    cases, faults = cases_of(_families(paths, tests))
    faults += [_orphan(case) for case in cases if case.signature not in signatures]
    shipped = _shipped(paths)
    if tests is not None and (paths[0] / coverage.FILE).is_file():
        faults += coverage.lint(paths[0] / coverage.FILE, signatures)
    for signature in signatures.values():
        if tests is not None and signature.path in shipped:
            faults += _missing(signature, cases)
        if costs:
            faults += _dear(signature)
    return faults


def warnings(paths: Sequence[Path], tests: Path | None = None) -> list[Fault]:
    """What is wanting but refuses nothing: signatures of an operator without hits or near misses. Raises SignatureError."""
    signatures = Detector.load(paths).signatures
    cases, _ = cases_of(_families(paths, tests))
    shipped = _shipped(paths)
    own = [signature for signature in signatures.values() if tests is None or signature.path not in shipped]
    return [fault for signature in own for fault in _missing(signature, cases)]


def test(paths: Sequence[Path], tests: Path | None = None) -> list[Result]:
    """Every case asked. Raises SignatureError for signatures that do not load and for cases that cannot be read."""
    detector = Detector.load(paths)
    cases, faults = cases_of(_families(paths, tests))
    if faults:
        raise SignatureError(faults)
    return [Result(case=case, why=asked(detector, case)) for case in cases]


def asked(detector: Detector, case: Case) -> str:
    """Why the case fails, or nothing."""
    if case.signature not in detector.signatures:
        return "there is no signature of this name"
    scan = detector.begin()
    for piece in case.pieces:
        scan.add(piece)
    results = list(scan.finish())
    found = [result for result in results if isinstance(result, Finding) and result.signature == case.signature]
    if unread := [str(result.why) for result in results if isinstance(result, Unscannable)]:
        return f"could not be scanned: {', '.join(unread)}"
    return _expected(case, found) if case.hit else ("was found, and must not be" if found else "")


def _expected(case: Case, found: Sequence[Finding]) -> str:
    if not found:
        return "was not found"
    if case.level is not None and all(finding.level != case.level for finding in found):
        return f"was found as {', '.join(str(finding.level) for finding in found)}, not as {case.level}"
    count = sum(finding.count for finding in found)
    return f"was found {count} times, not {case.count}" if case.count not in (None, count) else ""


def _shipped(paths: Sequence[Path]) -> frozenset[Path]:
    return frozenset(files(paths[0])) if paths else frozenset()


def _families(paths: Sequence[Path], tests: Path | None) -> list[tuple[Path, Path | None]]:
    shipped = _shipped(paths)
    families = [(file, tests if file in shipped else None) for path in paths for file in files(path)]
    own = [file for file in tables(paths)[1:] if not file.with_suffix(".yar").exists()]
    return families + [(file, None) for file in own]


def _orphan(case: Case) -> Fault:
    return Fault(str(case.path), case.signature, "there is no signature of this name", "rename the case, or remove it")


def _missing(signature: Signature, cases: Sequence[Case]) -> list[Fault]:
    place = f"{signature.path}:{signature.line}"
    kinds = {case.hit for case in cases if case.signature == signature.name}
    wanted = ((True, "hits", "texts it must find"), (False, "near misses", "similar texts it must not find"))
    return [
        Fault(place, signature.name, f"has no {kind}", f"add {what} to {signature.path.stem}.yml")
        for hit, kind, what in wanted
        if hit not in kinds
    ]


def measured(signature: Signature) -> Cost:
    """What a signature costs. A first measure over the limit may be a busy machine's; it counts if a second agrees."""
    first = cost(signature)
    return cost(signature) if first.excessive else first


def _dear(signature: Signature) -> list[Fault]:
    dear = measured(signature)
    if not dear.excessive:
        return []
    what = f"adds {dear.ordinary.times:.1f} times the empty rule's time on {dear.ordinary.buffer} "
    what += f"(limit {dear.ordinary.limit:.1f}), {dear.hostile.times:.0f} times on {dear.hostile.buffer} "
    what += f"(limit {dear.hostile.limit:.0f})"
    remedy = "begin each pattern with a literal of three letters or more, not with a class or a repetition"
    return [Fault(f"{signature.path}:{signature.line}", signature.name, what, remedy)]
