"""What a comparison shows, in words and in cells of tables; nothing here computes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symmetry.comparison.record import Comparison, TrainerRun
from symmetry.comparison.study import CASE_THREADS, Study
from symmetry.comparison.task import TaskFacts
from symmetry.experiment import Settings
from symmetry.report.command import changed, command_line
from symmetry.report.templates import code, data_name, percent, relative
from symmetry.units.words import count, groups_in_words, in_ulps

_PROMISES = {
    "deterministic": "`torch.use_deterministic_algorithms(True)`: the same bits from run to run",
    "threads": "a number of threads: sums that do not depend on how threads share the work",
    "MKL_CBWR": "Intel MKL: kernels that give the same bits on every processor",
    "OPENBLAS_CORETYPE": "OpenBLAS: the kernels of the processor that is named",
    "XLA_FLAGS": "XLA: here, no instructions newer than those that are named",
}
_EFFECTS = {
    "restores it": "The symmetry was restored by {}.",
    "changes nothing": "No bit of what was compared was changed by {}.",
    "splits otherwise": "Bits were changed, but units split all the same, with {}.",
    "breaks it": "The symmetry was broken by {}.",
    "nothing to restore": "There was nothing to restore for {}.",
}


def seconds(value: float | None) -> str:
    """Return a time with three digits that count."""
    return "-" if value is None else f"{value:#.3g}".rstrip(".")


def ratio(run: TrainerRun, other: float | None) -> str:
    """Return how many times as long an iteration takes as ``other`` seconds."""
    return "-" if run.seconds is None or not other else f"{run.seconds / other:.2f}"


def fastest(comparison: Comparison) -> float | None:
    """Return the median seconds of the fastest trainer of those that time whole iterations."""
    times = [run.seconds for run in comparison.runs if not run.step_only]
    return min((each for each in times if each is not None), default=None)


def splits(run: TrainerRun) -> str:
    """Say when clones split."""
    if run.split_in is not None:
        return f"iteration {run.split_in:,}"
    if not run.counted:
        return "not tested: nothing moved" if len(run.groups[0]) > 1 else "a single unit"
    diverged = run.compared < len(run.history)
    return f"never up to iteration {run.compared:,}, then not finite" if diverged else "never"


def groups(run: TrainerRun) -> str:
    """Say which units are identical in the end, for a cell of a table."""
    return groups_in_words(run.groups).replace("|", "\\|")


def data(facts: TaskFacts) -> str:
    """Return the name of what was trained on."""
    return data_name(facts.data) if facts.case is None else "a generated case"


def first_ulps(run: TrainerRun) -> str:
    """Return how far units were from equal when they split."""
    return "-" if run.split_in is None else in_ulps(run.history[run.split_in - 1].ulps or 0)


def entries(run: TrainerRun) -> str:
    """Return the deviation of single weights of w1 and of w2 in the end, relative to them."""
    last = run.history[-1]
    return f"{relative(last.w1_relative)}, {relative(last.w2_relative)}"


def loss_difference(run: TrainerRun, core: TrainerRun | None) -> str:
    """Return the largest difference of the loss to the project's core, at any iteration."""
    if core is None:
        return "-"
    pairs = zip(run.history, core.history, strict=True)
    return relative(max(abs(mine.loss - its.loss) for mine, its in pairs))


def listed(words: Iterable[str]) -> str:
    """Return ``a, b and c``."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def task(facts: TaskFacts) -> str:
    """Return what was trained, in short."""
    return (
        f"{facts.inputs}-{facts.hidden}-{facts.classes}, {count(facts.train, 'sample')}, "
        f"{count(facts.iterations, 'iteration')}, learning rate {facts.lr}, {facts.dtype}"
    )


def finding(comparison: Comparison) -> str:
    """Return what happened, in a few sentences."""
    facts, runs = comparison.facts, comparison.runs
    split = [run for run in runs if run.split_in is not None]
    kept = [run for run in runs if run.split_in is None and run.counted]
    still = [run for run in runs if run.split_in is None and not run.counted]
    start = (
        f"{_names(runs)} trained {count(facts.hidden, 'hidden unit')} on {data(facts)} from "
        "weights that are all zero, so that the units have to stay identical."
    )
    said = []
    if split:
        first = listed(f"{code(run.name)} in iteration {run.split_in:,}" for run in split)
        said.append(f"Units split in {len(split)} of {len(runs)}: {first}.")
    if kept:
        units = f"{_names(kept)} kept all {facts.hidden:,} identical, bit for bit"
        if all(run.compared == facts.iterations for run in kept):
            said.append(f"{units}, through {count(facts.iterations, 'iteration')}.")
        else:
            said.append(f"{units}, for as long as all numbers were finite.")
    if still:
        said.append(
            f"Not tested: {_names(still)}, {splits(still[0]).removeprefix('not tested: ')}."
        )
    if not split:
        said.append("At other sizes or on another machine the same libraries may round otherwise.")
    elif not kept:
        said.append(story(max(split, key=lambda run: max(run.spreads, default=0.0))))
    return " ".join([start, *said])


def _names(runs: Iterable[TrainerRun]) -> str:
    return listed(code(run.name) for run in runs)


def story(run: TrainerRun) -> str:
    """Tell what became of the units of one run that split."""
    assert run.split_in is not None
    text = (
        f"The units of {code(run.name)} split in iteration {run.split_in:,}, by {first_ulps(run)}; "
    )
    if len(run.groups) == 1:
        return f"{text}in the end they were identical again."
    text += f"in the end the groups of identical units were “{groups_in_words(run.groups)}”"
    return f"{text}, a spread of {relative(run.spreads[-1])}." if run.spreads else f"{text}."


def plain_run(run: TrainerRun, comparison: Comparison) -> TrainerRun | None:
    """Return the run of the same trainer without settings."""
    return next((r for r in comparison.runs if r.name == run.subject.trainer), None)


def effect(run: TrainerRun, comparison: Comparison) -> str:
    """Say what the settings of a run did to the symmetry."""
    plain = plain_run(run, comparison)
    if plain is None or plain is run:
        return "splits" if run.split_in is not None else "keeps it"
    if plain.split_in is None:
        return "**breaks it**" if run.split_in is not None else "nothing to restore"
    if run.split_in is None:
        return "**restores it**"
    same = [p.loss for p in run.history] == [p.loss for p in plain.history]
    return "changes nothing" if same and run.spreads == plain.spreads else "splits otherwise"


def trials_in_words(trials: Sequence[Comparison]) -> str:
    """Say which settings restored the symmetry, and which did not."""
    found: dict[str, list[str]] = {}
    for trial in trials:
        for run in trial.runs:
            plain, kind = plain_run(run, trial), effect(run, trial).strip("*")
            if kind in _EFFECTS:
                cost = ratio(run, plain.seconds if plain else None)
                price = f", {cost} times the time" if kind == "restores it" and cost != "-" else ""
                units = count(trial.facts.hidden, "unit")
                found.setdefault(kind, []).append(f"{code(run.name)} ({units}{price})")
    return " ".join(text.format(listed(found[k])) for k, text in _EFFECTS.items() if k in found)


def promises(trials: Sequence[Comparison]) -> list[tuple[str, str]]:
    """Return the kinds of settings that were tried, and what each promises."""
    subjects = [run.subject for trial in trials for run in trial.runs]
    tried = {name for subject in subjects for name, _ in subject.variables}
    tried |= {
        name for each in subjects for name in ("deterministic", "threads") if vars(each)[name]
    }
    return [(kind, promise) for kind, promise in _PROMISES.items() if kind in tried]


def milestones(run: TrainerRun, limits: Sequence[float]) -> list[str]:
    """Return the first iteration whose spread is at least each limit."""
    reached = [
        next((i for i, value in enumerate(run.spreads, start=1) if value >= limit), None)
        for limit in limits
    ]
    return ["-" if iteration is None else f"{iteration:,}" for iteration in reached]


def environment_lines(study: Study) -> list[tuple[str, str, str]]:
    """Return the processes with the same versions and libraries, and what these are."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for comparison in (study.frameworks, *study.trials, study.growth):
        for run in comparison.runs if comparison else ():
            known = run.libraries
            versions = ", ".join(f"{name} {version}" for name, version in known.versions.items())
            pools = [_pool(p.name, p.version, p.kernel, p.threads) for p in known.pools]
            key = versions, "; ".join([*pools, *known.notes])
            where = " (case)" if study.whole and comparison is study.growth else ""
            found.setdefault(key, {})[code(run.name) + where] = None
    return [(", ".join(processes), *key) for key, processes in found.items()]


def _pool(name: str, version: str | None, kernel: str | None, threads: int) -> str:
    words = [name, version, f"({kernel} kernels)" if kernel else None]
    return " ".join(word for word in words if word) + f": {count(threads, 'thread')}"


def command(study: Study) -> str:
    """Return the line that repeats the comparison; places of files are for the reader to fill."""
    if study.whole:
        return command_line("compare")
    comparison = study.frameworks or study.growth
    assert comparison is not None
    facts, case = comparison.facts, comparison.facts.case
    names = ("hidden", "iterations", "lr", "dtype")
    sizes = {
        "data": None if facts.data == "MNIST" else "DIR",
        "classes": None if facts.classes == 10 else facts.classes,
        **changed(facts, Settings(), *names),
    }
    options = sizes if case is None else {"case": case.to_json()}
    usual = None if case is None else CASE_THREADS
    threads = None if comparison.threads == usual else comparison.threads
    trainers = [run.name for run in comparison.runs]
    return command_line("compare", *trainers, **options, threads=threads, output="REPORTS")


def in_short(run: TrainerRun, comparison: Comparison) -> str:
    """Return one run as a line for the terminal, without times."""
    last, found = run.history[-1], splits(run)
    if run.split_in is not None:
        end = relative(run.spreads[-1] if run.spreads else None)
        found = f"units split in {found} by {first_ulps(run)}; in the end: "
        found += f"{groups_in_words(run.groups)}, spread {end}"
    elif run.counted:
        found = "units stay identical"
    width = max(len(each.name) for each in comparison.runs)
    return (
        f"{run.name:<{width}}  loss {last.loss:.6f}  accuracy {percent(last.accuracy):>8}  {found}"
    )
