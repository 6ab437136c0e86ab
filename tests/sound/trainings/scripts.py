"""Sound scripts, as people have them: each is a file in ``tests/sound/scripts``."""

from __future__ import annotations

from pathlib import Path

from symmetry.sandbox.source import Source
from symmetry.torch.script.script import Script
from tests.sound.trainings.nearly import ENTRIES, Nearly

FOLDER = Path(__file__).parents[1] / "scripts"


def script(file: Path) -> Script:
    """Return the training of a script that has its folder for a working directory."""
    return Script(Source(file.name, file, folder=file.parent))


SCRIPTS = tuple(map(script, sorted(FOLDER.glob("*.py"))))
WITH_TIMM = tuple(map(script, sorted((FOLDER / "with_timm").glob("*.py"))))


def _enter(name: str, invariant: str, kind: str = "holds", *, note: str = "") -> None:
    """Enter a script that nearly looks broken into the zoo."""
    ENTRIES.append(Nearly(script(FOLDER / "nearly" / f"{name}.py"), invariant, kind, note))


_enter("rate_warmed_up", "training/moves")
_enter("head_of_zeros", "symmetry/stuck")
_enter("body_thawed_later", "training/frozen")
_enter("step_left_out_if_not_finite", "training/finite")
_enter("shortcut_before_in_place", "training/inplace")
_enter("mean_of_shown_tokens", "training/padding")
_enter("tags_of_filled_rows_ignored", "loss/padding")
_enter("mean_of_each_text", "symmetry/micro-batches")
_enter("mean_of_all_micro_batches", "symmetry/micro-batches")
_enter("normalised_micro_batches", "symmetry/micro-batches", "vacuous")
_enter("advantages_in_micro_batches", "symmetry/micro-batches", "vacuous")
_enter("mean_of_each_text", "loss/weights")
_enter("mean_of_all_micro_batches", "loss/weights")
_enter("quarter_of_a_distillation", "loss/weights")
_enter("policy_of_episodes", "loss/weights")
_enter("methods_alone", "symmetry/samples")
_enter("parameters_before_layers", "symmetry/permutation")
_enter("parameters_before_layers", "training/resume")
_enter("called_in_all_forms", "training/runs")
_enter("causal_without_a_mask", "training/padding")
_enter("padding_hidden_by_the_mask", "training/padding", "not applicable")
_enter("codes_under_their_norms", "loss/scaling")
_enter("divergence_of_each_drawn_code", "loss/scaling")
_enter("policy_of_logarithms", "loss/inputs")
_enter("advantage_of_each_state", "loss/pairs")
_enter("values_clipped_for_their_returns", "loss/pairs", "not applicable")
_enter("probe_by_sharpness", "training/moves", note="training/unheld")
_enter("rows_packed_by_length", "model/samples")
_enter("rows_packed_by_length", "symmetry/samples")
_enter("characters_in_windows", "symmetry/samples")
_enter("weights_of_places", "symmetry/samples", "vacuous")
_enter("steps_of_time", "model/samples", "vacuous")
_enter("sum_and_mean_of_slices", "loss/scaling")
_enter("twin_critics", "symmetry/permutation")
_enter("inputs_perturbed_for_free", "symmetry/permutation")
_enter("network_by_hand", "symmetry/permutation")
_enter("encoder_that_follows", "symmetry/permutation")
_enter("equation_at_converted_points", "symmetry/permutation")
_enter("distilled_without_gradients", "symmetry/samples", "vacuous")
_enter("derivative_of_ones_own", "loss/influence")
_enter("model_compiled_by_jit", "symmetry/permutation")
_enter("epoch_counted", "training/runs")
_enter("layers_that_train_themselves", "symmetry/samples", "vacuous")
_enter("targets_with_noise", "symmetry/samples", "vacuous")
