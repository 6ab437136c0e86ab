"""Runs a command in another process, and trusts only a finished report.

The command executes code under test, which may do anything. The other process (``child.py``) obeys
the same command line. If it ends without a report, hangs or is killed, that is the verdict on the
case that was running, and the rest is not run. Nothing heavy is imported here.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import pickle
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import IO, Any
from unittest.mock import patch

import click

from symmetry.base import fork, ranks
from symmetry.base.calls import Pace
from symmetry.base.devices import AUTO, DEVICE, DEVICES
from symmetry.base.errors import OK, SymmetryError
from symmetry.base.folders import TemporaryFolder
from symmetry.base.names import RECORDED, split_tail, with_arguments, words_of
from symmetry.base.processes import (
    FOLDER,
    adopt_orphans,
    children,
    end_children,
    ending,
    ends_as_interrupted,
    start,
    tree_seconds,
    waited,
)
from symmetry.cli.isolation import child
from symmetry.cli.isolation.account import Account, Ending
from symmetry.cli.isolation.child import Command
from symmetry.cli.options import POSITIVE, flag, option
from symmetry.cli.screen import Screen, current, on_terminal, say, terminal
from symmetry.report.folding import MOST, WIDTH, terminal_width
from symmetry.sandbox.confinement.confined import NEITHER, is_possible, watch
from symmetry.sandbox.confinement.supervisor import ADDRESS, Supervisor
from symmetry.sandbox.kept_programs import kept_programs
from symmetry.sandbox.shared import WRITABLE

_FIRST = 5  # times as long as any other may a first call take: it may import and compile
_START = 60  # seconds until a process has begun: what it imports then is ours, on a busy machine
# A process ends by itself once its budget is used, unless one call takes longer: then it is killed
# at this multiple of the budget. A check ends within 1.2 times the budget, its own start included.
_PATIENT = 1.12
_MOST_PRINTED = 10_000  # bytes of what a target prints
_RUNS = 55  # that a check of a training makes, about
# How many of them begin at the first line of a script that is slow to begin; others are forks.
_STARTS = 20 if fork.POSSIBLE else _RUNS
_SLOW, _SHORT, _LONG = 5, 10, 120  # seconds before the first step of a script; of checks
# OpenMP's threads wait for work in a loop, and so take the processor from others: a check of a
# script takes three times the CPU seconds. OpenBLAS starts threads as NumPy is imported, which a
# check never uses, and which keep a process from being forked. Libraries read both as they load.
_IDLE_THREADS = {"OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}
_WITHOUT_GPU = {"CUDA_VISIBLE_DEVICES": ""}


class Isolated(click.Command):
    """A command that runs in another process, unless --in-process or torchrun says otherwise.

    Its arguments are names of targets. A module that is run as a script may be given as ``-m
    MODULE``; what follows ``--`` are the arguments of scripts.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        what = "Stop a call that takes longer."
        option("--timeout", "SECONDS", what, 60, POSITIVE)(self)
        what = f"{', '.join(DEVICES)} (check --about gpu)."
        kind = click.Choice(DEVICES)
        click.option("--device", metavar="DEVICE", default=AUTO, type=kind, help=what)(self)
        what = "Let the target change files in FOLDER."
        folder = click.Path(exists=True, file_okay=False, resolve_path=True)
        option("--writable", "FOLDER...", what, (), folder, multiple=True)(self)
        flag("--in-process", "Run the target in this process, for debuggers.")(self)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, tail = split_tail(args)
        rest = super().parse_args(ctx, own)
        names = {
            argument.name: ctx.params[argument.name]
            for argument in self.params
            if isinstance(argument, click.Argument) and argument.type is click.STRING
        }
        if tail and not any(names.values()):
            raise click.UsageError("-- is followed by the arguments of a script: name one before.")
        for argument, given in names.items():
            if isinstance(given, str):
                ctx.params[argument] = with_arguments(given, tail)
            elif given is not None:
                ctx.params[argument] = tuple(
                    n if n.endswith(RECORDED) else with_arguments(n, tail) for n in given
                )
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        names = "timeout", "in_process", "device", "writable"
        timeout, in_process, device, writable = (ctx.params.pop(name) for name in names)
        width = terminal_width() if on_terminal() else MOST
        if in_process or isinstance(current(), child.Remote):
            if isinstance(current(), child.Remote) and self.name != "check":
                watch()
            with DEVICE.set(device), WIDTH.set(WIDTH.get() if not in_process else width):
                return super().invoke(ctx)
        if ranks.world() > 1:  # torchrun starts the processes, and ends them
            with terminal(quiet=ranks.rank() > 0), DEVICE.set(device):
                status = super().invoke(ctx)
            # One that fails first would end the rank that prints the answer.
            return status if ranks.rank() == 0 else OK
        with (
            ends_as_interrupted(),
            terminal() as screen,
            ExitStack() as ends,
            WIDTH.set(width),
        ):
            files = TemporaryFolder()
            ends.callback(files.remove)
            folder = files.short
            variables = {WRITABLE: os.pathsep.join(writable)} if writable else {}
            if device != AUTO:
                variables |= _WITHOUT_GPU
            if is_possible():
                variables |= {ADDRESS: ends.enter_context(closing(Supervisor())).address}
            elif not writable and any(map(words_of, ctx.params.get("targets") or ())):
                say(NEITHER, err=True)
            budget = ctx.params.get("budget")
            work = _Work(ctx.find_root().obj, timeout, screen, folder, variables, budget)
            try:
                while isinstance(ended := work.run(), Ending):
                    if ended.spent:
                        return self.spent(ctx.params, work.account)
                    ended = _by_itself(work.account, ended, {FOLDER: folder, **variables})
                    if not (self.goes_on(ctx.params) and work.leave_out(ended)):
                        return self.ended(ctx.params, work.account, ended)
            except KeyboardInterrupt:
                self.interrupted(ctx.params, work.account)
                raise
            return ended

    def goes_on(self, params: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Return whether there are other targets, if one has ended the process as it was loaded."""
        return False

    def ended(self, params: Mapping[str, Any], account: Account, end: Ending) -> int:  # noqa: ARG002
        """Report a process that ended early; return the exit status."""
        raise SymmetryError(f"{account.doing()}: {end.message}")

    def spent(self, params: Mapping[str, Any], account: Account) -> int:
        """Report a process that has used the CPU seconds of its budget; return the exit status."""
        raise SymmetryError(f"{account.doing()}: not done within {params['budget']:g} CPU seconds")

    def interrupted(self, params: Mapping[str, Any], account: Account) -> None:
        """Write what there is after a Ctrl-C: nothing, for most commands."""


class _Work:
    """A command line, and the process that obeys it."""

    def __init__(
        self,
        arguments: list[str],
        timeout: float,
        screen: Screen,
        folder: str,
        variables: Mapping[str, str],
        budget: float | None,
    ) -> None:
        self._command = Command(
            os.urandom(8).hex(), list(arguments), screen.live, WIDTH.get(), budget=budget
        )
        self._timeout, self._screen = timeout, screen
        alike = {"PYTHONHASHSEED": str(int.from_bytes(os.urandom(4)))}  # also in plain runs
        own = {FOLDER: folder, "TMPDIR": folder, **variables}
        self._environment = {**_IDLE_THREADS, **kept_programs(), **alike, **os.environ, **own}
        self._left = _MOST_PRINTED
        self.account = Account()
        self._doing: list[Any] = []  # what was last said of it
        self._warned = False  # whether it was said that runs are slow to begin

    def run(self) -> int | Ending:
        """Start a process; return its exit status, or say how it ended without one."""
        self._screen.doing("starting", 0, None)
        self.account = Account()
        with closing(_Process(self._command, self._pass_on, self._environment)) as process:
            ended = self._follow(process)
        if isinstance(ended, Ending) and not self.account.target:
            raise SymmetryError(f"the process that checks could not begin: {ended.message}")
        return ended

    def leave_out(self, end: Ending) -> bool:
        """Let the next process refuse the target that has ended this one; False if it did."""
        target = self.account.target
        new = target not in self._command.broken
        self._command.broken[target] = f"{target}: {end.message}"
        return new

    def _follow(self, process: _Process) -> int | Ending:
        """Return the exit status that a process reports, or say how it ended without one."""
        calls, since, first, loading = 0, process.seconds(), True, True
        while True:
            kind, *values = process.receive() or ["silence"]
            if self._is_spent(process):
                return Ending("", spent=True)
            if kind == "call":
                returned, inside, first_of_its_kind, loads, pace = values
                self._tell(Pace(*pace))
                if returned == calls and inside:
                    first, loading, kind = first_of_its_kind, loads, "silence"
                else:
                    calls, first, loading = returned, True, False  # until the next call is known
            if kind == "silence":  # a sign of life during a call does not say that it returns
                limit = self._timeout * (_FIRST if loading or first else 1)
                if process.seconds() - since >= limit:
                    if words_of(self.account.target):  # a script that goes on is not wrong
                        return Ending(f"within {limit:g} seconds (--timeout)", limited=True)
                    if self.account.target:
                        why = f"the target did not return within {limit:g} seconds (--timeout)"
                        return Ending(why)
                    if process.seconds() - since >= (limit := max(limit, _START)):
                        return Ending(f"nothing was heard of it for {limit:g} seconds")
                continue
            since = process.seconds()
            if kind in ("end", "failed", "gone"):
                if kind == "end":
                    return int(values[0])
                return Ending(str(values[0]), own=kind == "failed")
            self._show(kind, *values)

    def _is_spent(self, process: _Process) -> bool:
        """Return whether a process goes on, with all of its budget used."""
        budget = self._command.budget
        return budget is not None and process.used() > _PATIENT * budget

    def _show(self, kind: str, *values: Any) -> None:
        """Show a message of the process, or add it to the account."""
        if kind == "text":
            self._screen.text(*values)
        elif kind == "doing":
            self._doing = [*values]
            self._screen.doing(*values)
        else:
            self.account.hear(kind, *values)

    def _tell(self, pace: Pace) -> None:
        """Report the progress of a training, and once that its runs are slow."""
        self.account.device = pace.device
        if self._command.arguments[:1] != ["check"]:  # another command makes fewer runs
            return
        if pace.run and self._doing:
            what, number, of, _, bar = self._doing
            done = pace.run + pace.beside
            about = f" of about {_RUNS}" if done <= _RUNS else ""  # else the estimate was too low
            note = f"run {done}{about}, step {pace.step}"
            if pace.limit < math.inf:
                note += f", {pace.used:.0f} of {pace.limit:.0f} CPU seconds"
            elif (whole := _whole(pace)) > _SHORT:
                note += f", about {whole / 60:.1f} min in all"
            self._screen.doing(what, number, of, note, bar)
        if not self._warned and (why := why_slow(pace)):
            self._warned = True
            self._screen.text(why, err=True)

    def _pass_on(self, pipe: IO[bytes]) -> None:
        """Read all that the target prints, so that it need not wait, and show the beginning."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with suppress(OSError, ValueError):
            while data := os.read(pipe.fileno(), 1 << 16):
                if self._left:
                    click.echo(decoder.decode(data[: self._left]), nl=False, err=True)
                    if len(data) > self._left:
                        click.echo("\n(the target prints more, which is not shown)", err=True)
                    self._left = max(self._left - len(data), 0)


class _Process:
    """A child: only the parent receives a Ctrl-C, and ends the child at once."""

    def __init__(
        self,
        order: Command,
        pass_on: Callable[[IO[bytes]], None],
        environment: Mapping[str, str],
    ) -> None:
        self._token = order.token.encode()
        adopt_orphans()
        self._others = children()
        self._process = start(
            "symmetry.cli.isolation.worker", stderr=subprocess.PIPE, env=environment
        )
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._messages: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()
        with suppress(BrokenPipeError):  # it ended already, which is noticed in a moment
            pickle.dump(order, self._process.stdin)
            self._process.stdin.close()
        self._pipes = self._process.stdout, self._process.stderr
        self._threads = [
            threading.Thread(target=target, args=(pipe,), daemon=True)
            for target, pipe in zip((self._read, pass_on), self._pipes, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End it and what it has started, in the middle of whatever they do."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        end_children(self._others)  # what it has started in sessions of their own
        for thread, pipe in zip(self._threads, self._pipes, strict=True):
            thread.join(timeout=0.2)  # for what it has printed last
            if not thread.is_alive():  # else a process that it has started holds the pipe
                pipe.close()

    def seconds(self) -> float:
        """Return the seconds of a clock that stands still while the process has no processor.

        On a machine with much other work a call that only waits for its turn does not hang.
        """
        return time.monotonic() - waited(self._process.pid)

    def used(self) -> float:
        """Return the CPU seconds of the process, and of all that it has started."""
        return tree_seconds(self._process.pid)

    def receive(self) -> list[Any] | None:
        """Return the next message, ["gone", why] after the last; None if none comes for a while."""
        try:
            message = self._messages.get(timeout=child.SECONDS)
        except queue.Empty:
            return None
        return message or ["gone", self._death()]

    def _read(self, pipe: IO[bytes]) -> None:
        """Queue messages until the pipe ends, or until a line without our token."""
        with suppress(OSError, ValueError):
            while (line := pipe.readline()).startswith(self._token):
                self._messages.put(json.loads(line.removeprefix(self._token)))
        self._messages.put(None)

    def _death(self) -> str:
        """Say how it ended."""
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:  # it has closed its pipes, and goes on
            return "the target closed or used files that are not its own"
        if status >= 0:
            return f"the target ended its process ({ending(status)})"
        memory = ", as the system does when memory runs out" if -status == signal.SIGKILL else ""
        return f"the target's process was killed ({ending(status)}{memory})"


def _by_itself(account: Account, end: Ending, variables: Mapping[str, str]) -> Ending:
    """Return how a process ended: a script that does not end so in a plain run has not failed."""
    if end.kind != "error" or not words_of(account.target):
        return end
    from symmetry.targets.resolve import resolve_training

    try:
        scripts = "only scripts run plainly"
        with (
            patch.dict(os.environ, variables),
            closing(resolve_training(account.target, scripts)) as target,
        ):
            killed = target.training.plain_run().killed
    except SymmetryError:  # it can no longer be read
        return end
    return end if killed and killed in end.why else replace(end, own=True)


def _whole(pace: Pace) -> float:
    """Return the seconds that a check takes, about."""
    begun = min(pace.run, _STARTS) * pace.setup
    rest = max(pace.spent, pace.evaluated) - begun
    return _STARTS * pace.setup + max(rest, 0) / max(pace.run, 1) * _RUNS


def why_slow(pace: Pace) -> str:
    """Say what makes a check slow, and what to do about it; nothing if it is not, or not known.

    With a budget it is slow if it would take more than twice that, by its first run already.
    """
    whole, many, budget = _whole(pace), _RUNS, pace.limit
    if budget < math.inf:
        slow = pace.run > 0 and whole > 2 * budget
    else:
        slow = pace.run > 1 and (whole >= _LONG or pace.setup >= _SLOW)
    if not slow:
        return ""
    if pace.evaluated > pace.spent / 2:
        often, long = pace.evaluations // pace.run, pace.evaluated / pace.run
        what = f"a run calls models without gradients {often:,} times ({pace.evaluates})"
        what, cure = f"{what}: {long:.0f} seconds", "less evaluation, by arguments of the script,"
    elif pace.setup * pace.run > pace.spent / 2:
        what = f"a run needs {pace.setup:.0f} seconds before its first step"
        cure, many = "less data, by arguments of the script,", _STARTS
    else:
        what, cure = f"a run takes {pace.spent / pace.run:.0f} seconds", "a smaller batch or model,"
    shorter = "--only or --budget SECONDS make it shorter"
    end = shorter if budget == math.inf else "or a larger --budget lets it judge more"
    return f"{what}, and a check makes about {many}: {_long(whole)}; {cure} {end}"


def _long(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < _LONG else f"{seconds / 60:.0f} min"
