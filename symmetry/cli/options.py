"""Options that several commands share. Nothing heavy is imported before a command does its work."""

from __future__ import annotations

import functools
import math
import shlex
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symmetry.base.errors import SymmetryError
from symmetry.base.names import split_tail
from symmetry.checker.declaration import LARGEST_SEED, About, declared, is_number
from symmetry.cli.screen import say
from symmetry.units.dtypes import DTYPES

if TYPE_CHECKING:
    from dataclasses import Field

    from symmetry.experiment.data.dataset import Dataset
    from symmetry.experiment.settings import Settings
    from symmetry.law.case import Case

Decorator = Callable[[Any], Any]


def learning_rate(text: Any) -> float:
    """Return a finite, positive number."""
    number = float(click.FLOAT.convert(text, None, None))
    if not 0 < number < math.inf:
        raise click.BadParameter(f"{text} is not finite and positive.")
    return number


def given_path(text: str) -> Path:
    """Return a path, unless it is empty: ``--output "$UNSET"`` is not the working directory."""
    if not text:
        raise click.BadParameter("it is empty.")
    return Path(text)


class WholeNumber(click.types.IntParamType):
    """A whole number from a smallest one on; the help does not show the limits."""

    name = "whole number"  # errors call it so

    def __init__(self, least: int, most: float | None = None) -> None:
        self._least, self._most = least, math.inf if most is None else most

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        number = int(super().convert(value, param, ctx))
        if not self._least <= number <= self._most:
            end = f"at least {self._least}" if number < self._least else f"at most {self._most}"
            self.fail(f"{value} must be {end}.", param, ctx)
        return number


class Positive(click.types.FloatParamType):
    """A positive number."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number = float(super().convert(value, param, ctx))
        if not number > 0:
            self.fail(f"{value} must be above 0.", param, ctx)
        return number


REPORTS = Path("reports")  # the directory of the reports that are written without any option
_CLASSES = 10  # of the digits

WHOLE, SEED = WholeNumber(1), WholeNumber(0, LARGEST_SEED)
STANDARD = Path("-")  # standard output, where a file is expected
PATH, RATE, DTYPE = given_path, learning_rate, click.Choice(DTYPES)
POSITIVE = Positive()


def option(
    name: str, metavar: str | None, text: str, default: Any = None, kind: Any = None, **more: Any
) -> Decorator:
    """Return an option with a value, whose help names its default if it has one."""
    if default is not None:
        more |= {"default": default, "show_default": True}
    return click.option(name, type=kind, metavar=metavar, help=text, **more)


def flag(name: str, text: str, *names: str) -> Decorator:
    """Return an option without a value."""
    return click.option(name, *names, is_flag=True, help=text)


def _together(*options: Decorator) -> Decorator:
    """Return what adds several options to a command."""
    return lambda command: functools.reduce(lambda made, add: add(made), reversed(options), command)


def declared_options(options: type, keywords: type) -> Decorator:
    """Return the options of a command for keywords of Python, from where these are declared."""
    return _together(
        *(
            _declared(field, about)
            for field, about in declared(options, keywords)
            if about.flag is not None
        )
    )


def _declared(field: Field[Any], about: About) -> Decorator:
    """Return the option for a field."""
    name = about.flag or f"--{field.name.replace('_', '-')}"
    if field.default is False:
        return flag(name, about.text, field.name)
    more: dict[str, Any] = {"multiple": field.default == () or field.default_factory is dict}
    if field.default_factory is dict:
        more["callback"] = lambda _, __, values: dict(_pair(name, about, v) for v in values)
    return click.option(
        name,
        field.name,
        metavar=about.metavar and about.metavar + "..." * more["multiple"],
        type=WholeNumber(about.least or 0, about.most) if is_number(field) else _kind(about),
        default=field.default if is_number(field) else None,
        show_default=is_number(field) and field.default is not None,
        help=f"{about.text}{about.typed}",
        **more,
    )


def _kind(about: About) -> Any:
    """Return the type of an option that is not a number; None for a text."""
    if about.choices:
        return click.Choice(about.choices)
    if about.positive:
        return POSITIVE
    return PATH if about.metavar == "FILE" else None


def _pair(name: str, about: About, text: str) -> tuple[str, str | int]:
    """Parse NAME=REASON, or NAME=N if the values of the option are numbers."""
    key, _, value = text.rpartition("=") if about.least is not None else text.partition("=")
    value = value.strip()
    if not (key and value and (about.least is None or value.isdecimal())):
        raise click.UsageError(f"{name} takes {about.metavar}, not {text!r}.")
    return key, value if about.least is None else int(value)


def words_to_resume(arguments: str | None) -> tuple[str, ...] | None:
    """Return the words of the arguments with which a script is resumed."""
    try:
        return None if arguments is None else tuple(shlex.split(arguments))
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--resume-with") from error


# The network, its data, and how long it is trained.
experiment_options = _together(
    option(
        "--data",
        "DIR",
        "Directory of four IDX files, each plain or .gz.  [default: the embedded MNIST]",
        kind=PATH,
    ),
    option(
        "--classes", "N", "Number of classes; a label of N or more is an error.", _CLASSES, WHOLE
    ),
    option("--hidden", "H", "Number of hidden units.", 200, WHOLE),
    option("--iterations", "T", "Number of full-batch steps.", 100, WHOLE),
    option("--lr", "X", "Learning rate.", 0.01, RATE),
    option("--dtype", None, "Compute in this dtype.", "float32", DTYPE),
)

# Where the report goes, and whether anything else is shown.
report_options = _together(
    option(
        "--output",
        "DIR",
        "Write the report into DIR; needed if any setting is not the default.  [default: reports]",
        kind=PATH,
    ),
    flag("--quiet", "Print nothing but errors."),
)


def load_data(directory: Path | None, classes: int) -> Dataset:
    """Load the data set that ``--data`` and ``--classes`` name, unless it is damaged."""
    from symmetry.experiment.data.dataset import load_dataset, load_mnist

    return load_mnist(classes) if directory is None else load_dataset(directory, classes)


def is_usual(settings: Settings, data: Path | None, classes: int) -> bool:
    """Return whether this is the experiment's own: its settings, on its data."""
    return settings == type(settings)() and data is None and classes == _CLASSES


def output_directory(output: Path | None, *, usual: bool, what: str) -> Path:
    """Return the folder of the report; a command with unusual options has to name it."""
    if output is None and not usual:
        raise click.UsageError(
            f"{REPORTS} keeps the report of the default {what}, and this is another one: say with "
            "--output DIR where its report is."
        )
    return output or REPORTS


def json_file(file: Path | None, text: Callable[[], str]) -> dict[Path, str | bytes]:
    """Return the file of a result, to be written; print the result if that is standard output."""
    if file == STANDARD:
        say(text().rstrip())
        return {}
    return {} if file is None else {file: text()}


def as_typed() -> str:
    """Return the command line that is being obeyed, quoted for a shell."""
    root = click.get_current_context().find_root()
    return " ".join([str(root.info_name), *map(shlex.quote, root.obj)])


def typed_options(without: Collection[str]) -> tuple[str, ...]:
    """Return the options of the command line that is being obeyed, but for some, by their names."""
    context = click.get_current_context()
    own, _ = split_tail(context.find_root().obj[1:])
    values, _, _ = context.command.make_parser(context).parse_args(own)
    words: list[str] = []
    for parameter in context.command.params:
        if not isinstance(parameter, click.Option) or parameter.name in without:
            continue
        if parameter.name in values:
            value = values[parameter.name]
            for each in value if isinstance(value, list | tuple) else (value,):
                name = parameter.opts[0] if each is not False else parameter.secondary_opts[0]
                words += [name, *([] if parameter.is_flag else [each])]
    return tuple(words)


def read_cases(text: str) -> tuple[Case, ...]:
    """Parse the cases in an argument ``--case``, or in the file it names."""
    from symmetry.law.case import CaseError, parse_cases

    where = "--case"
    if not text.lstrip().startswith(("{", "[")):
        try:
            where, text = text, Path(text).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SymmetryError(
                "--case takes a case in JSON or a file of cases, and "
                f"{text!r} cannot be read: {reason}"
            ) from None
    try:
        return parse_cases(text)
    except CaseError as error:
        raise SymmetryError(f"{where}: {error}") from None


def read_case(text: str, doing: str) -> Case:
    """Parse the only case in an argument ``--case``, or in the file it names."""
    case, *others = read_cases(text)
    if others:
        raise SymmetryError(f"--case: one case is {doing} at a time, not {1 + len(others)}")
    return case
