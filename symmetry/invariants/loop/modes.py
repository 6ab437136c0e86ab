"""``loop/modes``: a model that is trained in training mode at first stays in it.

An evaluation calls ``eval()``; the updates that follow need ``train()`` again. Dropouts would be
off for good, and running statistics would stand still. So it is where the evaluation comes first,
if the next one begins with the same ``eval()``. A model that goes on with some of them, as
partial freezing does, is sound; so is an ``eval()`` without an evaluation behind it, as it may be
meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Backward, Called, Epochs, Model, Switched, Updated
from symmetry.units.words import count

EVAL_MODE = NoteKind(
    "loop/eval-mode",
    meaning="A model with dropouts or running statistics is trained in evaluation mode from its "
    "first update on, or with one of its loaders. Call train() before the loop; if the loader is "
    "for evaluation, leave out backward() and step().",
    proof="It fails the check if the loader takes its samples in order, as to evaluate them, while "
    "the one that trains in training mode shuffles. A whole training without dropout may be meant.",
)
FROZEN = NoteKind(
    "loop/frozen",
    meaning="The parameters of a module are frozen, but its running statistics move with each "
    "batch, as those of BatchNorm do in training mode. If all of it is to stay as it is, call "
    "eval() on that part after each train().",
)
RATIO = NoteKind(
    "loop/ratio",
    meaning="The log-ratio of a policy and its reference is not 0 before the first update, though "
    "both have the same parameters and inputs: one of them drops out, and the other does not. Call "
    "eval() on both, or set the rates of all dropouts to 0.",
)
_RATIO = 1e-3  # of the log-probabilities: rounding in 16 bits explains less


@dataclass
class _Mode:
    """The mode and the calls of one model, while the events are read in order."""

    trained_at: set[SourceLine] = field(
        default_factory=set
    )  # lines that called it in training mode
    eval_at: SourceLine | None = None  # of the last eval(), if no train() came since
    evaluated: bool = False  # since then
    # The line that first took it out of training mode, if no train() came since.
    left_at: SourceLine | None = None
    # How often an evaluation followed each eval().
    evaluations: Counter[SourceLine] = field(default_factory=Counter)
    switched: bool = False  # whether a line has switched it
    accused: bool = False

    @property
    def goes_on_at(self) -> SourceLine | None:
        """The eval() that left training mode, if several evaluations begin with it."""
        several = self.left_at is not None and self.evaluations[self.left_at] > 1
        return self.left_at if several else None

    def switch(self, event: Switched) -> None:
        """See ``train()`` or ``eval()``."""
        self.eval_at, self.evaluated = None if event.training else event.at, False
        if event.training:
            self.left_at = None
        elif event.was_training and not self.switched:
            self.left_at = event.at
        self.switched = True

    def evaluate(self) -> None:
        """See a call that leads to no backward."""
        if self.eval_at is not None and not self.evaluated:
            self.evaluated = True
            self.evaluations[self.eval_at] += 1

    pending: list[Called] = field(default_factory=list)  # since the last update


def modes(epochs: Epochs) -> Judgement:
    """Judge the mode of each model at the calls that lead to an update."""
    judgement, known = Judgement(), {m.number: _Mode() for m in epochs.models}
    judgement.applies = epochs.has_modes
    judgement.why = "" if epochs.has_modes else "nothing switches the mode of a model"
    for number, event in enumerate(epochs.events):
        if isinstance(event, Switched):
            known[event.model].switch(event)
        elif isinstance(event, Called):
            mode = known[event.model]
            if number in epochs.evaluations:
                mode.evaluate()
            else:
                mode.pending.append(event)
        elif isinstance(event, Updated):
            for model, mode in known.items():
                _judge(epochs, model, mode, judgement)
                mode.pending = []
    _note_eval_from_the_start(epochs, known, judgement)
    _note_training_on_another_loader(epochs, judgement)
    _note_drift(epochs, judgement)
    _note_ratios(epochs, judgement)
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/modes",
        statement="a model that is trained in training mode at first stays in it",
        reason="an evaluation that calls eval() is followed by train()",
        witness="an update",
        cause="train() is missing behind an evaluation",
        cure="Call train() before each epoch.",
        notes=(EVAL_MODE, FROZEN, RATIO),
    ),
    modes,
    of_functions=True,
)


def _judge(epochs: Epochs, number: int, mode: _Mode, judgement: Judgement) -> None:
    """Judge the calls of a model since the last update."""
    active = [call for call in mode.pending if call.dropouts or call.statistics]
    quiet = [call for call in mode.pending if not call.training]
    model = epochs.models[number]
    reacts = model.dropouts or model.statistics
    if quiet and not active and mode.eval_at is not None and mode.evaluated and reacts:
        at = quiet[-1].at
        if at in mode.trained_at:
            how = "in training mode at first, and in evaluation mode after the first evaluation"
        elif model.is_trained and mode.goes_on_at == mode.eval_at:
            how = "in evaluation mode, since an evaluation comes first"
        else:
            return
        mode.accused = True
        judgement.accuse(
            f"{epochs.words.evaluates} is never undone: {at} trains {model.name} {how}, so that "
            f"{_off(model)}. {epochs.words.trains}",
            mode.eval_at,
        )
    mode.trained_at |= {call.at for call in active}


def _off(model: object) -> str:
    """Say what evaluation mode does to a model."""
    texts = []
    if dropouts := getattr(model, "dropouts", 0):
        texts.append(f"{count(dropouts, 'dropout')} {'is' if dropouts == 1 else 'are'} off")
    if statistics := getattr(model, "statistics", 0):
        many = f"running statistics of {count(statistics, 'module')}"
        texts.append(f"{many} stand still")
    return " and ".join(texts)


def _note_eval_from_the_start(
    epochs: Epochs, known: Mapping[int, _Mode], judgement: Judgement
) -> None:
    """Note models with dropouts that are trained in evaluation mode from first to last."""
    for model in epochs.models:
        calls = [c for c in epochs.events if isinstance(c, Called) and c.model == model.number]
        training = [c for c in calls if c.gradient and _leads_to_backward(epochs, c)]
        if not (training and model.is_trained and model.dropouts) or known[model.number].accused:
            continue
        if not any(c.training or c.dropouts or c.statistics for c in training):
            judgement.note(
                EVAL_MODE,
                f"{model.name} is trained in evaluation mode: {_off(model)}. "
                "If this is not meant, call train() before the loop.",
                training[0].at,
            )


def _note_training_on_another_loader(epochs: Epochs, judgement: Judgement) -> None:
    """Note updates in evaluation mode from a loader that never trains in training mode."""
    read = {n for e in epochs.events if isinstance(e, Updated) for n in e.backwards}
    for model in epochs.models:
        calls = [c for c in epochs.events if isinstance(c, Called) and c.model == model.number]
        calls = [c for c in calls if c.gradient and c.batch is not None]
        calls = [c for c in calls if (b := _backward_of(epochs, c)) and b.number in read]
        trains, evaluates = ([c for c in calls if c.training is mode] for mode in (True, False))
        others = {_made(epochs, c.loader) for c in trains}
        for call in evaluates if trains else ():
            if call.loader is not None and _made(epochs, call.loader) not in others:
                judgement.note(
                    EVAL_MODE,
                    f"{model.name} is trained in evaluation mode with the loader made at "
                    f"{epochs.loaders[call.loader].at}, and in training mode with another one "
                    f"({trains[0].at}). If this loader is for evaluation, leave out backward() and "
                    "step().",
                    call.at,
                    proof=""
                    if not _evaluates(epochs, call, trains)
                    else "with eval() undone "
                    f"{_reacting(model)} in these updates, and the loader takes its samples in "
                    "order, as for an evaluation, while the other one shuffles",
                )


def _evaluates(epochs: Epochs, call: Called, trains: Sequence[Called]) -> bool:
    """Return whether the loader of a call is for evaluation by its order, unlike the others."""
    loaders = [epochs.loaders[each.loader] for each in trains if each.loader is not None]
    own = epochs.loaders[call.loader or 0]
    reacts = epochs.models[call.model].dropouts or epochs.models[call.model].statistics
    in_order = own.sampler == "SequentialSampler"
    return bool(reacts) and in_order and all(each.shuffles for each in loaders)


def _reacting(model: Model) -> str:
    """Say what evaluation mode switches off, were it not there."""
    dropouts = f"{count(model.dropouts, 'dropout')} would drop out" if model.dropouts else ""
    learns = f"running statistics of {count(model.statistics, 'module')} would learn"
    return dropouts or learns


def _made(epochs: Epochs, loader: int | None) -> tuple[SourceLine, int] | None:
    """Return the line and the data of a loader, which may be made anew in each epoch."""
    return None if loader is None else (epochs.loaders[loader].at, epochs.loaders[loader].source)


def _leads_to_backward(epochs: Epochs, call: Called) -> bool:
    """Return whether a backward of trained parameters comes before the model's next call."""
    backward = _backward_of(epochs, call)
    return backward is not None and backward.held > 0


def _backward_of(epochs: Epochs, call: Called) -> Backward | None:
    """Return the backward that comes before the next call of the same model.

    Behind the last call that evaluates a model, that is a backward of another model.
    """
    number = next(i for i, event in enumerate(epochs.events) if event is call)
    if number in epochs.evaluations:
        return None
    for event in epochs.events[number + 1 :]:
        if isinstance(event, Backward):
            return event
        if isinstance(event, Called) and event.model == call.model:
            return None
    return None


def _note_drift(epochs: Epochs, judgement: Judgement) -> None:
    """Note frozen modules whose running statistics move."""
    for model in epochs.models:
        if model.drifting and model.called is not None:
            more = f" and {len(model.drifting) - 1} more" if len(model.drifting) > 1 else ""
            judgement.note(
                FROZEN,
                f"the parameters of {model.drifting[0]}{more} in {model.name} are frozen, but its "
                "running statistics move with each batch. If all of it is to stay as it is, call "
                "eval() on that part after train().",
                model.called,
            )


def _note_ratios(epochs: Epochs, judgement: Judgement) -> None:
    """Note log-ratios of equal models that are not 0, since one of them drops out."""
    for ratio in epochs.ratios:
        one, other = (epochs.events[call] for call in ratio.calls)
        if not (isinstance(one, Called) and isinstance(other, Called)):
            continue
        same = one.digest == other.digest != "" and one.gradient != other.gradient
        differ = bool(one.dropouts) != bool(other.dropouts)
        if same and differ and ratio.largest > ratio.size * _RATIO:
            dropping = one if one.dropouts else other
            active = count(len(dropping.dropouts), "dropout")
            judgement.note(
                RATIO,
                f"this log-ratio is up to {ratio.largest:.2g} before the first update, where it "
                "has to be 0: both models have the same parameters and inputs, but one drops out "
                f"({dropping.at}, {active}). Call eval() on both, or set the rates of all dropouts "
                "to 0.",
                ratio.at,
            )
            return
