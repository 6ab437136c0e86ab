"""From a name to a target: a built-in one, one in an importable module, or one in a file."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import reprlib
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from symmetry.base.calls import surroundings
from symmetry.base.errors import SymmetryError
from symmetry.base.names import split_arguments, words_of
from symmetry.law.target import Target
from symmetry.sandbox.mirrored_calls import MirroredCalls
from symmetry.targets.folder import left_out, training_scripts
from symmetry.targets.load import load_file, load_module, nearest, readable
from symmetry.targets.script import script_named
from symmetry.targets.sizes.arguments import Arguments, read
from symmetry.targets.sizes.draws import drawn_function, drawn_script, strategies_of
from symmetry.targets.syntax import defined_in, functions_in, trains_at_import, tree_of
from symmetry.targets.training import TrainingTarget
from symmetry.training import frameworks
from symmetry.training.target import FunctionTraining, Training
from symmetry.units.dtypes import DTYPES

if TYPE_CHECKING:
    from symmetry.steps.target import StepTarget

_STEPS = Path(__file__).parents[1] / "steps" / "builtin"
BUILTIN = tuple(sorted(f.stem.replace("_", "-") for f in _STEPS.glob("*.py") if f.stem[0] != "_"))

_ANYTHING = [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]
_ARGUMENTS = ("x", "y", "w1", "w2", "lr")
_CALL = f"step({', '.join(_ARGUMENTS)})"
_BOTH = (
    f"expected a two-layer step, called as {_CALL}, or a training, a function without parameters "
    "that returns (model, step)"
)


def resolve(
    target: str | Callable[..., Any] | Target,
    draw: Mapping[str, Any] | None = None,
    arguments: Arguments | None = None,
) -> Target:
    """Return the target of that name, or wrap a callable.

    A name is one of ``BUILTIN``; ``package.module:attribute``, looked for in the working directory
    first; ``hf-tiny:gpt2``, or another model type of transformers, made small; or
    ``path/to/file.py:attribute``, which may import what lies beside it. The attribute may
    be dotted. A class is a two-layer step. Another callable is a training if it has no required
    parameters, and a step if it takes five arguments.

    ``draw`` has strategies, or ranges in words, for the names in braces of a script. ``arguments``
    are values of those, or of a function's parameters; they may also follow a function's name, as
    in ``path/to/file.py:attribute hidden=3``.

    Raises SymmetryError if there is no such thing, it cannot be imported, or it is neither; its one
    line says what was tried.
    """
    if isinstance(target, str) and (training := _named(target)) is not None:
        return training
    if isinstance(target, str) and target not in BUILTIN:
        if (words := words_of(target)) is not None:
            return drawn_script(script_named(words), draw or {}, arguments or {})
        target, typed = split_arguments(target)
        arguments = {**read(typed), **(arguments or {})}
        source, attribute, item = _parts(target)
        module = _import(target, source, attribute)
        found = _find(target, module, source, attribute)
        found = _yielded(target, found, item) if item else found
        resolved = as_target(found, target, arguments)
    elif isinstance(target, str):
        from symmetry.steps.target import StepTarget

        resolved = StepTarget(target, _builtin_module(target).step, builtin=True)
    else:
        resolved = as_target(target, arguments=arguments)
    return drawn_script(resolved, draw or {}, {})


def _named(target: str) -> TrainingTarget | None:
    """Return a training whose name begins with a word of a framework; None for another name."""
    for framework in frameworks.registered().values():
        for word, make in framework.named.items():
            if target.startswith(word):
                return TrainingTarget(FunctionTraining(target, make(target.removeprefix(word))))
    return None


def resolve_training(target: str | Callable[..., Any] | Target, why: str) -> TrainingTarget:
    """Return the training of that name, as ``resolve`` does.

    Raises SymmetryError, which says ``why``, if it is a target of another kind.
    """
    resolved = resolve(target)
    if not isinstance(resolved, TrainingTarget):
        raise SymmetryError(f"{resolved.name!r} is a {resolved.noun}: {why}")
    return resolved


def expand(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that a name stands for, and a line for each thing that is left out.

    The attribute may be a pattern as of the shell: ``models.py:train_*`` stands for every step
    and every training of that name which the module itself defines. It may be a generator
    function that yields pairs of a name and a training: ``models.py:trainings`` stands for all of
    them, and ``models.py:trainings:gpt*`` for some. A folder stands for its scripts that train.
    If there is no target, or the module cannot be imported, that is a ``SymmetryError``.
    """
    # False for a line that is longer than any name.
    if os.path.isdir(name):  # noqa: PTH112
        return _scripts_in(name), left_out(Path(name))
    if ":" not in name or words_of(name) is not None or split_arguments(name)[1]:
        return (name,), ()
    source, pattern, item = _parts(name)
    module = _import(name, source, pattern)
    if inspect.isgeneratorfunction(generator := getattr(module, pattern, None)):
        names = [each for each, _ in _pairs(name, generator)]
        found = [f"{source}:{pattern}:{each}" for each in names if fnmatchcase(each, item or "*")]
        if not found:
            raise SymmetryError(f"nothing to check in {name!r}{_close(item, names)}")
        return tuple(found), ()
    if not is_pattern(name):
        return (name,), ()
    found, others = [], []
    for attribute, value in vars(module).items():
        private = attribute[0] == "_" and pattern[0] != "_"
        if private or not fnmatchcase(attribute, pattern) or inspect.ismodule(value):
            continue
        if callable(value) and not _is_own(value, module):
            others.append(f"{source}:{attribute} is imported")
            continue
        try:
            as_target(value, f"{source}:{attribute}")
            found.append(f"{source}:{attribute}")
        except SymmetryError as error:
            others.append(str(error))
    if not found:
        why = "; ".join(others) or f"{source} defines no such name"
        raise SymmetryError(f"nothing to check in {name!r}: {why}")
    return tuple(found), tuple(others)


def _scripts_in(folder: str) -> tuple[str, ...]:
    scripts = training_scripts(Path(folder))
    if not scripts:
        others = "".join(f"; {text}" for text in left_out(Path(folder)))
        empty = " (it has none): name a script, or another folder"
        raise SymmetryError(
            f"nothing to check in {folder!r}: none of its scripts trains{others or empty}"
        )
    return tuple(shlex.quote(str(Path(folder, script))) for script in scripts)


def is_pattern(name: str) -> bool:
    """Return whether a name may stand for several targets."""
    return ":" in name and not set("*?[").isdisjoint(name.rpartition(":")[2])


def _parts(name: str) -> tuple[str, str, str]:
    """Return the file or module of a name, the attribute, and which of what that yields, if any."""
    source, _, attribute = name.rpartition(":")
    head, _, generator = source.rpartition(":")
    if head and generator.isidentifier():
        return head, generator, attribute
    return source, attribute, ""


def _import(name: str, source: str, attribute: str) -> ModuleType:
    """Import the module of a name."""
    if not (source and attribute) or source.endswith((":", ".ipynb")):
        meant = _meant(name)
        raise SymmetryError(
            f"unknown target {name!r}{meant}{' Expected' if meant[-1:] == '?' else ': expected'} "
            "a script such as train.py, "
            f"package.module:attribute, path/to/file.py:attribute, or one of {', '.join(BUILTIN)}"
        )
    is_file = source.endswith(".py")
    if is_file:
        _refuse_scripts(name, source, attribute)
    home = Path(os.path.realpath(source)).parent  # of links in a circle, too
    folders = (home, Path.cwd()) if is_file else (Path.cwd(),)
    surroundings[name] = MirroredCalls(*folders)  # of an import, and of the training's calls
    return (load_file if is_file else load_module)(name, source)


def _refuse_scripts(name: str, source: str, attribute: str) -> None:
    """Refuse what is no function of a file that trains when it is imported."""
    tree = tree_of(Path(source))
    if tree is None:
        return  # the import says what is wrong
    functions = functions_in(tree)
    if functions is None or not trains_at_import(tree):
        return
    if attribute.partition(".")[0] not in functions and not is_pattern(name):
        raise SymmetryError(
            f"{name!r}: {attribute} is no function, and {source} trains when it is imported: "
            f"to check the script, symmetry check {source}"
        )


def _pairs(name: str, generator: Callable[[], Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the names and trainings that a generator function yields."""
    given = generator()
    while True:
        with readable(name, "yielding the next training"):
            try:
                pair = next(given)
            except StopIteration:
                return
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise SymmetryError(f"{name!r} yields {reprlib.repr(pair)}, not (name, training)")
        yield pair


def _yielded(name: str, generator: Any, item: str) -> Any:
    """Return the training that a generator function yields under the name ``item``."""
    if not inspect.isgeneratorfunction(generator):
        raise SymmetryError(f"{name!r}: it is no generator function, so it yields no {item!r}")
    names = []
    for each, training in _pairs(name, generator):
        if each == item:
            return training
        names.append(each)
    raise SymmetryError(f"{name!r}: no training is yielded under this name{_close(item, names)}")


def _close(item: str, names: Sequence[str]) -> str:
    return _did_you_mean(difflib.get_close_matches(item, names, 3))


def _meant(name: str) -> str:
    """Guess what was meant by a name that has no attribute, or cannot have one."""
    name = name.strip(":")
    source, _, attribute = name.partition("::")
    head, _, tail = name.rpartition(".")
    file = Path(name if name.endswith(".py") else f"{name}.py")
    if attribute:
        return _did_you_mean([f"{source}:{attribute}"])
    if source.partition(":")[0].endswith(".ipynb"):
        return ", a notebook: it is checked as a script, without a name behind it"
    if file.is_file():
        if (tree := tree_of(file)) is None:
            return ", a file that is not valid Python"
        names = defined_in(tree)
        script = [str(file)] if name != str(file) else []
        found = _did_you_mean([*script, *(f"{name}:{n}" for n in names[:3])])
        return found or ", a file that defines nothing"
    if name.endswith(".py"):
        return f", a file that is not there{nearest(file)}"
    if name and os.path.isdir(name):  # noqa: PTH112
        scripts = [str(Path(name, script)) for script in training_scripts(Path(name))]
        return f", a folder{_did_you_mean(scripts[:3])}"
    if head and Path(*head.split(".")).with_suffix(".py").is_file():
        return _did_you_mean([f"{head}:{tail}"])
    return _did_you_mean(difflib.get_close_matches(name, BUILTIN, 1))


def _did_you_mean(names: Sequence[str]) -> str:
    return f", did you mean {' or '.join(map(repr, names))}?" if names else ""


def as_target(found: Any, name: str | None = None, arguments: Arguments | None = None) -> Target:
    """Wrap what was found under a name, or a callable: see ``resolve``."""
    if isinstance(found, Training):
        found = TrainingTarget(found)
    if isinstance(found, Target):
        return drawn_script(found, {}, arguments or {})
    name = _name(found) if name is None else name
    if inspect.isgeneratorfunction(found):
        raise SymmetryError(f"{name!r} yields trainings: name one, as '{name}:NAME'")
    if not callable(found):
        raise SymmetryError(f"{name!r} is of type {type(found).__name__}, {_BOTH}")
    step = as_step_target(found, name) if inspect.isclass(found) else None
    signature = _signature(found)
    if not step and (arguments or strategies_of(found)):
        return drawn_function(name, found, arguments or {})
    if signature is None:
        return step or as_step_target(found, name)
    if not step and not any(map(_must_be_given, signature.parameters.values())):
        return TrainingTarget(FunctionTraining(name, found))
    try:
        signature.bind(*_ARGUMENTS)
    except TypeError:
        raise SymmetryError(f"{name!r} takes {signature}, {_BOTH}") from None
    names = tuple(signature.parameters)
    if set(names) == set(_ARGUMENTS) and names != _ARGUMENTS:  # they would change places unnoticed
        raise SymmetryError(f"{name!r} takes {signature}, but is called as {_CALL}")
    return step or as_step_target(found, name)


def _signature(found: Any) -> inspect.Signature | None:
    """Return how a callable, or a class's instance, is called; None if that is unknown.

    The ``__call__`` of a PyTorch module takes anything: what counts is its ``forward``.
    """
    call = found.__call__ if inspect.isclass(found) else found
    for function in (call, getattr(found, "forward", call)):
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            return None
        parameters = list(signature.parameters.values())
        if inspect.isclass(found) and parameters[:1] and parameters[0].kind is not _ANYTHING[0]:
            del parameters[0]  # self
        if [parameter.kind for parameter in parameters] != _ANYTHING:
            break
    return signature.replace(parameters=parameters)


def as_step_target(step: Callable[..., Any], name: str | None = None) -> StepTarget:
    """Wrap a callable, or a class whose instances are callable, as a two-layer step.

    Verdicts call it ``name``; by default ``module:attribute``, where it can be found again.
    """
    name = _name(step) if name is None else name
    if inspect.isclass(step) and not any("__call__" in vars(base) for base in step.__mro__):
        raise SymmetryError(
            f"{name!r} is a class whose instances cannot be called: "
            "give it a method __call__(self, x, y, w1, w2, lr)"
        )
    # Trainings need nothing of the wing of two-layer steps.
    from symmetry.steps.target import StepTarget

    return StepTarget(name, step, _dtypes(name, step))


def _builtin_module(name: str) -> ModuleType:
    module = f"symmetry.steps.builtin.{name.replace('-', '_')}"
    with readable(name, f"importing {module}"):
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            framework = name.partition("-")[0]
            if framework not in frameworks.registered():
                raise
            raise SymmetryError(
                f"{name!r} needs {framework}, which cannot be imported: {error} "
                f"(pip install 'unit-symmetry[{framework}]')"
            ) from error


def _find(target: str, module: ModuleType, source: str, attribute: str) -> Any:
    """Follow a dotted attribute from the module on."""
    found: Any = module
    place = source
    for part in attribute.split("."):
        with readable(target, f"reading {part!r} of {place}"):
            try:
                found = getattr(found, part)
            except AttributeError as error:
                close = difflib.get_close_matches(part, dir(found), 1)
                if not close and found is module:
                    public = {n: value for n, value in vars(module).items() if n[0] != "_"}
                    close = [n for n, value in public.items() if _is_own(value, module)][:3]
                raise SymmetryError(
                    f"{target!r}: {place} has no attribute {part!r}{_did_you_mean(close)}"
                ) from error
        place += f".{part}" if ":" in place else f":{part}"
    return found


def _is_own(value: Any, module: ModuleType) -> bool:
    """Return whether it is a function or class that the module itself defines."""
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _must_be_given(parameter: inspect.Parameter) -> bool:
    """Return whether an argument is required, or there may be any number of them."""
    if parameter.kind is parameter.VAR_KEYWORD:
        return False
    return parameter.default is parameter.empty


def _dtypes(name: str, step: Any) -> tuple[str, ...]:
    """Read the attribute ``dtypes``: names, or NumPy's own scalar types and dtypes."""
    given = getattr(step, "dtypes", DTYPES)
    if isinstance(given, Iterable) and not isinstance(given, str):
        names = {getattr(dtype, "__name__", str(dtype)) for dtype in given}
        if names and names <= set(DTYPES):
            return tuple(dtype for dtype in DTYPES if dtype in names)
    raise SymmetryError(
        f"{name!r}: its attribute dtypes must be a tuple out of 'float32' and 'float64', "
        f"such as ('float32',), but it is {reprlib.repr(given)}"
    )


def _name(step: Any) -> str:
    """Return ``module:attribute`` where the step can be found, or what describes it best."""
    module = getattr(step, "__module__", None) or type(step).__module__
    for attribute, value in vars(sys.modules.get(module, ModuleType(module))).items():
        if value is step:
            return f"{module}:{attribute}"
    return f"{module}:{getattr(step, '__qualname__', type(step).__qualname__)}"
