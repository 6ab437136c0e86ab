"""``symmetry watch``: run a script over whole, shortened epochs, and show what it does."""

from pathlib import Path

import click

from symmetry.base.errors import OK
from symmetry.cli.isolation.parent import Isolated
from symmetry.cli.options import SEED, flag, given_path, option, words_to_resume
from symmetry.cli.screen import current, say, terminal

_TEXT, _PAGE = ".txt", ".html"


def _file(text: str) -> Path:
    """Return a path whose suffix names what is written there."""
    path = given_path(text)
    if path.suffix not in (_TEXT, _PAGE):
        raise click.BadParameter(f"{path} ends neither in {_PAGE} nor in {_TEXT}.")
    return path


@click.command("watch", cls=Isolated, short_help="Show what a training script does, in order.")
@click.argument("name")
@option("--seed", "N", "Seed for all random numbers.", 0, SEED)
@option(
    "--resume-with",
    "ARGUMENTS",
    "Interrupt the script behind a save, run it with these arguments from its own files, and show "
    "the batches and learning rates of both runs.",
)
@flag(
    "--tokens",
    "Show the first batch of a language model instead: its tokens, which are labels, which are "
    "padding, and the weight of each.",
)
@option(
    "--output",
    "FILE",
    "Write the timeline as a page with a picture (.html), or as text (.txt).",
    kind=_file,
)
def command(
    name: str, seed: int, resume_with: str | None, tokens: bool, output: Path | None
) -> int:
    """Run a training script once, and show what it does in which order.

    NAME is a script, as `symmetry check` takes it; its arguments follow --. Each epoch ends after
    two batches, and the run after 40 updates or half a minute, in a mirror of the script's folder.

    The timeline has the epochs, batches, calls of models with their mode, backwards, clips, updates
    with learning rates, schedulers, evaluations and checkpoints, each with its line. Repetitions
    are shown once. A table has the weight of each term of a loss in an update, and the page shows
    them as a picture, and how tokens of packed documents act on each other. With --resume-with the
    batches and learning rates of a resumed run follow, below those of the run before. Nothing is
    judged: `symmetry check` does that.

    With --tokens NAME may be any training of a language model, as hf-tiny:gpt2, too.

    Exit status: 0 the timeline is printed, 2 the command could not do its work.
    """
    from symmetry import session
    from symmetry.api import watch
    from symmetry.base.devices import RESUMING
    from symmetry.base.files import writable_files, write_all
    from symmetry.report import resumed
    from symmetry.report.timeline import lines
    from symmetry.report.timeline_page import to_page

    writable_files(output)
    current().enter(name)
    if tokens:
        from symmetry.report.token_table import token_lines

        with terminal():
            current().doing("first steps", 0, None)
            shown = [*token_lines(session.tokens(name, seed))]
        for line in shown:
            say(line)
        return OK
    with terminal(), RESUMING.set(words_to_resume(resume_with)):
        current().doing("whole epochs", 0, None)
        runs = None if resume_with is None else session.resume(name, seed)
        epochs = watch(name, seed=seed)
    shown = [*lines(epochs), *(() if runs is None else resumed.lines(runs))]
    for line in shown:
        say(line)
    if output is not None:
        text = "\n".join(shown) + "\n"
        write_all({output: text if output.suffix == _TEXT else to_page(epochs)})
        say(f"wrote {output}")
    return OK
