"""Trainings that do to their process whatever code can do, some of them only now and then."""

from __future__ import annotations

import ctypes
import os
import threading
import time

import torch
import torch.nn.functional as F
from torch import nn


def _training(misbehave=lambda i, model: None, *, made=lambda: None):
    def training():
        made()
        model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            generator = torch.Generator().manual_seed(i)
            x = torch.randn(8, 4, generator=generator, dtype=model[0].weight.dtype)
            y = torch.randint(3, (8,), generator=generator)
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            misbehave(i, model)
            optimizer.step()

        return model, step

    return training


def _late(act):
    """Act in the third step of a run: only runs of more than two steps get there."""
    return lambda i, _: act() if i == 2 else None


def _in_float64(act):
    return lambda _, model: act() if model[0].weight.dtype == torch.float64 else None


def _hold_the_lock():
    ctypes.PyDLL(None).sleep(1000)


def _exit_from_a_thread():
    threading.Thread(target=os._exit, args=(0,)).start()
    time.sleep(1000)


def _exit():
    os._exit(0)


class _Counter:
    made = 0


def _at_the_ninth():
    _Counter.made += 1
    if _Counter.made == 9:
        os._exit(0)


exits_in_float64 = _training(_in_float64(_exit))
exits_now_and_then = _training(made=_at_the_ninth)
exits_in_a_thread = _training(_late(_exit_from_a_thread))
exits_when_made = _training(made=_exit)
crashes = _training(_late(lambda: ctypes.string_at(0)))
holds_the_lock = _training(_late(_hold_the_lock))
closes = _training(_late(lambda: os.closerange(0, 64)))
