"""Steps that do to their process whatever code can do; all but a few start well."""

from __future__ import annotations

import atexit
import builtins
import ctypes
import json
import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress

import numpy as np

from symmetry.network.formulas import step as sound


def _after(misbehave):
    def step(x, y, w1, w2, lr):
        if np.ptp(w1[0]) > 1e-3:  # more than rounding makes units differ: they did at the start
            misbehave()
        return sound(x, y, w1, w2, lr)

    return step


def _loop():
    while True:
        pass


def _hold_the_lock():
    ctypes.PyDLL(None).sleep(1000)  # PyDLL: no other thread of Python runs meanwhile


def _fork():
    os.fork()


def _close():
    os.closerange(0, 64)


def _write_everywhere():
    for file in range(3, 20):
        with suppress(OSError):
            os.write(file, b"0123456789\n" * 100)
    os._exit(0)


def _replace_exits():
    atexit.register(os._exit, 0)
    sys.exit = lambda status=0: os._exit(0)
    os._exit(0)


def _from_a_thread():
    threading.Thread(target=os._exit, args=(0,)).start()
    time.sleep(1000)


def _kill_the_group():
    os.killpg(0, signal.SIGTERM)
    time.sleep(1000)


def _interrupt():
    raise KeyboardInterrupt


def _stop_the_clock():
    time.sleep = lambda _: None
    time.monotonic = lambda: 0.0
    _loop()


exits = _after(lambda: os._exit(0))
becomes_another = _after(lambda: os.execv(sys.executable, [sys.executable, "-c", ""]))
crashes = _after(lambda: ctypes.string_at(0))
aborts = _after(os.abort)
kills_itself = _after(lambda: os.kill(os.getpid(), signal.SIGKILL))
kills_the_group = _after(_kill_the_group)
loops = _after(_loop)
sleeps = _after(lambda: time.sleep(1000))
holds_the_lock = _after(_hold_the_lock)
stops = _after(lambda: os.kill(os.getpid(), signal.SIGSTOP))
closes = _after(_close)
writes_everywhere = _after(_write_everywhere)
replaces_exits = _after(_replace_exits)
exits_in_a_thread = _after(_from_a_thread)
interrupts = _after(_interrupt)
stops_the_clock = _after(_stop_the_clock)
forgets_the_modules = _after(sys.modules.clear)
replaces_builtins = _after(lambda: vars(builtins).update(isinstance=lambda *_: True))


def forks(x, y, w1, w2, lr):
    """Come back twice, and be wrong."""
    if w1.any():
        os.fork()
    w1[0, -1] += 1
    return sound(x, y, w1, w2, lr)


def leaves_threads(x, y, w1, w2, lr):
    """Work well, but leave a thread that never ends and a handler that asks for exit status 0."""
    threading.Thread(target=_loop_slowly).start()
    atexit.register(os._exit, 0)
    return sound(x, y, w1, w2, lr)


def replaces_dumps(x, y, w1, w2, lr):
    """Be wrong, and let every message say that the check has ended well."""
    json.dumps = lambda *_, **__: '["end", 0]'
    pickle.dumps = lambda *_, **__: b""
    w1[0, -1] += 1
    return sound(x, y, w1, w2, lr)


def _loop_slowly():
    while True:
        time.sleep(0.01)


def prints(x, y, w1, w2, lr):
    os.write(1, b"a" * 50_000)
    print("b" * 50_000)
    print("c" * 50_000, file=sys.stderr)
    return sound(x, y, w1, w2, lr)


def moves_away(x, y, w1, w2, lr):
    os.chdir("/")
    return sound(x, y, w1, w2, lr)


class Exits:
    """A result that ends the process while it is read."""

    def __init__(self, array):
        self._array = array

    def __array__(self, *_, **__):
        os._exit(0)


def exits_when_read(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    return (Exits(w1) if np.ptp(w1[0]) > 1e-3 else w1), w2


class HangsWhenMade:
    def __init__(self):
        time.sleep(1000)

    def __call__(self, x, y, w1, w2, lr):
        return w1, w2


def names_its_wait_policy(x, y, w1, w2, lr):
    raise ValueError(f"threads wait: {os.environ.get('OMP_WAIT_POLICY')}")
