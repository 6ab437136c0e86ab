"""``symmetry watch``: run a script over whole, shortened epochs, and show what it does."""

import click

from symmetry.base.errors import OK
from symmetry.cli.isolation.parent import Isolated
from symmetry.cli.options import SEED, flag, option
from symmetry.cli.screen import current, say, terminal


@click.command("watch", cls=Isolated, short_help="Show what a training script does, in order.")
@click.argument("name")
@option("--seed", "N", "Seed for all random numbers.", 0, SEED)
@flag(
    "--tokens",
    "Show the first batch of a language model instead: its tokens, which are labels, which are "
    "padding, and the weight of each.",
)
def command(name: str, seed: int, tokens: bool) -> int:
    """Run a training script once, and show what it does in which order.

    NAME is a script, as `symmetry check` takes it; its arguments follow --. Each epoch ends after
    two batches, and the run after 40 updates or half a minute, in a mirror of the script's folder.

    The timeline has the epochs, batches, calls of models with their mode, backwards, clips, updates
    with learning rates, schedulers, evaluations and checkpoints, each with its line. Repetitions
    are shown once. A table has the weight of each term of a loss in an update. Nothing is
    judged: `symmetry check` does that.

    With --tokens NAME may be any training of a language model, as hf-tiny:gpt2, too.

    Exit status: 0 the timeline is printed, 2 the command could not do its work.
    """
    from symmetry import session
    from symmetry.api import watch
    from symmetry.report.timeline import lines

    current().enter(name)
    if tokens:
        from symmetry.report.token_table import token_lines

        with terminal():
            current().doing("first steps", 0, None)
            shown = [*token_lines(session.tokens(name, seed))]
        for line in shown:
            say(line)
        return OK
    with terminal():
        current().doing("whole epochs", 0, None)
        epochs = watch(name, seed=seed)
    for line in lines(epochs):
        say(line)
    return OK
