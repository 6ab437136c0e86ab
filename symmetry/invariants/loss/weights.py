"""``loss/weights``: in one update all terms of a loss weigh the same, and together 1.

Example: two micro-batches of an update, and the loss of each is the mean over its own tokens.

    micro-batch 1    A A A    a token of A weighs 1/6
    micro-batch 2    B        the one of B weighs 1/2

The token of the short text counts three times as much. Divide the sum of each micro-batch by the
number of tokens in all of them: then each weighs 1/4. If that is divided by the number of
micro-batches once more, by the script and by a trainer, all weights together are 1/2 and not 1.

The weight of a term is the gradient that arrives at it in a backward of the run: no second run is
compared, and the loss need not be known. ``symmetry watch`` shows all weights. Unequal means are a
note for losses of a policy, which some define so, and where no term is masked. Several loaders,
lines, or sets of parameters are several losses, and may count as they like. So may a penalty, such
as a router's, beside a loss whose terms all weigh the same; a likelihood is no penalty.

A sum of the means of several batches is a note (``loop/accumulation``), also where another update
follows from their mean: the learning rate may be meant for the sum, where a part of the network is
updated less often, and optimisers like Adam hardly feel the factor.
"""

from __future__ import annotations

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.loop.judgement import Judgement, judged
from symmetry.invariants.loss.pieces import LossSite, UpdateInPieces, updates_in_pieces
from symmetry.law.measurement import UNEQUAL_MEANS, Measurement
from symmetry.law.note import NoteKind
from symmetry.observe.terms import Terms
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.events import Called, Epochs
from symmetry.training.start import TrainingStart

WEIGHTS = NoteKind("loss/weights")
ACCUMULATION = NoteKind(
    "loop/accumulation",
    meaning="An update sums the gradients of several batches, and nothing divides their mean "
    "losses, so it is as many times as large as with one batch. Divide each loss by their number.",
    why="It stays a note: the learning rate may be meant for the sum.",
)
_ONE = "no update takes several backwards of a loss with terms"
_AGAIN = 2  # updates that have to show it
_CERTAIN = ("likelihood", "distance")  # kinds of terms that are a loss by themselves
_HALVES = 2  # micro-batches of an update: 1/2 is a factor of many losses
_CLOSE = 1e-3  # of two totals that are equal
_APART = 1e-2  # of two weights that are not


def measure(start: TrainingStart) -> Measurement:
    """Judge a run of a script over whole epochs, or of a function over more steps."""
    seen = start.target.sequential or _takes_several(start)
    epochs = start.target.events(start.seed) if seen else None
    if epochs is None:
        return Measurement.not_applicable(_ONE)
    return judged(weights, epochs)


INVARIANT = TrainingInvariant(
    name="loss/weights",
    statement="in an update all terms of a loss weigh the same, and together 1",
    reason="micro-batches are one batch, cut into pieces",
    witness="an update after several backwards",
    cause="each micro-batch is a mean over its own tokens, or the loss is divided twice",
    cure="Divide the sum of an update by its number of tokens, once.",
    targets="PyTorch trainings",
    failure="cuts its updates into pieces that do not add up",
    notes=(WEIGHTS, ACCUMULATION),
    measure=measure,
    dtypes=WRITTEN,
    runs=1,
)


def _takes_several(start: TrainingStart) -> bool:
    """Return whether a step takes several backwards."""
    run = start.begin(noise=True)
    run.step()
    events = run.capability(StepEvents)
    return events is not None and events.backwards > 1


def weights(epochs: Epochs) -> Judgement:
    """Judge the weights that terms have in the updates of several micro-batches."""
    judgement = Judgement()
    updates = [u for u in updates_in_pieces(epochs) if len(u.pieces) > 1 and u.has_lines]
    judgement.applies = bool(updates)
    judgement.why = "" if updates else _ONE
    usual = max((len(update.pieces) for update in updates), default=0)
    for site in dict.fromkeys(site for update in updates for site in update.sites):
        mine = [update for update in updates if site in update.sites]
        uneven = [u for u in mine if _is_mean_of_means(u, site) and not _is_beside_a_whole(u, site)]
        _judge_means(uneven, site, judgement)
        _judge_total([u for u in mine if _is_divided_twice(u, site, usual)], site, judgement)
        _judge_divisor([u for u in mine if _is_whole(u, site, usual)], site, judgement)
    _note_sums([u for u in updates if _is_sum_of_means(u)], judgement)
    return judgement


def _judge_means(updates: list[UpdateInPieces], site: LossSite, judgement: Judgement) -> None:
    """Accuse micro-batches that count equally, though they hold other numbers of terms."""
    alike = [u for u in updates if len({*u.samples}) == 1 and u.samples[0] > 1]
    if not alike:
        return
    terms = [each for each in alike[0].sites[site].values() if each.count]
    most, least = (choose(terms, key=lambda each: each.count) for choose in (max, min))
    fact = (
        f"each of the {len(terms)} micro-batches of an update is divided by its own number of "
        f"terms, so that one of {least.count} terms weighs {least.weight / most.weight:.3g} times "
        f"as much as one of {most.count}"
    )
    at = site.mean_at if site.mean_at.file else alike[0].asked
    is_certain = terms[0].kind in _CERTAIN and any(t.count < t.size for t in terms)
    if len(alike) >= _AGAIN and is_certain:
        cure = "Add up sums, and divide them by the number in all micro-batches."
        judgement.accuse(f"{fact}. {cure}", at, UNEQUAL_MEANS)
    else:
        cure = "If all are to count the same, divide sums by the number in all micro-batches."
        judgement.note(WEIGHTS, f"{fact}. {cure}", at)


def _judge_total(updates: list[UpdateInPieces], site: LossSite, judgement: Judgement) -> None:
    """Accuse losses that are divided by the number of micro-batches twice."""
    if len(updates) < _AGAIN:
        return
    pieces, at = len(updates[0].pieces), updates[0].sites[site][0].weighed_at
    judgement.accuse(
        f"all terms of the loss in the {pieces} micro-batches of an update together weigh "
        f"1/{pieces}, and not 1: it is divided by their number twice. Divide it once.",
        at if at.file else updates[0].asked,
    )


def _judge_divisor(updates: list[UpdateInPieces], site: LossSite, judgement: Judgement) -> None:
    """Accuse sums that are divided by a number of the update, and by the number of micro-batches.

    A constant may be that number by chance, so it has to follow the updates.
    """
    for words in _numbers(updates[0], site) if updates else ():
        divided = {
            number: update
            for update in updates
            if _is_divided_by(update, site, number := _numbers(update, site)[words])
        }
        if len(divided) >= _AGAIN:
            number, update = next(iter(divided.items()))
            pieces, at = len(update.pieces), update.sites[site][0].weighed_at
            judgement.accuse(
                f"the loss in the {pieces} micro-batches of an update is divided by {number}, the "
                f"number of {words} in all of them, and by {pieces} as well. Leave out one of "
                "the two.",
                at if at.file else update.asked,
            )
            return


def _note_sums(updates: list[UpdateInPieces], judgement: Judgement) -> None:
    """Note updates that sum up the means of several batches, which nothing divides."""
    if len(updates) < _AGAIN:
        return
    pieces, asked = len(updates[0].pieces), updates[0].asked
    judgement.note(
        ACCUMULATION,
        f"this update sums the gradients of {pieces} batches, and nothing divides their mean "
        f"losses ({asked}): it is {pieces} times as large as with one batch. Divide each loss by "
        f"{pieces}.",
        updates[0].updated.at,
    )


def _is_mean_of_means(update: UpdateInPieces, site: LossSite) -> bool:
    """Return whether micro-batches weigh the same, and their terms do not."""
    terms = [each for each in update.sites[site].values() if each.count]
    return (
        len(terms) > 1
        and _is_one_loss(update)
        and all(each.are_equal and each.size > 1 for each in terms)
        and _are_close([each.total for each in terms], _CLOSE)
        and not _are_close([each.weight for each in terms], _APART)
    )


def _is_beside_a_whole(update: UpdateInPieces, site: LossSite) -> bool:
    """Return whether all terms of another loss weigh the same, in pieces of unequal numbers.

    The script divides that loss by the number in all pieces. The site is a penalty of each piece,
    unless its terms are likelihoods: no penalty is one.
    """
    if any(terms.kind == "likelihood" for terms in update.sites[site].values()):
        return False
    return any(
        len({each.count for each in terms.values()}) > 1
        and all(each.are_equal for each in terms.values())
        and _are_close([each.weight for each in terms.values()], _CLOSE)
        for other, terms in update.sites.items()
        if other != site
    )


def _is_divided_twice(update: UpdateInPieces, site: LossSite, usual: int) -> bool:
    """Return whether a loss is all of the update, and weighs 1 by the number of its pieces.

    The last pieces of an epoch may be fewer than ``usual``. With two, half a loss is usual, too.
    """
    terms = update.sites[site]
    total = sum(each.total for each in terms.values())
    return _is_whole(update, site, usual) and _are_close([len(terms) * total, 1.0], _CLOSE)


def _is_whole(update: UpdateInPieces, site: LossSite, usual: int) -> bool:
    """Return whether a loss is all of an update in as many pieces as most have."""
    return (
        len(update.pieces) == usual > _HALVES
        and _is_only_site(update, site)
        and update.updated.factors[1] < 1 + _CLOSE
    )


def _numbers(update: UpdateInPieces, site: LossSite) -> dict[str, int]:
    """Return numbers by which losses are divided in place of the number of their terms."""
    terms, rows = update.sites[site].values(), sum(update.samples)
    count, size = sum(each.count for each in terms), sum(each.size for each in terms)
    tokens = {"tokens before labels are shifted": count + rows}
    return {**tokens, "places": size, "places before labels are shifted": size + rows}


def _is_divided_by(update: UpdateInPieces, site: LossSite, number: int) -> bool:
    """Return whether all terms weigh 1 by a number, divided by the number of the pieces."""
    terms, wanted = [*update.sites[site].values()], 1 / (number * len(update.pieces))
    return (
        number > sum(each.count for each in terms)  # else it is divided twice by one number
        and all(each.are_equal for each in terms)
        and _are_close([*(each.weight for each in terms), wanted], _CLOSE)
    )


def _is_sum_of_means(update: UpdateInPieces) -> bool:
    """Return whether the loss of each batch weighs 1, and so their number all together."""
    site, *_ = update.sites
    number = len(update.pieces)
    return (
        _is_only_site(update, site)
        and all(_are_close([each.total, 1.0], _CLOSE) for each in update.sites[site].values())
        and not _are_close([number * update.updated.factors[0], 1.0], _CLOSE)
        and _are_other_batches(update)
    )


def _is_only_site(update: UpdateInPieces, site: LossSite) -> bool:
    """Return whether nothing but means at one place makes the loss of each piece."""
    terms = update.sites[site]
    return (
        len(update.sites) == 1
        and len(terms) == len(update.pieces)
        and _is_one_loss(update)
        and all(each.size > 1 and _is_normalised(each) for each in terms.values())
        and not any(each.kind == "product" for each in terms.values())  # with learned weights, say
    )


def _is_normalised(terms: Terms) -> bool:
    return terms.are_equal or terms.are_of_equal_rows


def _is_one_loss(update: UpdateInPieces) -> bool:
    """Return whether one line differentiates the losses of one loader for the same parameters."""
    backwards = [piece.backward for piece in update.pieces]
    return (
        len({each.at for each in backwards}) == 1
        and len({each.reached for each in backwards}) == 1
        and len(update.loaders) <= 1
        and not any(each.beside for each in backwards)
    )


def _are_other_batches(update: UpdateInPieces) -> bool:
    """Return whether each piece has samples of its own, and is no other view of the same ones."""
    calls = [c for p in update.pieces for c in p.events if isinstance(c, Called) and c.digest]
    if len({call.digest for call in calls}) < len(update.pieces):
        return False
    loaded = sum(len(piece.batches) for piece in update.pieces)
    return loaded != 1 or len(update.pieces) > 2


def _are_close(numbers: list[float], share: float) -> bool:
    return max(numbers) - min(numbers) <= share * max(numbers)
