"""One run of a script from its start, suspended between its training steps.

Example: which lines of a script run when. The script has a stack of its own; it is suspended inside
the first call of a trained module behind each update, before that module does anything.

    net = nn.Linear(2, 1)              Execution(...)  runs down to the first call of net below,
    sgd = SGD(net.parameters(), 0.1)                   in which the script is suspended.
    for x, y in loader:                                model is net: what sgd holds lies in it.
        loss = mse(net(x), y)          step()          runs from this call on: forward, backward,
        loss.backward()                                update, zero_grad, the next batch, and down
        sgd.step()                                     to the next call of net: one update.
        sgd.zero_grad()                step()          the second batch: forward, backward, update.
    torch.save(net, "net.pt")                          The loader has two batches, so the script
                                                       goes on to its end, and writes into its
                                                       mirror instead of the folder.
                                       step()          no update has come: TrainingError.
                                       close()         its files are removed; a script that is still
                                                       suspended is ended first, by an exception.

While it runs, the script has its own process state: arguments, folder, modules, streams. While it
is suspended everything is as before, so several executions take turns. Changes of its parameters
between two steps, as by ``Run.load``, act on its next forward.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any
from weakref import proxy

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from symmetry.base.calls import calling, running
from symmetry.base.errors import NotCheckable, TrainingError
from symmetry.base.updates import UpdateLog
from symmetry.base.user_code import is_user_code
from symmetry.sandbox.folder_mirror import FolderMirror
from symmetry.torch.script.contained import contained
from symmetry.torch.script.epochs.log import digest_of, tensors_of
from symmetry.torch.script.evaluations import Evaluations
from symmetry.torch.script.host import Host
from symmetry.torch.script.row_reads import RowReads
from symmetry.torch.script.rows import SampleRows
from symmetry.torch.script.samples import Samples
from symmetry.torch.script.step_boundary import NoCall, StepBoundary
from symmetry.torch.script.tensors import Path, holder, names_of
from symmetry.training.capabilities.batching import Arrangement

_NO_NAMES = {"self", "module", *dir(nn.ModuleDict)}


class Execution:
    """A script that runs until its first training forward, and then step by step.

    Parameters
    ----------
    host
        The script, and where it runs.
    by_hand
        Whether it updates without an optimiser.
    names
        None if it calls modules that hold what it trains. Else steps begin where a function is
        given what it trains, and these are the names of the tensors that it trains by hand.
    order
        The order of the samples in each batch, or other samples for micro-batches; None leaves them
        as they are.
    rows
        The rows that it reads for a batch, if they are known.
    reads
        What finds these rows.
    cut
        Whether evaluations are cut short.
    log
        Where its first updates are added, to be compared with those of a plain run.

    Attributes
    ----------
    model
        The model that it trains.
    samples
        The samples of its batches.
    evaluations
        Its calls of models without gradients.

    Raises
    ------
    TrainingError
        If it ends before it trains.
    NoOptimizer, NoCall
        If it has to be begun again ``by_hand``, or with ``names``.
    """

    def __init__(
        self,
        host: Host,
        *,
        by_hand: bool,
        names: Sequence[Path] | None = None,
        order: Arrangement | None = None,
        rows: SampleRows | None = None,
        reads: RowReads | None = None,
        cut: bool = False,
        log: UpdateLog | None = None,
    ) -> None:
        self._source, self._reads = host.source, reads
        self._sandbox = contained(host, self._watching, log)
        coroutine = self._sandbox.stack
        coroutine.rearranged = order is not None
        self.samples = Samples(order, coroutine, self._sandbox.main, rows)
        self.evaluations = Evaluations(cut=cut)
        mine = proxy(self)  # in no circle, so that it is freed as soon as it is not used
        self._boundary = StepBoundary(
            *(coroutine.suspend, self.samples, self.evaluations, lambda: mine._scopes()),
            by_hand=by_hand,
            names=names,
            looks=reads is not None,
        )
        began = time.perf_counter()
        try:
            with calling("script", running.run):  # each begins anew, and may take as long
                self._sandbox.resume()
            self.samples.look(torch_too=True)
            if self._sandbox.stack.ended:
                raise self._no_training()
            self.model = self._model()
            if running.run > 1:  # the first imports libraries
                running.setup = time.perf_counter() - began
                running.spent += running.setup
        except BaseException:
            self.close()
            raise

    @property
    def mirror(self) -> FolderMirror:
        """The mirror that it writes into."""
        return self._sandbox.mirror

    @property
    def inside(self) -> list[Any]:
        """The optimisers in whose update it is suspended, as those that call a closure."""
        return self._boundary.inside

    @property
    def arguments(self) -> Any:
        """The arguments of the call in which it is suspended."""
        return self._boundary.arguments

    @property
    def evaluated(self) -> list[float]:
        """The sums of what models have computed without gradients since its last update."""
        return self._boundary.evaluated

    @property
    def digests(self) -> list[str]:
        """Digests of its modules, and of the state of its optimisers."""
        roots, optimizers = self._boundary.modules.roots(), self._boundary.optimizers
        tensors = [t for root in roots for t in (*root.parameters(), *root.buffers())]
        states = [state for optimizer in optimizers for state in optimizer.state.values()]
        return [digest_of([t.detach()]) for t in (*tensors, *tensors_of(states))]

    @property
    def by_hand(self) -> bool:
        """Whether it has ended, has called backward, and no optimiser has stepped."""
        boundary = self._boundary
        return self._sandbox.stack.ended and boundary.backwards > 0 and not boundary.updates

    @property
    def rows(self) -> SampleRows | None:
        """The rows that it has read for a batch, if these are followed, and no loader makes any."""
        if self._reads is None or self.samples.has_loader:
            return None
        return self._reads.found([*self._boundary.modules])

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """See everything that the script does meanwhile."""
        reads = nullcontext() if self._reads is None else self._reads.watching()
        boundary = self._boundary
        with boundary.watching(), reads, self.samples.rearranged(), boundary.seeing_uses():
            yield

    def step(self) -> None:
        """Go on to the first training forward behind the next update, or to the end."""
        updates = self._boundary.updates
        if not self._sandbox.stack.ended:
            self._sandbox.resume()
        self.samples.look()
        if not updates:
            self.samples.micro_batches.update(self._boundary.lines)
        if self._boundary.replaced:
            raise NotCheckable(
                f"{self._source.name}: its update by hand makes new tensors: a script can be "
                "checked if it changes those that it has, as by parameter.data -= rate * gradient"
            )
        if self._boundary.updates == updates:
            done = f"it ends after {self._boundary.updates} updates"
            raise NotCheckable(
                f"{self._source.name}: {done}: a check takes more, give it more to do"
            )

    def close(self) -> None:
        """End it where it is, and remove what it has written."""
        # A script that goes on may never update again: promoted parameters, say, fit no data where
        # nothing promotes these.
        self._sandbox.close(throwing=self._boundary.arm, free=self._empty)

    def _empty(self) -> None:
        """Free what is large of a script that cannot be ended."""
        for tensor in (
            t for m in self._boundary.modules for t in (*m.parameters(False), *m.buffers(False))
        ):
            tensor.grad, tensor.data = None, tensor.new_empty(0)
        for optimizer in self._boundary.optimizers:
            optimizer.state.clear()

    def _no_training(self) -> TrainingError | NoCall:
        """Return the error of a script that has ended and never trained a module."""
        boundary, name = self._boundary, self._source.name
        if boundary.elsewhere and not boundary.updates:
            return NotCheckable(
                f"{name}: it trains nothing that a check can stop, but {boundary.elsewhere}: call "
                "what trains in the script itself"
            )
        if not (boundary.modules or boundary.backwards):
            return NotCheckable(
                f"{name}: it ends, and makes no PyTorch module and calls no backward"
                f"{self._source.meant or '; name the script that trains'}"
            )
        if boundary.transformed:
            return NotCheckable(
                f"{name}: the model is only called inside torch.func, where a check cannot stop it"
            )
        if boundary.updates and boundary.calls_nothing:
            return NoCall()
        if boundary.updates:
            return TrainingError(
                f"{name}: no module that it calls holds what its optimisers train: was a model "
                "replaced after its optimiser was made?"
            )
        return NotCheckable(
            f"{name}: it ends without a training forward: no module with a trained parameter is "
            f"called{self._source.meant}"
        )

    def _model(self) -> nn.Module:
        """Return what it trains: the largest modules with trained parameters, then frozen ones."""
        roots = self._roots()
        if any(not self._boundary.trains(root) for root in roots):
            gc.collect()  # what it does not use any more may still be there
            roots = self._roots()
        if self._boundary.names is not None and (tensors := self._tensors()):
            roots.append(holder(tensors))
        trained = [root for root in roots if self._boundary.trains(root)]
        if not trained and not self._boundary.holds_parameters:
            raise NotCheckable(
                f"{self._source.name}: it trains tensors in place of the parameters of the module "
                "that it calls: a script can be checked if an nn.Module holds its parameters"
            )
        if not trained:
            raise TrainingError(
                f"{self._source.name}: no module holds what its optimisers train: was a model "
                "replaced after its optimiser was made?"
            )
        if len(roots) == 1:
            return trained[0]
        named: dict[str, nn.Module] = {}
        for root in sorted(roots, key=lambda root: root not in trained):
            name = self._variable(root)
            free = (f"{name}{n}" if n > 1 else name for n in range(1, len(named) + 2))
            named[next(each for each in free if each not in named)] = root
        return _Models(named)

    def _tensors(self) -> Mapping[Path, Tensor]:
        """Return the tensors that it trains and that no module holds, by their names."""
        if self._boundary.tensors:
            return self._boundary.tensors
        held = self._boundary.held
        groups = (group["params"] for o in self._boundary.optimizers for group in o.param_groups)
        loose = [tensor for params in groups for tensor in params if id(tensor) not in held]
        return dict(zip(names_of(loose, self._scopes()), loose, strict=True))

    def _scopes(self) -> list[Mapping[str, Any]]:
        """Return the variables of the script: its own, then those of its functions that run."""
        frames = [f for f in self._sandbox.stack.frames if is_user_code(f.f_code.co_filename)]
        return [vars(self._sandbox.main), *(frame.f_locals for frame in reversed(frames))]

    def _roots(self) -> list[nn.Module]:
        """Return the modules with parameters that are in no other.

        Averages of them are left out, and modules that only make data, as transforms do.
        """
        boundary = self._boundary
        roots = [m for m in boundary.modules.roots() if not isinstance(m, AveragedModel)]
        return [m for m in roots if boundary.trains(m) or id(m) not in boundary.making]

    def _variable(self, module: nn.Module) -> str:
        """Return the name that the script has for a module: of a variable, or of an attribute."""
        scopes = [
            *(frame.f_locals for frame in self._sandbox.stack.frames),
            vars(self._sandbox.main),
        ]
        objects = [value for scope in scopes for value in scope.values() if _is_object(value)]
        names = (
            name
            for scope in (*scopes, *map(vars, objects))
            for name, value in scope.items()
            if value is module and name not in _NO_NAMES
        )
        return next(names, type(module).__name__.lower())


class _Models(nn.ModuleDict):
    """The models of a script that makes several.

    Each is saved and loaded by itself: a wrapper, as Fabric's, has methods of its own for that.
    """

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {name: model.state_dict() for name, model in self.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], *_: Any, **__: Any) -> None:
        for name, model in self.items():
            model.load_state_dict(state_dict[name])


def _is_object(value: Any) -> bool:
    """Return whether a value is an object with attributes, and no module of either kind."""
    return hasattr(value, "__dict__") and not isinstance(value, ModuleType | type | nn.Module)
