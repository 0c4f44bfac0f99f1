"""Profiles: one organisation's scale of levels, and its table category → level.

Organisations disagree on the level of one category, so a signature names a category and the profile gives the
level; a marking found in a document states its own; the highest wins. What a document or a policy states is an
id on the canonical scale (`CANONICAL`); a profile that drops one of these says under `aliases` what it means there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dlp.errors import ConfigError
from dlp.model import Finding, Inspection
from dlp.policy.faults import Faults, Wrong, distinct, known
from dlp.settings import load

CANONICAL = ("public", "internal", "confidential", "secret", "top-secret", "restricted")
"""Ids that signatures and markings state. The first five are a scale, lowest first; `restricted` is the top of
the four-level schemes (受限; Restricted) and has no fixed place among the others."""

Language = Literal["zh", "en"]

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One step of the scale; `name` is English, `name_zh` Chinese."""

    id: str
    name: str
    name_zh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFile:
    """The shape of a profile's file; see config/profiles/."""

    name: str
    title: str
    title_zh: str = ""
    language: Language
    unlisted: str
    level: tuple[Level, ...]
    aliases: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A scale, lowest level first, and what lies where on it.

    `language` is that of notices. `unlisted` is the level of a finding whose category is not in `categories`.
    Every value of `categories` and `aliases` is an id on the scale, and no key of `aliases` is.
    """

    name: str
    title: str
    title_zh: str
    language: Language
    levels: tuple[Level, ...]
    categories: Mapping[str, str]
    unlisted: str
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """The scale, lowest first."""
        return tuple(level.id for level in self.levels)

    def resolve(self, level: str) -> str:
        """`level` as an id on this scale. One that is neither on it nor aliased is the highest: the safe side."""
        return level if level in self.ids else self.aliases.get(level, self.ids[-1])

    def rank(self, level: str | None) -> int:
        """The place of `level` on the scale, 0 for the lowest; None is below all of them, at -1."""
        return -1 if level is None else self.ids.index(self.resolve(level))

    def highest(self, *levels: str | None) -> str | None:
        """The highest of `levels`, as an id on this scale; None where there is none."""
        top = max(map(self.rank, levels), default=-1)
        return self.ids[top] if top >= 0 else None

    def name_of(self, level: str | None, language: Language | None = None) -> str:
        """What people call `level`, in `language` or else the profile's; "" for None.

        A level that is not on the scale (an incident of the day before the profile changed) is called by its id.
        """
        found = next((one for one in self.levels if one.id == level), None)
        if found is None:
            return level or ""
        return (found.name_zh or found.name) if (language or self.language) == "zh" else found.name

    def grade(self, inspection: Inspection) -> Inspection:
        """The same findings, each with the level it has here; grading twice changes nothing.

        A stated level counts through `resolve`, a category through the table; of both the higher. A finding with
        neither is of no listed category. Shadow findings are graded like any other, and count nowhere.
        """
        return replace(inspection, findings=tuple(map(self._graded, inspection.findings)))

    def _graded(self, finding: Finding) -> Finding:
        by_category = None if finding.category is None else self.categories.get(finding.category, self.unlisted)
        level = self.highest(finding.level, by_category) or self.unlisted
        return finding if level == finding.level else replace(finding, level=level)


def load_profile(name_or_path: str | Path, folder: Path) -> Profile:
    """The profile of that name in `folder`, or the one at that path: what holds a "/" or ends in ".toml" is a path.

    A relative path is taken from the working directory; whoever knows the file it stands in makes it absolute
    first. Raises ConfigError with every fault.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith(".toml"):
        return _load(Path(text))
    shipped = sorted(path.stem for path in folder.glob("*.toml"))
    if text not in shipped:
        raise ConfigError.single(
            folder, "profile", f"no profile {text!r} here", f"one of: {', '.join(shipped) or 'none'}; or the path of your own"
        )
    return _load(folder / f"{text}.toml")


def _load(path: Path) -> Profile:
    shape, faults = load(path, ProfileFile), Faults(str(path))
    _check_levels(shape, faults)
    ids = [level.id for level in shape.level]
    with faults.at("unlisted"):
        known(shape.unlisted, ids, "level")
    for category, level in shape.categories.items():
        with faults.at(f"categories.{category}"):
            known(level, ids, "level")
    for alias, level in shape.aliases.items():
        with faults.at(f"aliases.{alias}"):
            if alias in ids:
                raise Wrong("is a level of this profile itself", "remove the alias")
            known(level, ids, "level")
    faults.settle()
    return Profile(
        name=shape.name,
        title=shape.title,
        title_zh=shape.title_zh or shape.title,
        language=shape.language,
        levels=shape.level,
        categories=shape.categories,
        unlisted=shape.unlisted,
        aliases=shape.aliases,
    )


def _check_levels(shape: ProfileFile, faults: Faults) -> None:
    with faults.at("level"):
        if not shape.level:
            raise Wrong("has no levels", "add [[level]] tables, the lowest first")
        distinct([level.id for level in shape.level], "level")
    for number, level in enumerate(shape.level):
        with faults.at(f"level.{number}.id"):
            if not _ID.fullmatch(level.id):
                raise Wrong(f"{level.id!r} is not an id", "use lower-case letters, digits and hyphens, as in top-secret")
