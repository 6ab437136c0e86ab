"""The command line: one file a command, which imports what is heavy when it does its work."""

import gc
import io
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import click
from click.shell_completion import shell_complete

from symmetry.base.calls import leave_surroundings
from symmetry.base.errors import FAILED, INTERRUPTED, OK, SymmetryError
from symmetry.cli import check, compare, explain, record, run, skill, units, watch
from symmetry.cli.screen import say

_COMPLETE = "_SYMMETRY_COMPLETE"  # the variable that click names so
_LONGEST = 590  # characters of an error: it is one line, and people have to read it


@click.group(
    commands=[each.command for each in (run, check, compare, record, explain, units, watch, skill)],
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="unit-symmetry", prog_name="symmetry")
@click.pass_context
def group(context: click.Context) -> None:
    """Find bugs in PyTorch and JAX training code without knowing the right result.

    Start with `symmetry check train.py`: it runs the script for a few updates, tests invariants
    that every correct training obeys, and names the lines that break one. `explain` names the
    operation behind a violation, `watch` shows what a script does in which order, `units` lists the
    interchangeable units of a model. `compare` says whether a training is still the same after a
    change, `record` writes a run into a file to compare with later, `skill` prints instructions for
    coding agents. `run` repeats the experiment on MNIST that this began with: from zero weights all
    hidden units stay equal.

    Completion in bash: eval "$(_SYMMETRY_COMPLETE=bash_source symmetry)"; also zsh_source and
    fish_source.

    Exit status: 0 all is as it should be, 1 an invariant is violated or the script fails, 2 the
    command could not do its work or proved nothing, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(FAILED)
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        raise SymmetryError("the working directory does not exist any more") from None
    threads = os.environ.get("NUMBA_NUM_THREADS", "1")  # Numba would answer with a traceback
    if not (threads.isascii() and threads.isdigit() and threads.strip("0")):
        raise SymmetryError(f"NUMBA_NUM_THREADS must be a number of threads, not {threads!r}")


def main(command: click.Command = group, name: str = "symmetry") -> None:
    """Run a command line and leave the process with its exit status."""
    for stream in ("stdout", "stderr"):  # a shell can close them
        if getattr(sys, stream) is None:
            setattr(sys, stream, io.StringIO())
    if _COMPLETE in os.environ:
        sys.exit(shell_complete(command, {}, name, _COMPLETE, os.environ[_COMPLETE]))
    try:
        status = execute(sys.argv[1:], command, name)
    except Exception:  # a fault of this program, which must not look like a verdict
        traceback.print_exc()
        status = FAILED
    if status == INTERRUPTED:  # threads may still compute, and the command waits for none
        os._exit(status)
    gc.freeze()  # the last collection would visit every object of Numba and NumPy: 0.1 s
    sys.exit(status)


def execute(arguments: list[str], command: click.Command = group, name: str = "symmetry") -> int:
    """Run one command line; every error foreseen becomes one line on standard error and a status.

    A command returns its exit status, or None for 0.
    """
    try:
        with command.make_context(name, list(arguments), obj=list(arguments)) as context:
            status = command.invoke(context) or OK
        with suppress(ValueError):  # closed by the code under test
            sys.stdout.flush()
        return int(status)
    except click.exceptions.Exit as request:
        return request.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing is left for Python to flush
        return FAILED
    except click.UsageError as error:
        place = error.ctx.command_path if error.ctx else name
        hint = _of_a_script(name, arguments, error)
        return _fail(f"error: {error.format_message()}{hint} (see {place} --help)")
    except click.ClickException as error:
        return _fail(f"error: {error.format_message()}")
    except SymmetryError as error:
        return _fail(f"error: {error}")
    except MemoryError as error:
        return _fail(f"error: there is not enough memory{f': {error}' if str(error) else ''}")
    except OSError as error:
        return _fail(f"error: {error.filename or 'output'}: {error.strerror or error}")
    finally:
        leave_surroundings()


def _of_a_script(name: str, words: Sequence[str], error: click.UsageError) -> str:
    """Return how to give a script an option that is not one of ours, if a script is named."""
    if not isinstance(error, click.NoSuchOption):
        return ""
    at = next((n for n, w in enumerate(words) if w.partition("=")[0] == error.option_name), 0)
    script = next((word for word in words[:at] if word.endswith(".py")), None)
    if script is None:
        return ""
    line = f"{name} {shlex.join(words[:at])} -- {shlex.join(words[at:])}"
    return f" If it is an option of {script}, it follows --: {line}"


def _fail(message: str, status: int = FAILED) -> int:
    """Print one readable line, whatever names and numbers were pasted into it."""
    line = "".join(c if c.isprintable() else " " for c in message)
    line = " ".join(line.split())
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST - 40]} ... {line[-35:]}"
    say(line, err=True)
    return status
