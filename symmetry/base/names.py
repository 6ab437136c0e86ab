"""Names with arguments: a script's words, as they follow ``python``, or those of a function.

The command line calls it before it imports anything heavy.
"""

import os
import re
import shlex
from collections.abc import Sequence

from symmetry.base.errors import SymmetryError

RECORDED = ".safetensors"  # at the end of the name of a recorded run
_MODULE = "-m"
_ARGUMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_WITH_ARGUMENTS = re.compile(r"(\S.*?:\S+)((?: [A-Za-z_]\w*=.*)?)", re.DOTALL)


def words_of(name: str) -> list[str] | None:
    """Return a script's file and arguments, or ``-m``, a module and arguments; None for others.

    A script is a name such as ``train.py``, ``train.py --epochs 1`` or ``-m package.train``.
    """
    if name.endswith(".py") and os.path.isfile(name):  # noqa: PTH113
        return [name]
    try:
        words = shlex.split(name, posix=os.name == "posix")
    except ValueError:  # a quotation mark without another
        return None
    is_module = words[:1] == [_MODULE] and len(words) > 1
    return words if is_module or (words and words[0].endswith((".py", ".ipynb"))) else None


def split_tail(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return a command's own arguments, ``-m MODULE`` in one word, and the script's behind ``--``.

    That word begins with a space, as does one that was quoted: it is no option.
    """
    at = arguments.index("--") if "--" in arguments else len(arguments)
    own, tail = [*arguments[:at]], [*arguments[at + 1 :]]
    while _MODULE in own[:-1]:
        at = own.index(_MODULE)
        own[at : at + 2] = [shlex.join(own[at : at + 2])]
    return [f" {word}" if word.startswith(f"{_MODULE} ") else word for word in own], tail


def split_arguments(name: str) -> tuple[str, list[str]]:
    """Return the name of a function, and the arguments that follow it: ``train.py:f hidden=3``."""
    found = _WITH_ARGUMENTS.fullmatch(name)
    if found is None or words_of(name) is not None:
        return name, []
    try:
        return found[1], shlex.split(found[2])
    except ValueError as error:  # a quotation mark without another
        raise SymmetryError(f"{name!r}: {error}") from None


def with_arguments(name: str, arguments: Sequence[str]) -> str:
    """Return the name of a script, or of a function, with further arguments.

    Raises
    ------
    SymmetryError
        If it is neither, or an argument of a function is not ``NAME=VALUE``.
    """
    words = words_of(name)
    if words is None and arguments:
        if ":" not in name:
            raise SymmetryError(f"{name!r} is no script, so nothing can follow --")
        for word in arguments:
            if not _ARGUMENT.fullmatch(word):
                raise SymmetryError(
                    f"{name!r} is a function: NAME=VALUE can follow --, such as hidden=3, not "
                    f"{word!r}"
                )
        return f"{name} {shlex.join(arguments)}"
    return name if words is None else shlex.join([*words, *arguments])


def typed(name: str) -> tuple[list[str], list[str]]:
    """Return the words that name a target on a command line, and those that follow ``--``."""
    words = words_of(name)
    if words is None:
        name, arguments = split_arguments(name)
        return [name], arguments
    at = 2 if words[0] == _MODULE else 1
    return words[:at], words[at:]
