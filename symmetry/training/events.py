"""The events of a run over whole epochs, in their order.

All numbers of loaders, iterators, models, optimisers, backwards and clips count from 0, each in the
order in which they were first seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from symmetry.base.errors import Failure
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.observe.terms import Terms
from symmetry.training.recuts import Recut

NOT_COMPILED = -1  # in place of a draw: a run that is as written, but not compiled

States = Mapping[str, str]  # a digest of the state of each shared random generator, by its name


@dataclass(frozen=True, kw_only=True)
class LoopEvent:
    """Something that a script did."""

    at: SourceLine  # the line of the user's code
    update: int  # how many updates came before it


@dataclass(frozen=True, kw_only=True)
class Batch(LoopEvent):
    """A loader gave a batch."""

    loader: int
    iterator: int
    number: int  # in this iterator, from 1
    digest: str  # of its bytes; empty if it holds no tensors
    order: tuple[int, ...] | None  # the indices of its samples; None if the data set has none
    shapes: tuple[str, ...]  # of its tensors
    states: States  # after it was made


@dataclass(frozen=True, kw_only=True)
class Exhausted(LoopEvent):
    """An iterator of a loader gave no further batch."""

    loader: int
    iterator: int
    cut: bool  # whether this run ended it early


@dataclass(frozen=True, kw_only=True)
class Called(LoopEvent):
    """A module was called that is in no other call."""

    model: int
    gradient: bool  # whether gradients are recorded
    training: bool  # the module's own flag
    dropouts: tuple[str, ...]  # names of those that are active
    statistics: tuple[str, ...]  # names of the running statistics that the call changes
    batch: int | None  # the number of the batch event that the call is given; None if none
    loader: int | None  # whose batch is the last one
    is_used: bool  # whether the line does anything with the result
    shapes: tuple[str, ...]  # of the tensors it is called with
    digest: str  # of the bytes of these
    # Digests of the rows of tensors that these come from: noise may have been added since.
    rows: tuple[str, ...] = ()
    # Lines that compute running statistics which nothing is given, while the old ones are not read.
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Measured(LoopEvent):
    """Numbers were computed that can be compared with those of another run."""

    # "forward": a model returned them; "loss": a loss function of the framework did; "update": the
    # parameters of an optimiser after its step.
    phase: str
    name: str  # the class of the model or optimiser, or the function
    values: tuple[float, ...]  # a single number itself; the sum and the norm of each larger tensor
    # The sum of a loss over its entries, whatever its reduction; None for all else, and for losses
    # that can be differentiated.
    total: float | None = None


@dataclass(frozen=True, kw_only=True)
class Backward(LoopEvent):
    """A loss was differentiated."""

    number: int
    held: int  # how many parameters of optimisers it reached
    beside: bool  # whether it reaches other leaves, such as inputs, or may do so
    operation: str  # that made the loss: "MeanBackward0"
    # The numbers of the events of the calls that lead to it; None if they are not known.
    calls: frozenset[int] | None = None
    reached: frozenset[int] = frozenset()  # the numbers of these parameters
    terms: tuple[Terms, ...] = ()  # of the loss, in the first backwards of a run
    is_read: bool = True  # whether anything reads its gradients, where a call returns them


@dataclass(frozen=True, kw_only=True)
class Cleared(LoopEvent):
    """Gradients were set to zero or None."""

    lost: tuple[int, ...]  # the backwards that nothing has read, and nothing can read any more


@dataclass(frozen=True, kw_only=True)
class Clipped(LoopEvent):
    """Gradients were clipped."""

    number: int
    limit: float
    gradients: int  # how many there were to clip
    is_empty: bool  # whether it was given no parameters
    is_exhausted: bool  # whether it was given a generator that was used up


@dataclass(frozen=True, kw_only=True)
class Updated(LoopEvent):
    """An optimiser has stepped."""

    optimizer: int
    rates: tuple[float, ...]  # the learning rate of each group
    backwards: tuple[int, ...]  # those whose gradients it read
    again: tuple[int, ...]  # those of them that the step before read, and the user's code did not
    clips: tuple[int, ...]  # those whose gradients it read
    states: States
    # The factors of gradients since the last of several backwards, the smallest and the largest.
    factors: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Scheduled(LoopEvent):
    """A scheduler has stepped."""

    kind: str
    rates: tuple[float, ...]  # the new ones
    scheduler: int = 0


@dataclass(frozen=True, kw_only=True)
class Switched(LoopEvent):
    """``train()`` or ``eval()`` was called on a module that is not inside another such call."""

    model: int
    training: bool
    was_training: bool = True  # before


@dataclass(frozen=True, kw_only=True)
class Seeded(LoopEvent):
    """A shared random generator was seeded."""

    generator: str
    states: States  # afterwards


@dataclass(frozen=True, kw_only=True)
class Restored(LoopEvent):
    """Tensors were written into a model: by ``load_state_dict``, or one by one by a line."""

    model: int | None  # the number of the model, if ``load_state_dict`` was called
    tensors: int
    own: int  # how many of them share memory with what they are written into
    taken: SourceLine | None  # where ``state_dict()`` returned them; None if it is not known
    updates: int  # how many came since
    loads: int = 0  # how many into the same model came since
    takes: int = 0  # at how many different updates that line took a state
    matched: int = 0  # how many of the tensors have the name of one of the model's
    # The names of others that fit tensors of the model but for a prefix, and the names of these.
    elsewhere: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Saved(LoopEvent):
    """A checkpoint was written."""

    keys: tuple[str, ...]  # of the dictionary that was saved
    position: bool  # whether an epoch or a step is in it
    model: bool  # whether the state of a model is in it
    optimizer: bool  # whether the state of an optimiser is
    taken: SourceLine | None = None  # where the model's was taken, if that was before an update
    updates: int = 0  # how many came since
    untrained: int = 0  # its tensors, if training began with each of them, and has moved others
    numbers: Mapping[str, int] = field(default_factory=dict)  # whole numbers in the dictionary


@dataclass(frozen=True, kw_only=True)
class Misspelt(LoopEvent):
    """An attribute was set that its object does not have, and that is close to one it has."""

    owner: str  # what it was set on, in words: "a Parameter"
    name: str
    meant: str  # the attribute that is there
    value: str  # what it was set to
    actual: str  # the value of the attribute that is there, at the next update


@dataclass(frozen=True, kw_only=True)
class Evaluated(LoopEvent):
    """The ``evaluate`` of a function has returned."""

    first: int  # the number of its first event
    changed: tuple[str, ...]  # names of arrays, gradients and modes that are not as before


@dataclass(frozen=True, kw_only=True)
class Turns:
    """The samples of a data set that many passes of a loader's sampler draw."""

    samples: int  # of the data set
    never: tuple[int, ...]  # those that no pass draws
    size: int = 1  # of the largest batch
    dropped: bool = False  # whether a loader in a fixed order drops its last batch, as it is told


@dataclass(frozen=True, kw_only=True)
class SlicesRead:
    """A long tensor with one axis, of which a loop reads slices in their order, again and again."""

    at: SourceLine
    length: int
    end: int  # the first entry that no slice reads
    size: int  # of a slice


@dataclass(frozen=True, kw_only=True)
class Metric(Recut):
    """A number of an evaluation, whose batches were cut anew."""

    at: SourceLine  # of the loop over these
    size: int  # of a batch, as the script has it
    # The weight that a smaller last batch has in a mean of batches, and not in one of all samples.
    excess: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Left:
    """A change by an observation that is still there at the next update."""

    kind: str  # "mode", "hook", "requires_grad" or "weights"
    name: str  # of the module or the parameter; empty for weights
    function: str  # the user's, that observes; empty for weights
    at: SourceLine
    rounds: tuple[int, ...] = ()  # the updates before which it did


@dataclass(frozen=True, kw_only=True)
class Loader:
    """A loader that gave batches."""

    number: int
    at: SourceLine
    variable: str = ""  # that holds it in the script; empty if it is not known
    data: str  # the class of its data set
    samples: int | None  # how many; None if that is not known
    batches: int | None  # likewise
    size: int | None  # the largest number of samples in a batch
    sampler: str  # the class of its sampler
    shuffles: bool  # whether that puts the samples into a random order
    workers: int  # its worker processes
    # The mistake that two of its workers share, if they were emulated: "numbers" if they draw the
    # same ones, "samples" if each yields all of them, "" if neither.
    shared: str = ""
    weights: int | None = None  # how many the sampler has, if it draws by weights
    # Whether all samples of a batch are in one memory, which each of them overwrites.
    overwritten: bool = False
    read_at: SourceLine = NOWHERE  # the user's ``__getitem__``
    generators: tuple[str, ...] = ()  # of the same numbers, by name, as far as known
    seeded_at: SourceLine = NOWHERE  # the user's ``worker_init_fn``
    why: str = ""  # why its workers were not emulated
    # How many batches an epoch has by its length, where the loop of a library ends it there: then
    # no further batch is taken, and nothing is exhausted.
    shown: int | None = None
    source: int = 0  # a number of the data set below all subsets
    indices: frozenset[int] | None = None  # its samples that are loaded; None if it is all of them
    # Digests of its first samples, in order; none if it is the only loader, or cannot be read.
    contents: tuple[str, ...] = ()
    varies: bool = False  # whether a sample is another one when it is read under another seed
    turns: Turns | None = None  # of its samples; None if that is not known
    data_set: int = 0  # a number of its data set, or of the one below subsets
    # Labels of the first, middle and last batch, if they come in order and have one label each.
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Model:
    """A module that was called."""

    number: int
    name: str  # of its class
    variable: str = ""  # that holds it in the script; empty if it is not known
    parameters: int  # how many numbers they have
    is_trained: bool  # whether an optimiser holds one of them
    follows: bool = False  # whether it is a copy that follows a trained one, as an average does
    dropouts: int  # how many modules drop out where they are in training mode
    statistics: int  # how many keep running statistics
    # Modules whose running statistics move, and whose parameters are frozen and do not.
    drifting: tuple[str, ...] = ()
    called: SourceLine | None = None  # where it was called when they moved


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key of random numbers by which a loop draws, again and again."""

    at: SourceLine  # the line that draws
    draws: str  # its draws, in words: "dropout"
    values: int  # how many different keys there were
    times: int  # how often it drew
    made: SourceLine = NOWHERE  # that makes the key from a seed; none if that was before the loop


@dataclass(frozen=True, kw_only=True)
class Score:
    """A call without gradients whose result was compared with data, and trained nothing."""

    call: int  # the number of its event
    of_other_data: bool  # whether it is certain that the model is not trained with its data


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A difference of log-probabilities of two calls with the same parameters, before updates."""

    at: SourceLine
    calls: tuple[int, int]  # the numbers of their events
    largest: float  # without its sign
    size: float  # of the log-probabilities


@dataclass(frozen=True, kw_only=True)
class BatchRows:
    """Some rows of a tensor, which a call with gradients is given."""

    call: int  # the number of its event
    place: int  # where they lie
    share: float  # of the tensor
    anew: bool  # whether they were read for this call
    others_are_read: bool  # whether anything reads other rows of the tensor


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A module that follows a trained one, as an average of its weights does."""

    name: str  # its class
    of: str  # the class of the trained one
    weights: tuple[float, ...]  # by update, the share of the trained weights that went into it
    stale: tuple[str, ...]  # buffers that the trained model changes, and the copy never takes over
    is_evaluated: bool  # whether it is called in evaluation mode
    at: SourceLine  # where it was first written, or called


@dataclass(frozen=True, kw_only=True)
class Unused:
    """A line whose results have a gradient, and are never used: nothing reads or adds them."""

    at: SourceLine
    function: str  # of the user's own, as in "Scaled.apply"; empty if the results are numbers
    times: int  # how often it made one
    updates: int  # between how many updates


@dataclass(frozen=True, kw_only=True)
class RoundedTensor:
    """A parameter of 16 bits, and how much of its updates it keeps."""

    name: str  # empty if it is in no module
    dtype: str  # "bfloat16"
    numbers: int
    kept: float  # the share of the movement of a copy in float32 that it makes, too
    still: float  # the share of the entries that only the copy moves
    updates: int


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """An optimiser that holds parameters of 16 bits."""

    optimizer: int
    numbers: int  # in all of its parameters
    tensors: tuple[RoundedTensor, ...]  # without those whose rests are kept elsewhere
    why: str = ""  # why nothing is known of them


@dataclass(frozen=True, kw_only=True)
class SameFunction:
    """Two models that have to compute the same."""

    at: SourceLine  # where one was made of the other
    kind: str  # "saved", and the other one is loaded from its files; or "merged"
    model: str  # its class
    distance: float  # of their outputs, relative to the largest one
    eps: float  # of their parameters, the larger one
    missing: tuple[str, ...]  # names of tensors that no file has
    other: str  # what else is not the same, and in no file; empty if nothing


@dataclass(frozen=True, kw_only=True)
class Initialised:
    """Parameters that loading has left as they were, and nothing trains; outputs depend on them."""

    at: SourceLine  # where the others were loaded
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Unfrozen:
    """Parameters that were frozen or absent at an update, have gradients later, and stay."""

    at: SourceLine  # of the first of these updates
    model: str  # the name of its class; optimisers hold other parameters of it
    names: tuple[str, ...]
    updates: int  # with a gradient of the first of them
    is_new: bool = False  # whether the first of them was absent at the first update


@dataclass(frozen=True, kw_only=True)
class SharedNoise:
    """Random numbers without an axis of the samples that meet results of a model."""

    at: SourceLine
    shape: tuple[int, ...]
    meets: tuple[int, ...]  # the shape of the results
    times: int


@dataclass(frozen=True, kw_only=True)
class Unheld:
    """A parameter of no module that backwards reach, no optimiser holds, and nothing changes."""

    at: SourceLine  # of the first of these backwards
    variable: str  # that holds it in the script; empty if it is not known
    shape: str
    backwards: int  # how many reach it


@dataclass(frozen=True, kw_only=True)
class SteppedOptimizer:
    """An optimiser that stepped."""

    number: int
    kind: str
    variable: str = ""  # that holds it in the script; empty if it is not known
    parameters: int  # how many tensors it holds
    has_state: bool
    initial: tuple[float, ...] = ()  # the learning rate of each group when it was made
    schedules: tuple[str, ...] = ()  # the classes of the schedulers that were made for it
    twice: str = ""  # the class of two of them that have the same settings
    by_group: bool = False  # whether a schedule was made with a function for each group
    held: frozenset[int] = frozenset()  # the numbers of those that a backward has reached


@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """A scheduler that stepped, and is in no other."""

    number: int
    kind: str
    steps: int | None  # after which its rates end, or do not change any more; None if never


@dataclass(frozen=True, kw_only=True)
class LoopWords:
    """Names that a framework has for things of a loop, in messages."""

    framework: str  # its name
    worker: str  # a call that returns the number of a worker
    worker_seed: str  # a call that returns the seed of a worker
    draw: str  # a function that draws random numbers
    copies: str  # which functions copy an array, and which do not
    no_gradients: str  # a block without gradients
    save: str  # the function that writes a checkpoint
    seeded: frozenset[str]  # generators that it seeds in each worker
    evaluates: str  # a call that switches a model to evaluation
    trains: str  # how to undo that, as a sentence
    quietly: str  # how to evaluate a model, as a sentence
    state: str = "the state of the optimiser"  # what is kept beside parameters and their averages


@dataclass(frozen=True, kw_only=True)
class Epochs:
    """A run over whole epochs: its events, and what took part in them."""

    name: str
    words: LoopWords  # of its framework
    events: tuple[LoopEvent, ...]
    loaders: tuple[Loader, ...]
    models: tuple[Model, ...]
    optimizers: tuple[SteppedOptimizer, ...]
    schedulers: tuple[Scheduler, ...] = ()
    copies: tuple[Copy, ...] = ()
    scores: tuple[Score, ...] = ()
    rows: tuple[BatchRows, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    keys: tuple[Key, ...] = ()
    unused: tuple[Unused, ...] | None = None  # None where the uses of results are not seen
    rounded: tuple[Rounded, ...] = ()
    identities: tuple[SameFunction, ...] = ()
    initialised: tuple[Initialised, ...] = ()
    left: tuple[Left, ...] = ()  # by observations
    slices: tuple[SlicesRead, ...] = ()
    metrics: tuple[Metric, ...] = ()
    unfrozen: tuple[Unfrozen, ...] = ()  # or made late, and no optimiser holds them
    unheld: tuple[Unheld, ...] = ()
    noise: tuple[SharedNoise, ...] = ()
    # Lines that compute running averages whose old value is another one in a later call.
    averages: frozenset[SourceLine] = frozenset()
    # Lines that compute running averages, where an evaluation reads the old value of the start.
    stale: frozenset[SourceLine] = frozenset()
    has_modes: bool = True  # whether models have modes that are switched
    sees_attributes: bool = True  # whether attributes that are set are seen
    ended: str  # why: "the script's end", for example
    is_whole: bool  # whether the script reached its end
    # In words, the loaders whose epochs were cut, and those that were not, with the reason.
    shortened: tuple[str, ...] = ()
    unshortened: tuple[str, ...] = ()
    # The error of the script when its epochs were shortened; then this is a run as it is written.
    refused: str = ""
    error: str = ""  # that ended it
    # The same for comparison with other runs, also if that was in a refused run; None if the script
    # raised nothing, or only lacked something that is not here.
    failure: Failure | None = None
    start: tuple[tuple[str, str], ...] = ()  # names and digests of parameters at the first call
    without_seed: tuple[str, ...] = ()  # libraries whose shared generator it draws from unseeded
    is_limited: bool = False  # whether it ended because it took too long
    has_saved: bool = False  # in a framework whose saves are no events
    is_function: bool = False  # a function with ``evaluate`` between its steps, and no script
    disturbed: str = ""  # the first parameter that has other bits in a later step by ``evaluate``
    compiles: bool = False  # by something that compiles nothing where operations round otherwise
    seconds: float = field(default=0.0, compare=False)  # of the CPU

    def of(self, *kinds: type[LoopEvent]) -> tuple[LoopEvent, ...]:
        """Return the events of these kinds."""
        return tuple(event for event in self.events if isinstance(event, kinds))

    @cached_property
    def evaluations(self) -> frozenset[int]:
        """The numbers of the calls that evaluate: their results lead to no backward.

        Calls that record gradients only count if each later backward is known to leave them out,
        and if one came later: the last calls of a run that ends early may still lead to one.
        """
        leads, last, unknown = set[int](), -1, -1
        for number, event in enumerate(self.events):
            if isinstance(event, Backward):
                last = number
                unknown = number if event.calls is None else unknown
                leads |= event.calls or set()
        return frozenset(
            number
            for number, event in enumerate(self.events)
            if isinstance(event, Called)
            if not event.gradient or (unknown < number < last and number not in leads)
        )

    @cached_property
    def training_loaders(self) -> frozenset[int]:
        """The loaders one of whose batches leads to a backward; others evaluate.

        A batch leads to those that come before its iterator ends, unless all calls that batches of
        its loader are given to record no gradients, or lead to none of these backwards.
        """
        backwards = [(n, e) for n, e in enumerate(self.events) if isinstance(e, Backward)]
        leads = {call for _, backward in backwards for call in backward.calls or ()}
        unknown = max((n for n, backward in backwards if backward.calls is None), default=-1)
        reached: set[int] = set()
        unfinished: set[int] = set()
        gradients: dict[int, bool] = {}
        for number, event in enumerate(self.events):
            if isinstance(event, Batch):
                unfinished.add(event.loader)
            elif isinstance(event, Exhausted):
                unfinished.discard(event.loader)
            elif isinstance(event, Backward):
                reached |= unfinished
            elif isinstance(event, Called) and event.batch is not None and event.loader is not None:
                may_lead = event.gradient and (number in leads or number < unknown)
                gradients[event.loader] = gradients.get(event.loader, False) or may_lead
        return frozenset(loader for loader in reached if gradients.get(loader, True))
