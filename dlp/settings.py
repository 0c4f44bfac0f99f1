"""Reads a TOML file into a frozen dataclass, or says what is wrong with it: file, key, remedy.

The rooms declare plain frozen dataclasses; pydantic checks them here and nowhere else. An unknown
key, a wrong type and a missing key are errors, all of them reported at once.
"""

import difflib
import os
import tomllib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from dlp.errors import ConfigError, Fault

T = TypeVar("T")


def load(path: Path, shape: type[T]) -> T:
    """The file at `path` as `shape`, relative `Path` values taken from the file's folder. Raises ConfigError."""
    found = check(read(path), shape, where=str(path))
    try:
        return anchored(found, path.resolve().parent)
    except ConfigError as error:  # a table that could not do with the absolute path
        raise ConfigError([replace(fault, where=str(path)) for fault in error.faults]) from None


def read(path: Path) -> dict[str, Any]:
    """The file's TOML 1.0 as a dictionary. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError.single(path, "", "no such file", "name an existing file, or create it") from None
    except OSError as error:
        raise ConfigError.single(path, "", f"cannot be read: {error.strerror}", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise ConfigError.single(path, "", "is not UTF-8", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError.single(path, "", f"is not valid TOML: {error}") from error


def check(document: dict[str, Any], shape: type[T], *, where: str) -> T:
    """`document` as `shape` under strict types. Raises ConfigError with every fault in it."""
    holder = pydantic.create_model("Document", __config__=pydantic.ConfigDict(extra="forbid", strict=True), value=(shape, ...))
    try:
        encoded = pydantic.TypeAdapter(dict[str, Any]).dump_json({"value": document})
        value: T = holder.model_validate_json(encoded).value  # type: ignore[attr-defined]
    except pydantic.ValidationError as error:
        raise ConfigError([_fault(where, shape, problem) for problem in error.errors()]) from None
    except ConfigError as error:
        # A room found fault with its own table, and cannot know which file it stands in.
        raise ConfigError([replace(fault, where=where) for fault in error.faults]) from None
    return value


def _fault(where: str, shape: type, problem: Any) -> Fault:
    location: tuple[str | int, ...] = problem["loc"][1:]
    key = ".".join(str(step) for step in location)
    match problem["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden" | "unexpected_keyword":
            known = _keys(shape, location[:-1])
            close = difflib.get_close_matches(str(location[-1]), known, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"
            return Fault(where, key, "unknown key", remedy)
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return Fault(where, key, "is missing", "add it")
        case _:
            said = problem["msg"].removeprefix("Value error, ")
            return Fault(where, key, said[0].lower() + said[1:])


def _keys(shape: Any, location: Sequence[str | int]) -> list[str]:
    """The keys known at `location`, walking dataclasses through unions, tuples and mappings."""
    candidates = [shape]
    for step in location:
        candidates = [inner for one in candidates for inner in _inside(one, step)]
    return [f.name for one in candidates for dc in _dataclasses(one) for f in fields(dc)]


def _inside(shape: Any, step: str | int) -> list[Any]:
    found = [f.type for dc in _dataclasses(shape) for f in fields(dc) if f.name == step]
    return found or list(getattr(shape, "__args__", ()))


def _dataclasses(shape: Any) -> list[Any]:
    if isinstance(shape, type) and is_dataclass(shape):
        return [shape]
    return [dc for inner in getattr(shape, "__args__", ()) for dc in _dataclasses(inner)]


def anchored(value: T, base: Path) -> T:
    """`value` with every relative Path in it, however deep in dataclasses and tuples, made absolute under `base`."""
    if isinstance(value, Path):
        return Path(os.path.normpath(base / value))  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(anchored(one, base) for one in value)  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: anchored(getattr(value, f.name), base) for f in fields(value) if f.init})
    return value
