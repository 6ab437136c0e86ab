"""The table ``[tool.symmetry]`` of pyproject.toml: options of ``symmetry check``, and its targets.

    [tool.symmetry]
    targets = ["train.py --epochs 1", "-m package.train"]
    skip = ["training/padding"]
    gate = ["loss/*"]
    expect-units = {fc1 = 33}

The keys are the names of options without their dashes. Options that are typed replace those of the
table; targets that are typed replace its targets.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from symmetry.base.errors import SymmetryError
from symmetry.cli.gone import instead

FILE = "pyproject.toml"
TARGETS = "targets"
TABLE = "symmetry.configuration"  # its key in the context of a command
# Options of a check of several targets, which the checks of each do not have.
OF_SEVERAL = ("jobs", "results", "scheduler", "json", "output")
# Options that belong to one command line only.
_TYPED_ONLY = {"list", "about", "help", "line", "update-baseline", "in-process", "results"}


def configuration(command: click.Command) -> dict[str, Any]:
    """Return the table in the working directory, as click takes defaults; empty without one.

    Raises
    ------
    SymmetryError
        If the file is no TOML, or the command has no such key or value.
    """
    table = _table(Path(FILE))
    options = {
        name.removeprefix("--"): option
        for option in command.params
        if isinstance(option, click.Option)
        for name in (option.opts[0], *option.secondary_opts)
    }
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name == TARGETS:
            found[TARGETS] = _texts(key, value)
        elif name in options and name not in _TYPED_ONLY:
            value = _value(key, options[name], value)
            if pair := options[name].secondary_opts:  # --quiet/--verbose: false is neither
                value = f"--{name}" not in pair if value else None
            found[options[name].name or name] = value
        elif hint := instead(name):
            raise _error(key, hint)
        else:
            known = sorted({TARGETS, *options} - _TYPED_ONLY)
            close = get_close_matches(name, known, 1)
            hint = f", did you mean {close[0]}?" if close else f": there are {', '.join(known)}"
            raise _error(key, f"there is no such option{hint}")
    return found


def described(found: Mapping[str, Any]) -> str:
    """Return the values of a table in one line."""
    return f"{FILE}: " + ", ".join(f"{name.strip('_')} = {v!r}" for name, v in found.items())


def _table(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SymmetryError(f"{FILE} cannot be read: {why}") from None
    try:
        table = tomllib.loads(text).get("tool", {}).get("symmetry", {})
    except tomllib.TOMLDecodeError as error:
        if "tool.symmetry" not in text:  # other tools say so
            return {}
        raise SymmetryError(f"{FILE} is not valid TOML: {error}") from None
    if not isinstance(table, dict):
        raise SymmetryError(f"{FILE}: tool.symmetry is no table: write [tool.symmetry]")
    return table


def _value(key: str, option: click.Option, value: Any) -> Any:
    """Return a value as the option takes it from a command line."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise _error(key, f"it is true or false, not {value!r}")
        return value
    if option.callback is not None:  # NAME=VALUE, several times
        if not isinstance(value, dict):
            raise _error(key, f"it is a table, such as {{name = value}}, not {value!r}")
        return [f"{name}={each}" for name, each in value.items()]
    if option.multiple:
        return _texts(key, value)
    if isinstance(value, bool | list | dict) or isinstance(value, str) == _is_number(option):
        expected = "a number" if _is_number(option) else "a text"
        raise _error(key, f"it is {expected}, not {value!r}")
    return str(value)


def _is_number(option: click.Option) -> bool:
    return isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)


def _texts(key: str, value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(each, str | int) for each in texts):
        raise _error(key, f"it is a list of texts, not {value!r}")
    return [*map(str, texts)]


def _error(key: str, why: str) -> SymmetryError:
    return SymmetryError(f"{FILE}, [tool.symmetry] {key}: {why}")
