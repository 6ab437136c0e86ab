"""The process group of a script: of the ranks that there are, or of one rank by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import wraps
from types import SimpleNamespace
from typing import Any

import torch
import torch.multiprocessing
from torch import distributed

from symmetry.base import ranks
from symmetry.base.patches import Patch


class ProcessGroup:
    """Lets all runs share one process group: they take turns, and one may end before others.

    A script that needs ranks, and is started without ``torchrun``, is one rank by itself.
    """

    def __init__(self) -> None:
        self.alone = False  # whether a script is one rank that needs several
        self._made = False  # whether it is the script that has made the group

    def patches(self) -> Iterator[Patch]:
        """Yield what is replaced: owner, name, and the replacement."""
        yield torch.multiprocessing, "spawn", self._spawn
        if distributed.is_available():
            init = self._initialised(distributed.init_process_group)
            for owner in (distributed, distributed.distributed_c10d):
                yield owner, "init_process_group", init
                yield owner, "destroy_process_group", lambda *_, **__: None

    def _initialised(self, plain: Callable[..., None]) -> Callable[..., None]:
        @wraps(plain)
        def init(*args: Any, **kwargs: Any) -> None:
            if distributed.is_initialized():
                return
            self._made = True
            backend = args[0] if args else kwargs.get("backend")
            if ranks.STORE in os.environ:  # over a file: no port has to be free
                store = distributed.FileStore(os.environ[ranks.STORE], ranks.world())
                patience = timedelta(seconds=float(os.environ[ranks.PATIENCE]))
                own = {"rank": ranks.rank(), "world_size": ranks.world(), "timeout": patience}
                plain(backend, store=store, **own)
            elif ranks.world() > 1:
                plain(*args, **kwargs)
            else:
                self.alone = self.alone or kwargs.get("world_size") != 1
                plain(backend, store=distributed.HashStore(), rank=0, world_size=1)

        return init

    def close(self) -> None:
        """End the group of a script that was one rank; other ranks may still need theirs."""
        if self._made and ranks.world() == 1 and distributed.is_initialized():
            distributed.destroy_process_group()
        self._made = False

    def _spawn(
        self, function: Any, args: Any = (), nprocs: int = 1, join: bool = True, **_: Any
    ) -> Any:
        """Call a function that the script starts in other processes: here it is one of them."""
        self.alone = self.alone or nprocs > ranks.world()
        function(ranks.rank(), *args)
        return None if join else SimpleNamespace(join=lambda *_: True)
