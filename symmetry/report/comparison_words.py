"""What a comparison has shown, in words and in cells of tables; nothing here computes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from symmetry.comparison.record import Comparison, Run
from symmetry.comparison.study import CASE_THREADS, Study
from symmetry.comparison.task import Facts
from symmetry.experiment import Settings
from symmetry.report.sentences import count, percent
from symmetry.units.words import groups_in_words, in_ulps

_PROMISES = {
    "deterministic": "`torch.use_deterministic_algorithms(True)`: the same bits from run to run",
    "threads": "a number of threads: sums that do not depend on how threads share the work",
    "MKL_CBWR": "Intel MKL: kernels that give the same bits on every processor",
    "OPENBLAS_CORETYPE": "OpenBLAS: the kernels of the processor that is named",
    "XLA_FLAGS": "XLA: here, no instructions newer than those that are named",
}


def spread(value: float | None) -> str:
    """Return a relative spread for people: ``0``, ``1.7e-04``, ``0.83``."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.1e}"


def seconds(value: float | None) -> str:
    """Return a time with three digits that count."""
    return "-" if value is None else f"{value:#.3g}".rstrip(".")


def ratio(run: Run, other: float | None) -> str:
    """Return how many times as long an iteration takes as ``other`` seconds."""
    return "-" if run.seconds is None or not other else f"{run.seconds / other:.2f}"


def speed(run: Run, comparison: Comparison) -> str:
    """Return how many times as long as the fastest takes; a step alone is not to be compared."""
    return "-" if run.step_only else ratio(run, fastest(comparison))


def fastest(comparison: Comparison) -> float | None:
    """Return the median seconds of the fastest trainer of those that time whole iterations."""
    times = [run.seconds for run in comparison.runs if not run.step_only]
    return min((each for each in times if each is not None), default=None)


def leaves(run: Run) -> str:
    """Say when units that started alike first differed."""
    if run.left is not None:
        return f"iteration {run.left:,}"
    if not run.counted:
        return "nothing to tell apart"
    diverged = run.compared < len(run.history)
    return f"never up to iteration {run.compared:,}, then not finite" if diverged else "never"


def groups(run: Run) -> str:
    """Say which units are identical in the end, for a cell of a table."""
    return groups_in_words(run.groups).replace("|", "\\|")


def data(facts: Facts) -> str:
    """Return the name of what was trained on."""
    if facts.case is not None:
        return "a generated case"
    return facts.data if facts.data.isalnum() else code(facts.data)


def start_ulps(run: Run) -> str:
    """Return how far apart units were when they first parted."""
    return "-" if run.left is None else in_ulps(run.history[run.left - 1].ulps or 0)


def entries(run: Run) -> str:
    """Return how far apart single weights of w1 and of w2 are in the end, relative to them."""
    last = run.history[-1]
    return f"{spread(last.w1_relative)}, {spread(last.w2_relative)}"


def loss_difference(run: Run, core: Run | None) -> str:
    """Return the largest difference of the loss to the project's core, at any iteration."""
    if core is None:
        return "-"
    pairs = zip(run.history, core.history, strict=True)
    return spread(max(abs(mine.loss - its.loss) for mine, its in pairs))


def listed(words: Iterable[str]) -> str:
    """Return ``a, b and c``."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def code(name: str) -> str:
    """Return a trainer's name as code, safe in Markdown tables."""
    safe = "".join(c if c.isprintable() and c not in "`|" else "?" for c in name)
    return f"`{safe}`"


def names(runs: Iterable[Run]) -> str:
    """Return the names of runs in a list."""
    return listed(code(run.name) for run in runs)


def task(facts: Facts) -> str:
    """Return what was trained, in short."""
    return (
        f"{facts.inputs}-{facts.hidden}-{facts.classes}, {count(facts.train, 'sample')}, "
        f"{count(facts.iterations, 'iteration')}, learning rate {facts.lr}, {facts.dtype}"
    )


def finding(comparison: Comparison) -> str:
    """Return what happened, in two sentences."""
    facts, runs = comparison.facts, comparison.runs
    many = len(runs) > 1
    who = f"Of {len(runs)} implementations of the same training" if many else names(runs)
    start = f"started on {data(facts)} from weights that are all zero"
    parted = [run for run in runs if run.left is not None]
    kept = [run for run in runs if run.left is None]
    if not any(run.counted for run in runs) and not parted:
        return (
            f"{names(runs)} trained {count(facts.hidden, 'hidden unit')} on {data(facts)} from "
            "weights that are all zero. There was nothing to tell apart: there is a single unit, "
            "or no weight of one ever moved."
        )
    if not parted:
        every = f"after every one of {count(facts.iterations, 'iteration')}"
        return (
            f"{names(runs)} trained a network on {data(facts)} from weights that are all zero, and "
            f"none of them ever told its hidden units apart: {every} all {facts.hidden:,} were "
            "identical, bit for bit. That is how it has to be, and it is true of these sizes on "
            "this machine: at other sizes the same libraries may round otherwise."
        )
    first = listed(f"{code(run.name)} from iteration {run.left:,} on" for run in parted)
    told = f"{who}, {start}, {len(parted)} told" if many else f"{who}, {start}, told"
    sentence = f"{told} hidden units apart that have to stay identical: {first}."
    if not kept:
        worst = max(parted, key=lambda run: max(run.spreads, default=0.0))
        return f"{sentence} {parting(worst)}"
    theirs = "its" if len(kept) == 1 else "their"
    return (
        f"{sentence} {names(kept)} kept all {facts.hidden:,} of {theirs} units identical, bit for "
        f"bit, {_through(kept, facts.iterations)}."
    )


def _through(runs: Sequence[Run], iterations: int) -> str:
    if all(run.compared == iterations for run in runs):
        return f"through {count(iterations, 'iteration')}"
    return "for as long as all numbers were finite"


def parting(run: Run) -> str:
    """Tell the story of one run that left the symmetry."""
    assert run.left is not None
    text = f"The units of {code(run.name)} parted in iteration {run.left:,}, by {start_ulps(run)}; "
    if len(run.groups) == 1:
        return f"{text}in the end they had come together again."
    text += f"in the end they were “{groups_in_words(run.groups)}”"
    if not run.spreads:
        return f"{text}."
    return f"{text}, {spread(run.spreads[-1])} of their own size apart."


def plain_run(run: Run, comparison: Comparison) -> Run | None:
    """Return the run of the same trainer without settings."""
    return next((r for r in comparison.runs if r.name == run.subject.trainer), None)


def effect(run: Run, comparison: Comparison) -> str:
    """Say what the settings of a run did to the symmetry."""
    plain = plain_run(run, comparison)
    if plain is None or plain is run:
        return "leaves" if run.left is not None else "keeps it"
    if plain.left is None:
        return "**breaks it**" if run.left is not None else "nothing to restore"
    if run.left is None:
        return "**restores it**"
    same = [p.loss for p in run.history] == [p.loss for p in plain.history]
    return "changes nothing" if same and run.spreads == plain.spreads else "leaves in another way"


def trials_in_words(trials: Sequence[Comparison]) -> str:
    """Say which settings restored the symmetry, and which did not."""
    found: dict[str, list[str]] = {}
    for comparison in trials:
        for run in comparison.runs:
            if run.subject.name != run.subject.trainer:
                kind = effect(run, comparison).strip("*")
                found.setdefault(kind, []).append(_where(run, comparison, kind))
    said = (
        ("restores it", "The symmetry was restored by {}."),
        ("changes nothing", "No bit of what was compared was changed by {}."),
        ("leaves in another way", "Bits were changed, but units part all the same, with {}."),
        ("breaks it", "The symmetry was broken by {}."),
        ("nothing to restore", "There was nothing to restore for {}."),
    )
    return " ".join(text.format(listed(found[kind])) for kind, text in said if kind in found)


def _where(run: Run, comparison: Comparison, kind: str) -> str:
    """Name a run with its size, and what it costs where that buys anything."""
    plain = plain_run(run, comparison)
    cost = ratio(run, plain.seconds if plain else None)
    price = f", {cost} times the time" if kind == "restores it" and cost != "-" else ""
    return f"{code(run.name)} ({count(comparison.facts.hidden, 'unit')}{price})"


def promises(trials: Sequence[Comparison]) -> list[tuple[str, str]]:
    """Return the kinds of settings that were tried, and what each promises."""
    kinds: dict[str, str] = {}
    for comparison in trials:
        for run in comparison.runs:
            subject = run.subject
            kinds |= {"deterministic": ""} if subject.deterministic else {}
            kinds |= {"threads": ""} if subject.threads else {}
            kinds |= {name: "" for name, _ in subject.variables}
    return [(kind, _PROMISES[kind]) for kind in kinds if kind in _PROMISES]


def milestones(run: Run, limits: Sequence[float]) -> list[str]:
    """Return the first iteration whose spread is at least each limit."""
    reached = [
        next((i for i, value in enumerate(run.spreads, start=1) if value >= limit), None)
        for limit in limits
    ]
    return ["-" if iteration is None else f"{iteration:,}" for iteration in reached]


def environment_lines(study: Study) -> list[tuple[str, str, str]]:
    """Return the processes that are alike, their versions and their libraries."""
    parts = [c for c in (study.frameworks, *study.trials, study.growth) if c is not None]
    alike: dict[tuple[str, str], dict[str, None]] = {}
    for comparison in parts:
        for run in comparison.runs:
            known = run.libraries
            versions = ", ".join(f"{name} {version}" for name, version in known.versions.items())
            pools = [_pool(p.name, p.version, p.kernel, p.threads) for p in known.pools]
            key = versions, "; ".join([*pools, *known.notes])
            where = " (case)" if study.whole and comparison is study.growth else ""
            alike.setdefault(key, {})[code(run.name) + where] = None
    return [(", ".join(who), *key) for key, who in alike.items()]


def _pool(name: str, version: str | None, kernel: str | None, threads: int) -> str:
    words = [name, version, f"({kernel} kernels)" if kernel else None]
    return " ".join(word for word in words if word) + f": {count(threads, 'thread')}"


def command(study: Study) -> str:
    """Return the line that repeats the comparison; places of files are for the reader to fill."""
    if study.whole:
        return "symmetry compare"
    comparison = study.frameworks or study.growth
    assert comparison is not None
    facts, default = comparison.facts, Settings()
    words = ["symmetry compare", *(shlex.quote(run.name) for run in comparison.runs)]
    if facts.case is not None:
        words.append(f"--case {shlex.quote(facts.case.to_json())}")
    else:
        words += ["--data DIR"] if facts.data != "MNIST" else []
        words += [f"--classes {facts.classes}"] if facts.classes != 10 else []
        words.extend(
            f"--{option} {getattr(facts, option)}"
            for option in ("hidden", "iterations", "lr", "dtype")
            if getattr(facts, option) != getattr(default, option)
        )
    usual = CASE_THREADS if facts.case is not None else None
    if comparison.threads != usual:
        words.append(f"--threads {comparison.threads}")
    return " ".join([*words, "--output REPORTS"])


def in_short(run: Run, comparison: Comparison) -> str:
    """Return one run as a line for the terminal, without times."""
    last = run.history[-1]
    found = leaves(run)
    if run.left is not None:
        end = spread(run.spreads[-1] if run.spreads else None)
        found = f"units part in {found} by {start_ulps(run)}: {groups_in_words(run.groups)}, "
        found += f"spread {end}"
    elif run.counted:
        found = "units stay identical"
    width = max(len(each.name) for each in comparison.runs)
    accuracy = percent(last.accuracy)
    return f"{run.name:<{width}}  loss {last.loss:.6f}  accuracy {accuracy:>8}  {found}"
