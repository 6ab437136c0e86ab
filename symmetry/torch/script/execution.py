"""One run of a script from its start, suspended between its training steps."""

from __future__ import annotations

import builtins
import gc
import importlib.util
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from torch import nn
from torch.optim.swa_utils import AveragedModel

from symmetry.base.calls import calling, running
from symmetry.base.errors import TrainingError
from symmetry.base.raised import in_one_line, place_of
from symmetry.torch.objects import gpu_hint
from symmetry.torch.script.coroutine import Coroutine, modes
from symmetry.torch.script.folder_mirror import code_of
from symmetry.torch.script.mirror_pool import MirrorPool
from symmetry.torch.script.process_state import ProcessState
from symmetry.torch.script.samples import Samples
from symmetry.torch.script.source import Source
from symmetry.torch.script.step_boundary import NoOptimizer, StepBoundary
from symmetry.units.units import Order

_NO_NAMES = {"self", "module", *dir(nn.ModuleDict)}
_THROWS = 3  # until a script that catches everything is left alone
_left: list[Coroutine] = []  # those, as long as this process


class Closed(BaseException):
    """Ends a script where it is suspended: ``except Exception`` does not catch it."""


class Execution:
    """A script that runs until its first training forward, and then step by step.

    Parameters
    ----------
    source
        The script.
    by_hand
        Whether it updates without an optimiser.
    mirrors
        Where it takes a mirror of its folders from, and gives it back to.
    order
        Of the samples in each batch; None leaves them as they are.

    Attributes
    ----------
    model
        What it trains.
    samples
        Those of its batches.

    Raises
    ------
    TrainingError
        If it ends before it trains.
    NoOptimizer
        If it has to be begun again ``by_hand``.
    """

    def __init__(
        self, source: Source, *, by_hand: bool, mirrors: MirrorPool, order: Order | None = None
    ) -> None:
        self._source, self._main = source, ModuleType("__main__")
        self._mirrors, self._mirror = mirrors, mirrors.take()
        self._file = source.script
        if isinstance(source.script, Path):
            self._file = self._main.__file__ = self._mirror.of(source.script)
        homes = [str(home) for home in source.homes]
        self._process_state = ProcessState(
            [str(self._file), *source.arguments],
            [self._mirror.of(homes[0]), *(p for p in sys.path if p not in ("", *homes))],
            folder=self._mirror.of(source.folder),
            temporary=self._mirror.temporary,
            main=self._main,
            mirror=self._mirror.top,
            homes=homes,
        )
        self._coroutine, self._closed = Coroutine(self._run), False
        self.samples = Samples(order, self._coroutine, self._main)
        self._boundary = StepBoundary(self._coroutine.suspend, self.samples, by_hand=by_hand)
        began = time.perf_counter()
        try:
            with calling("script", running.run):  # each begins anew, and may take as long
                self._resume()
            self.samples.look(torch_too=True)
            if self._coroutine.ended:
                raise TrainingError(f"{source.name}: {self._why_no_training()}")
            self.model = self._model()
            if running.run > 1:  # the first imports libraries
                running.setup = time.perf_counter() - began
                running.spent += running.setup
        except BaseException:
            self.close()
            raise

    @property
    def inside(self) -> list[Any]:
        """The optimisers in whose update it is suspended, as those that call a closure."""
        return self._boundary.inside

    @property
    def by_hand(self) -> bool:
        """Whether it has ended, has called backward, and no optimiser has stepped."""
        boundary = self._boundary
        return self._coroutine.ended and boundary.backwards > 0 and not boundary.updates

    def step(self) -> None:
        """Go on to the first training forward behind the next update, or to the end."""
        updates = self._boundary.updates
        if not self._coroutine.ended:
            self._resume()
        self.samples.look()
        if self._boundary.updates == updates:
            done = f"it ends after {self._boundary.updates} updates"
            raise TrainingError(
                f"{self._source.name}: {done}: a check takes more, give it more to do"
            )

    def close(self) -> None:
        """End it where it is, and remove what it has written."""
        if self._closed:
            return
        self._closed = True
        with calling("closing", self._source.name, counts=False):
            for _ in range(_THROWS):
                if not self._coroutine.ended:
                    # A script that goes on may never update again: promoted parameters, say, fit
                    # no data where nothing promotes these.
                    self._boundary.arm()
                    with suppress(BaseException):
                        self._resume(Closed)
        self._process_state.close_logs()
        self._mirror.forget_imports()
        if self._coroutine.ended:
            self._mirrors.give(self._mirror)
        else:
            self._empty()
            self._mirror.remove()

    def _empty(self) -> None:
        """Free what is large of a script that cannot be ended."""
        _left.append(self._coroutine)  # freeing it would throw into it once more
        vars(self._main).clear()
        modules = filter(None, (ref() for ref in self._boundary.modules))
        for tensor in (t for m in modules for t in (*m.parameters(False), *m.buffers(False))):
            tensor.grad, tensor.data = None, tensor.new_empty(0)
        for optimizer in self._boundary.optimizers:
            optimizer.state.clear()

    def _run(self) -> None:
        """Execute the script, on its own stack."""
        if isinstance(self._source.script, Path):
            code = code_of(self._mirror.original(str(self._file)))
        else:
            code = _found(self._source.script, self._main)
        self._main.__builtins__ = builtins  # type: ignore[attr-defined]
        exec(code, vars(self._main))

    def _resume(self, error: type[BaseException] | None = None) -> None:
        """Let it run until it suspends itself or ends."""
        try:
            with self._in_place():
                self._coroutine.resume(error)
        except (TrainingError, NoOptimizer, Closed):
            raise
        except SystemExit as end:
            if end.code not in (None, 0):
                last = "".join(f": {line}" for line in self._process_state.printed[-1:])
                raise TrainingError(
                    f"{self._source.name}: it exits with {end.code!r}{last}"
                ) from None
        except Exception as raised:
            if error is None and not modes():  # as it is written
                for line in self._process_state.printed:
                    print(line, file=sys.__stderr__)
            text = f"{in_one_line(raised)}{place_of(raised)}"
            raise TrainingError(f"{self._source.name} raised {text}{_hint(text)}") from raised

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Let the script find what is its own, and see what it does."""
        self._process_state.exchange()
        try:
            with ExitStack() as stack:
                for owner, attribute, value in self._mirror.patches():
                    stack.enter_context(patch.object(owner, attribute, value))
                stack.enter_context(self._boundary.watching())
                yield
        finally:
            self._process_state.exchange()

    def _why_no_training(self) -> str:
        boundary = self._boundary
        if not (boundary.modules or boundary.backwards):
            meant = " or ".join(map(repr, self._source.functions[:3]))
            meant = f"; did you mean {meant}?" if meant else ""
            return f"it ends, and makes no PyTorch module and calls no backward{meant}"
        if boundary.transformed:
            return "it calls what it trains inside of torch.func alone, where it cannot be stopped"
        if boundary.updates:
            return (
                "no module that it calls holds what its optimisers train: was a model replaced "
                "after its optimiser was made?"
            )
        return "it ends without a training forward: no module with a trained parameter is called"

    def _model(self) -> nn.Module:
        """Return what it trains: the largest modules with trained parameters, then frozen ones."""
        roots = self._roots()
        if any(not self._boundary.trains(root) for root in roots):
            gc.collect()  # what it does not use any more may still be there
            roots = self._roots()
        trained = [root for root in roots if self._boundary.trains(root)]
        if not trained:
            raise TrainingError(f"{self._source.name}: no module holds what its optimisers train")
        if len(roots) == 1:
            return trained[0]
        named: dict[str, nn.Module] = {}
        for root in sorted(roots, key=lambda root: root not in trained):
            name = self._variable(root)
            free = (f"{name}{n}" if n > 1 else name for n in range(1, len(named) + 2))
            named[next(each for each in free if each not in named)] = root
        return nn.ModuleDict(named)

    def _roots(self) -> list[nn.Module]:
        """Return the modules with parameters that are in no other, in the order they were made."""
        made = {id(m): m for ref in self._boundary.modules if (m := ref()) is not None}
        inner = {id(c) for module in made.values() for c in module.modules() if c is not module}
        return [
            module
            for number, module in made.items()
            if number not in inner and not isinstance(module, AveragedModel)
            if next(module.parameters(), None) is not None
        ]

    def _variable(self, module: nn.Module) -> str:
        """Return the name that the script has for a module: of a variable, or of an attribute."""
        scopes = [*(frame.f_locals for frame in self._coroutine.frames), vars(self._main)]
        objects = [value for scope in scopes for value in scope.values() if _is_object(value)]
        names = (
            name
            for scope in (*scopes, *map(vars, objects))
            for name, value in scope.items()
            if value is module and name not in _NO_NAMES
        )
        return next(names, type(module).__name__.lower())


def _is_object(value: Any) -> bool:
    """Return whether a value is an object with attributes, and no module of either kind."""
    return hasattr(value, "__dict__") and not isinstance(value, ModuleType | type | nn.Module)


def _hint(text: str) -> str:
    if text.startswith("EOFError"):
        return "; it finds nothing in standard input: give it what it asks for by its arguments"
    return gpu_hint(text)


def _found(module: str, main: ModuleType) -> Any:
    """Make a module ``__main__``, as ``python -m`` does, and return its code."""
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{module}.__main__")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {module}")
    main.__spec__, main.__package__, main.__file__ = spec, spec.parent, spec.origin
    sys.argv[0] = spec.origin or module
    return spec.loader.get_code(spec.name)  # type: ignore[attr-defined]
