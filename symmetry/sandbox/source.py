"""A script as it is named: a file, a module or a function, its arguments, and where it runs."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from symmetry.base.devices import DEVICE, RANKS, RESUMING
from symmetry.base.notebooks import code_in

# Options by which scripts are resumed, the surest first. ``--checkpoint`` may be a folder to write.
_RESUMING = ("resum", "continue", "restor", r"(?<![a-z])(?:re)?load(?!er)")
_OPTION = re.compile(r"--[A-Za-z][\w-]*")


@dataclass(frozen=True)
class Source:
    """A script as a command line names it."""

    name: str  # the name of the training, for messages
    # The file; or the name of a module, which is run as ``python -m`` does; or a function without
    # parameters that trains, with the modules that are imported by now.
    script: Path | str | Callable[[], Any]
    arguments: tuple[str, ...] = ()  # the words that follow it on the command line
    # Which of its functions may be meant, if it does not train: the end of an error.
    meant: str = ""
    folder: Path = field(default_factory=Path.cwd)  # the working directory
    # Whether it runs on the CPU in place of a GPU that it needs: one of ``choices.DEVICES``.
    device: str = field(default_factory=DEVICE.get)
    # How many ranks it runs on, to be checked for what differs between them.
    ranks: int = field(default_factory=RANKS.get)
    # The arguments with which it is resumed from its own files; None if that is not checked.
    resume_with: tuple[str, ...] | None = field(default_factory=RESUMING.get)
    # Variables of its environment, beside those of this process.
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def resume_option(self) -> str:
        """The option by which it may be resumed, read off its text; empty if it has no such."""
        if not isinstance(self.script, Path):
            return ""
        nodes = ast.walk(ast.parse(code_in(self.script)))
        texts = (n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))
        found = [text for text in texts if _OPTION.fullmatch(text)]
        fitting = (text for word in _RESUMING for text in found if re.search(word, text))
        return next(fitting, "")

    @property
    def sets_at(self) -> int:
        """The first line whose result may depend on the hashes of texts; 0 without one.

        It calls ``hash``, or makes a set that is not just sorted, counted or compared.
        """
        if not isinstance(self.script, Path):
            return 0
        nodes = [*ast.walk(ast.parse(code_in(self.script)))]
        in_any_order = {id(each) for node in nodes for each in _taken_in_any_order(node)}
        sets = (n.lineno for n in nodes if _makes_set(n) and id(n) not in in_any_order)
        return min((*sets, *(n.lineno for n in nodes if _is_call(n, "hash"))), default=0)

    @property
    def homes(self) -> tuple[Path, ...]:
        """The folders that it works in: the script's comes first on the import path."""
        if isinstance(self.script, Path) and self.script.parent != self.folder:
            return self.script.parent, self.folder
        return (self.folder,)


def _is_call(node: ast.AST, *names: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _makes_set(node: ast.AST) -> TypeGuard[ast.expr]:
    return isinstance(node, ast.Set | ast.SetComp) or _is_call(node, "set", "frozenset")


def _taken_in_any_order(node: ast.AST) -> Sequence[ast.expr]:
    """Return the operands of code that is the same for a set in another order."""
    if isinstance(node, ast.Compare):  # ``word in {"a", "b"}``
        return [node.left, *node.comparators]
    if _is_call(node, "sorted", "len", "set", "frozenset") and not node.keywords:
        return node.args
    return ()
