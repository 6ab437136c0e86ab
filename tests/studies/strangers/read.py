"""Answers to bugs that need a word: why the tool is silent, or says something else."""

_BATCH = "the batch is all data, made before the loop: nothing says what its samples are"
_GRAPHS = "samples are graphs in a list: no module is given one of them alone"
_INSIDE = (
    "the model makes its mask itself, from the numbers of the tokens; padding behind a text that "
    "only padding_idx tells is judged for losses alone"
)

READ: dict[str, str] = {
    "fm/validates-on-training": "loaders are compared with each other; whoever reads the loader of "
    "the training again may want an accuracy of training",
    "pygcn/softmax-over-papers": "told by what the loss is given; papers act on each other through "
    "the graph anyway",
    "pygcn/validates-in-training-mode": "the papers of the validation are rows of one output, with "
    "gradients recorded: nothing says that this call evaluates",
    "nlp-tutorial-seq2seq/view-for-transpose": _BATCH,
    "nlp-tutorial-seq2seq/reads-its-labels": "letters are rows of a unit matrix, not numbers",
    "nlp-tutorial-seq2seq/only-the-last-word": _BATCH,
    "nlp-tutorial-seq2seq/encoder-unused": "an optimiser holds the encoder; parameters that no "
    "loss depends on are not judged, as heads that nobody uses are common",
    "cgcnn/atoms-of-the-first-crystal": _GRAPHS,
    "gin/edges-of-the-first-graph": _GRAPHS,
    "adaptive-span/span-as-a-number": "a sum by Python of numbers, which are 0 at first, was not "
    "known to come from the model: now numbers are followed through Python's arithmetic",
    "cleanrl-dqn/optimiser-of-the-target": "the fact is right, and the cure is that of another "
    "cause: it blames no_grad() around the target network",
    "gan/critic-not-cleared": "the note is true of the same bug: gradients that nothing clears "
    "are a state, and a checkpoint does not hold them",
    "examples-super-resolution/constant-start": "its biases still differ, so the channels do "
    "become different: it is no symmetry",
    "examples-reinforce/softmax-over-states": "caught by its effect: all gradients are zero",
    "wgan-gp/penalty-without-graph": "told: a penalty may be wanted as a number only",
    "vq-autoencoder/trains-in-evaluation": "told by an effect: in evaluation the quantiser hands "
    "no gradient on to the encoder",
    "sac-gaussian/each-reward-with-all-values": "its first targets are made before the step that "
    "is looked at; in a step of its own such a pair is now known once outputs meet it",
    "sac-gaussian/target-into-critic": "caught by its effect",
    "sac-gaussian/sum-over-samples": "it stands in a method of the policy, which is called "
    "without a call of the module",
    "awd-lstm-lm/labels-not-shifted": "its loss is a function of its own",
    "flows/best-is-no-copy": "README promises this of state_dict(), not of the model itself",
    "flows/validates-in-training-mode": "its normalisation is a module of its own",
    "bert/attends-to-padding": _INSIDE,
    "bert/mask-of-the-other-axis": _INSIDE,
    "bert/padding-counts": "the made-up texts are all of one length, so nothing tells padding from "
    "words; with texts of several lengths loss/padding names the line",
    "cleanrl-ppo/ratio-is-one": "judged where the same actions come again in the next update; "
    "these are drawn in another order for each pass",
    "cleanrl-dqn-jax/new-state-dropped": "told: that nothing moves is a note in JAX, where a step "
    "that only evaluates looks the same",
}
