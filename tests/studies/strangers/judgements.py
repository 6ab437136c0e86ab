"""What each answer is worth, judged by hand before anything was mended, and the proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["true", "false", "useless", "unfair"]


@dataclass(frozen=True)
class Judgement:
    """One answer as it came, and what became of it."""

    came: str  # its first line, or the problem and the notes that matter
    kind: Kind  # useless: true, and of no use; unfair: exit 2 for a reason of the tool's own
    proof: str
    mended: bool = False


JUDGEMENTS: dict[str, Judgement] = {
    "pygcn": Judgement(
        "sound (17 checks), model/samples lost to an error of its own",
        "true",
        "read: one loss of the labelled papers, dropout and modes are switched. The lost check "
        "took the largest entry of a sparse tensor",
    ),
    "pygat": Judgement(
        "sound so far: 15 of 19 checks within 120 s",
        "true",
        "read: as pygcn, with attention over all pairs of papers",
    ),
    "cgcnn": Judgement("sound (20 checks)", "true", "read: the loop of pytorch/examples"),
    "hamiltonian-nn": Judgement(
        "sound, but for 1 layer without equal units (15 checks)",
        "true",
        "read: the two outputs are the parts of a field, hnn.py:28 splits them",
    ),
    "tiny-diffusion": Judgement(
        "exit 2: the check disturbs the script: the random numbers of Python is not the same",
        "unfair",
        "a library draws from Python's generator as it is imported, which a check does once",
        mended=True,
    ),
    "x-transformers": Judgement(
        "sound so far: 2 of 38 checks within 120 s",
        "useless",
        "19 million parameters, four micro-batches: two checks took all the time",
    ),
    "transfusion": Judgement(
        "sound (17 checks), run on the CPU in place of CUDA", "true", "read: one loss, no modes"
    ),
    "transfusion-mnist": Judgement(
        "exit 2: the check disturbs the script: the loss is not the same in update 1",
        "unfair",
        "it times three ways to compute a batch and takes the quickest: plain runs differ, too",
    ),
    "wgan-gp": Judgement(
        "sound (17 checks)",
        "true",
        "read: the critic's loss reaches the generator, whose zero_grad() comes behind it",
    ),
    "x-transformers-parity": Judgement(
        "sound (16 checks), run on the CPU in place of CUDA; no gradient reaches to_q and to_k",
        "true",
        "read: its first texts have one token, and a softmax over one key has no gradient",
    ),
    "acgan": Judgement(
        "1 violation, loss/inputs: cross_entropy is given probabilities",
        "true",
        "acgan.py:100: aux_layer ends with nn.Softmax(), and CrossEntropyLoss applies another one",
    ),
    "resnet-cifar10": Judgement(
        "1 violation, loop/copies: the checkpoint lacks the state of SGD",
        "true",
        "--resume loads weights and epoch only, so SGD goes on with an empty momentum",
    ),
    "supcontrast": Judgement(
        "sound so far: 3 of 31 checks within 120 s",
        "useless",
        "a ResNet-18 on pairs of views: three checks took all the time",
    ),
    "cifar100": Judgement(
        "sound so far: 22 of 26 checks within 120 s",
        "true",
        "read: modes, order of calls and schedules are as they should be",
    ),
    "unet": Judgement(
        "sound so far: 17 of 28 checks within 120 s",
        "true",
        "read: two terms of one loss, clipped behind unscale_(); evaluate() puts the mode back",
    ),
    "ddpm-cifar": Judgement(
        "sound so far: 2 of 39 checks within 120 s",
        "useless",
        "a U-Net with attention in float64: two checks took all the time",
    ),
    "text-cnn": Judgement(
        "sound (20 checks)", "true", "read: each batch calls train(); no evaluation in six updates"
    ),
    "char-rnn": Judgement(
        "fails: train.py:66 raises IndexError",
        "true",
        "loss.data[0] of 2017 fails with each PyTorch from 0.5 on",
    ),
    "nlp-tutorial-seq2seq": Judgement("sound (16 checks)", "true", "read: one batch, one loss"),
    "nlp-tutorial-transformer": Judgement(
        "sound so far: 14 of 18 checks within 120 s",
        "true",
        "read: inputs and labels are shifted by hand, the mask hides what comes later",
    ),
    "minimind-pretrain": Judgement(
        "1 violation, loss/weights: micro-batches are divided by their own numbers of tokens",
        "true",
        "train_pretrain.py divides each mean by accumulation_steps; texts have other lengths",
    ),
    "minimind-dpo": Judgement(
        "sound so far: 17 of 18 checks within 120 s",
        "true",
        "read: reference without gradients, masks on both sides, the last micro-batches are used",
    ),
    "cleanrl-dqn": Judgement(
        "sound (21 checks)",
        "true",
        "read: targets without gradients, gather and squeeze on equal shapes, the copy is apart",
    ),
    "cleanrl-ppo": Judgement(
        "sound (21 checks)",
        "true",
        "read: the rollout is without gradients, the clipped losses are means of one minibatch",
    ),
    "cleanrl-dqn-jax": Judgement(
        "sound (16 checks)", "true", "read: targets come from parameters that value_and_grad skips"
    ),
    "examples-mnist": Judgement(
        "sound (23 checks)", "true", "read: modes are switched, the schedule steps once an epoch"
    ),
    "examples-reinforce": Judgement(
        "sound (16 checks)",
        "true",
        "read: one sum of an episode's terms, lists are emptied behind it",
    ),
    "examples-actor-critic": Judgement(
        "sound (17 checks)", "true", "read: value.item() in the advantage, both losses are summed"
    ),
    "gan": Judgement(
        "sound (20 checks)",
        "true",
        "read: detach() for the discriminator, each zero_grad() is there",
    ),
    "cgan": Judgement(
        "sound (20 checks)", "true", "read: as gan.py, labels are embedded on both sides"
    ),
    "gin": Judgement(
        "sound (19 checks)",
        "true",
        "read: modes and detach() are there; scheduler.step() before an epoch shifts it by one, of "
        "which no check speaks",
    ),
    "examples-ddp-single-gpu": Judgement(
        "1 violation, loss/inputs: cross_entropy is given one class, so it is always zero",
        "true",
        "single_gpu.py:25: its model is Linear(20, 1), and a softmax over one class is 1",
    ),
    "sac-gaussian": Judgement(
        "sound (18 checks)",
        "true",
        "read: the target is without gradients, each of its losses has an optimizer of its own",
    ),
    "td3-td3": Judgement(
        "sound so far: 13 of 17 checks within 120 s",
        "true",
        "read: targets are without gradients and smoothed, the actor steps each second time",
    ),
    "vq-autoencoder": Judgement(
        "sound (19 checks)", "true", "read: two terms of one loss, the codebook is an average"
    ),
    "morvan-optimizer": Judgement(
        "sound (19 checks); no gradient reaches net_Adam, net_RMSprop in the first two steps",
        "false",
        "four networks with an optimizer each take turns: the first two steps are of the others",
        mended=True,
    ),
    "morvan-dropout": Judgement(
        "sound (17 checks)", "true", "read: two networks, their modes are switched and put back"
    ),
    "cleanrl-c51": Judgement(
        "sound (19 checks)", "true", "read: the projection is without gradients, the target a copy"
    ),
    "mixup": Judgement(
        "fails: train.py:158 raises IndexError",
        "true",
        "loss.data[0] of 2018 fails with each PyTorch from 0.5 on",
    ),
    "bert": Judgement(
        "1 violation, loop/evaluation: BERTLM is evaluated in training mode; notes loop/augmented "
        "and loop/overlap",
        "true",
        "pretrain.py: test() calls iteration(), which never calls eval(); its data set masks words "
        "anew in each epoch; the recipe gives one corpus for both",
    ),
    "fm": Judgement(
        "sound (24 checks), note loop/order: batches of 2 epochs come in the same order",
        "true",
        "read: zero_grad, backward, step, modes are switched; main.py:157 does not shuffle",
    ),
    "nlp-tutorial-nnlm": Judgement(
        "sound (16 checks), note symmetry/hash-order",
        "true",
        "read: one batch, one loss; words are numbered by list(set(...))",
    ),
    "nlp-tutorial-word2vec": Judgement(
        "sound (16 checks), note symmetry/hash-order",
        "true",
        "read: a pair is drawn for each update; words are numbered by list(set(...))",
    ),
    "nlp-tutorial-textcnn": Judgement(
        "sound (16 checks), note symmetry/hash-order",
        "true",
        "read: one batch, one loss; words are numbered by list(set(...))",
    ),
    "nlp-tutorial-textrnn": Judgement(
        "sound (16 checks), note symmetry/hash-order",
        "true",
        "read: one batch, hidden states begin at zero; words are numbered by list(set(...))",
    ),
    "nlp-tutorial-textlstm": Judgement(
        "sound (16 checks)", "true", "read: one batch, one loss; letters are numbered by a string"
    ),
    "nlp-tutorial-bilstm": Judgement(
        "sound (16 checks), note symmetry/hash-order",
        "true",
        "read: one batch, one loss; two sets number the words, equal only within one process",
    ),
    "nlp-tutorial-attention": Judgement(
        "sound (16 checks), note symmetry/hash-order",
        "true",
        "read: one pair of sentences, inputs and labels are shifted by hand",
    ),
    "nlp-tutorial-bilstm-attention": Judgement(
        "sound (16 checks), notes symmetry/hash-order and model/views",
        "true",
        "Bi-LSTM(Attention).py:21: final_state.view(-1, 10, 1) of the shape (2, 6, 5) gives each "
        "sentence states of others: a mistake of the script",
    ),
    "nlp-tutorial-bert": Judgement(
        "no answer: it does not end",
        "unfair",
        "a plain run was killed in the middle of unlinkat(): its memory gives no bytes and no "
        "error, and the supervisor read its path for ever",
        mended=True,
    ),
    "tcn-copy": Judgement(
        "1 violation, loop/gradients: this clips nothing",
        "true",
        "copymem_test.py:120: clip_grad_norm_() stands between zero_grad() and backward()",
    ),
    "tcn-music": Judgement(
        "1 violation, loop/gradients: this clips nothing",
        "true",
        "music_test.py:107: clip_grad_norm_() stands between zero_grad() and backward()",
    ),
    "morvan-rnn-regressor": Judgement(
        "sound (15 checks)", "true", "read: the hidden state is cut from its graph at each step"
    ),
    "morvan-gan": Judgement(
        "sound (14 checks)",
        "true",
        "read: detach() and each zero_grad() are there; its retain_graph=True is of no use",
    ),
    "dragan": Judgement(
        "fails: dragan.py:175 raises NameError",
        "true",
        "its loader is named dataloader; behind it, d_loss has no backward()",
    ),
    "examples-regression": Judgement(
        "sound (8 checks)", "true", "read: zero_grad() and an update by hand, no optimizer"
    ),
    "glow": Judgement(
        "1 violation, symmetry/stuck: all 24 prior.conv channels start with the same numbers",
        "false",
        "they are its inputs, and the last block hands zeros to it: a learned mean, as in Glow",
        mended=True,
    ),
    "examples-gcn": Judgement(
        "sound (18 checks)", "true", "read: dropout by the mode, log_softmax goes to nll_loss"
    ),
    "morvan-cnn": Judgement(
        "fails: 401_CNN.py:123 raises TypeError",
        "true",
        "scikit-learn has renamed n_iter of TSNE to max_iter",
    ),
    "morvan-batch-normalization": Judgement(
        "1 violation, symmetry/permutation: equal units of net2.bn1 are treated differently",
        "false",
        "read: plain layers and norms. The second network's statistics change in the second update "
        "for the first time; they were taken for masks of zeros and ones",
        mended=True,
    ),
    "tcn-add": Judgement("sound (18 checks)", "true", "read: one loss, modes are switched"),
    "ncf": Judgement(
        "sound (23 checks), run on the CPU in place of CUDA",
        "true",
        "read: negatives are drawn anew in each epoch, modes are switched, topk of equal shapes",
    ),
    "speech-commands": Judgement(
        "exit 2: not valid Python: invalid syntax (line 155)",
        "true",
        "cuda(async=True) of 2018: async is a keyword since Python 3.7",
    ),
    "transformer-xl": Judgement(
        "exit 2: mem_transformer.py:266: masked_fill_ only supports boolean masks",
        "true",
        "it gives masked_fill_() a mask of bytes, which PyTorch refuses on each device; the answer "
        "says that it need not be so on a GPU, which is of no use here",
    ),
    "awd-lstm-lm": Judgement(
        "sound (19 checks): 40 updates, 0 calls without gradients",
        "true",
        "read: hidden states are cut, rates are put back. With today's PyTorch its second epoch "
        "raises (weight_drop.py:43), behind the 40 updates that the answer names",
    ),
    "adaptive-span": Judgement(
        "1 violation, loop/attributes: an optimiser has no attribute grad_clip: setting it changes "
        "nothing",
        "false",
        "trainer.py:70 reads optimizer.grad_clip: its own optimiser clips, and 0 says so",
        mended=True,
    ),
    "conditional-char-rnn": Judgement(
        "fails: train.py:26 raises ValueError",
        "true",
        "an index into labels gave one label of the shape (1,) in 2018, and none since PyTorch 0.4",
    ),
    "char-rnn-classification": Judgement(
        "fails: train.py:45 raises IndexError",
        "true",
        "loss.data[0] of 2018 fails with each PyTorch from 0.5 on",
    ),
    "chinese-textcnn": Judgement(
        "sound so far: 17 of 27 checks within 120 s",
        "true",
        "read: one loss, train() comes back behind each evaluation",
    ),
    "fsq-autoencoder": Judgement("sound (17 checks)", "true", "read: one loss, no modes"),
    "flows": Judgement(
        "sound (19 checks)",
        "true",
        "read: one loss, modes are switched; statistics are taken anew in training mode on purpose",
    ),
    "llama2.c": Judgement(
        "sound (25 checks), note training/runs: StopIteration if its epochs have two batches",
        "false",
        "tinystories.py: PretokDataset goes round its shards for ever, so no epoch of it ends",
        mended=True,
    ),
    "neural-cde": Judgement(
        "exit 2: the check disturbs the script: base_func.func.linear1.weight is not the same in "
        "update 2 (7 checks)",
        "unfair",
        "the solver wraps the model anew in each step: how many wrappers were not freed yet made "
        "the runs look different; its steps depend on all samples, as its note says",
        mended=True,
    ),
    "infogan": Judgement(
        "sound so far: 19 of 20 checks within 120 s; loss/inputs holds",
        "false",
        "aux_layer ends with nn.Softmax() before CrossEntropyLoss, as in acgan.py, in the third "
        "of three updates that take turns: two were looked at",
        mended=True,
    ),
    "sam": Judgement(
        "sound (24 checks)",
        "true",
        "read: two backwards a batch, norms keep their statistics in the second",
    ),
    "cutmix": Judgement(
        "fails: train.py:401 raises RuntimeError",
        "true",
        "view() of a part of a transposed tensor fails with this PyTorch",
    ),
    "vq-autoencoder-lfq": Judgement(
        "sound (19 checks)", "true", "read: as autoencoder.py, with the loss of its entropy"
    ),
    "morvan-rnn-classifier": Judgement(
        "sound (19 checks)",
        "true",
        "read: the state begins at zero for each batch, no modes matter",
    ),
    "began": Judgement(
        "fails: began.py:196 raises IndexError",
        "true",
        "data[0] of a loss fails with each PyTorch from 0.5 on",
    ),
    "bgan": Judgement(
        "fails: bgan.py:126 raises NameError",
        "true",
        "its loader is named dataloader, as in dragan.py",
    ),
    "examples-siamese-network": Judgement(
        "sound so far: 18 of 27 checks within 120 s, note loop/augmented",
        "true",
        "read: its data set draws pairs at random, those of the test as well",
    ),
    "minrf": Judgement(
        "exit 2: nothing was checked (0 of 38 checks within 120 s)",
        "useless",
        "batches of 256 images through a transformer: no check ended in time",
    ),
    "ppo-nikhil": Judgement(
        "sound so far: 5 of 39 checks within 120 s",
        "useless",
        "4,000 steps of the environment come before the first update",
    ),
    "ddpm-dome272": Judgement(
        "exit 2: nothing was checked (0 of 51 checks within 120 s)",
        "useless",
        "a U-Net of 64 x 64 pixels: no check ended in time",
    ),
    "cifar-kuangliu": Judgement(
        "exit 2: nothing was checked (0 of 51 checks within 120 s)",
        "useless",
        "SimpleDLA on batches of 128: no check ended in time",
    ),
    "examples-gat": Judgement(
        "sound so far: 0 of 51 checks within 120 s",
        "useless",
        "attention of eight heads over all pairs of 2,708 papers: no check ended in time",
    ),
    "cleanrl-sac": Judgement(
        "sound (21 checks)",
        "true",
        "read: targets without gradients, three losses with an optimizer each",
    ),
    "vq-vae-2": Judgement(
        "sound (20 checks)",
        "true",
        "read: two terms of one loss, eval() and train() stand around the sample",
    ),
    "morvan-autoencoder": Judgement(
        "sound (19 checks)", "true", "read: inputs are the labels, as they should be"
    ),
    "cleanrl-pqn": Judgement(
        "sound (21 checks)",
        "true",
        "read: returns are made without gradients, shapes of the loss are equal",
    ),
    "examples-vae": Judgement(
        "sound (22 checks)", "true", "read: both terms are sums over the batch, modes are switched"
    ),
    "examples-super-resolution": Judgement(
        "sound (23 checks), note loop/overlap",
        "true",
        "read: no modes matter; the recipe draws both folders under one seed, so images are equal",
    ),
    "morvan-conditional-gan": Judgement(
        "fails: 406_conditional_GAN.py:81 raises RuntimeError",
        "true",
        "G_loss goes through D's weights, which opt_D.step() has moved",
    ),
    "morvan-classification": Judgement(
        "sound (16 checks)", "true", "read: one batch, logits to CrossEntropyLoss"
    ),
    "wgan": Judgement(
        "sound (18 checks)",
        "true",
        "read: weights are clipped behind each update of the critic, as in the paper",
    ),
    "examples-mnist-forward-forward": Judgement(
        "sound so far: 12 of 21 checks within 120 s",
        "true",
        "read: each layer has a loss of its own; two checks are lost, as train() takes data",
    ),
    "sasrec": Judgement(
        "exit 2: it fails only in a run of this check: ValueError (main.py:110) (8 of 28 checks)",
        "unfair",
        "scores are indexed by np.where(): what observes rows compared arrays with None",
        mended=True,
    ),
    "informer": Judgement(
        "1 violation, loop/modes: Informer is trained in evaluation mode with the loader of its "
        "test; notes model/draws, model/views",
        "false",
        "the test of the first of two experiments is followed by the training of another model, "
        "whose backward was held for one of the test; both notes are true",
        mended=True,
    ),
    "ltsf-linear": Judgement("sound (21 checks)", "true", "read: modes are switched, one loss"),
    "ffjord-toy": Judgement(
        "sound (13 checks), note training/cut: sqrt_end_time never receives a gradient",
        "true",
        "lib/layers/cnf.py:42 copies it into torch.tensor([0.0, ...]), which cuts it off",
    ),
    "min-gru": Judgement(
        "nothing was checked within 120 s",
        "useless",
        "sequences of 512 bytes, six layers of 512, four micro-batches: made for a GPU",
    ),
    "examples-mnist-rnn": Judgement(
        "sound (23 checks)", "true", "read: one loss, modes are switched"
    ),
    "examples-dcgan": Judgement("sound (24 checks)", "true", "read: the two losses take turns"),
    "examples-imagenet": Judgement(
        "sound so far: 23 of 27 checks within 120 s; note loop/overlap",
        "true",
        "with --dummy both loaders draw the same FakeData: image i is that of the seed i",
    ),
    "simclr-sthalles": Judgement(
        "sound so far: 6 of 40 checks within 120 s", "useless", "a ResNet-18 of large images"
    ),
    "sincnet": Judgement(
        "sound (18 checks); no gradient reaches four norms in the first two steps",
        "true",
        "read: CNN_net.bn and its like are made, and not called",
    ),
    "latent-sde": Judgement(
        "sound so far: 13 of 18 checks within 120 s; note model/draws",
        "true",
        "read: a path of a stochastic equation is drawn in each call, as the note says",
    ),
    "latent-sde-lorenz": Judgement(
        "sound so far: 4 of 34 checks within 120 s",
        "useless",
        "100 steps of a solver, each in Python, before the first update",
    ),
    "minimind-sft": Judgement(
        "sound (20 checks)", "true", "read: labels are shifted, -100 at rest"
    ),
    "minimind-lora": Judgement("sound (20 checks)", "true", "read: adapters alone are trained"),
    "minimind-distillation": Judgement(
        "sound (22 checks)", "true", "read: the teacher is in evaluation mode, without gradients"
    ),
    "dcgan": Judgement("sound (20 checks)", "true", "read: the two losses take turns"),
    "aae": Judgement("sound (20 checks)", "true", "read: three losses, two optimisers in turn"),
    "ebgan": Judgement(
        "sound so far: 19 of 21 checks within 120 s", "true", "read: the two losses take turns"
    ),
    "wgan-div": Judgement("sound (19 checks)", "true", "read: a penalty of two gradients"),
    "vq-autoencoder-sim-vq": Judgement("sound (19 checks)", "true", "read: one loss, no modes"),
    "td3-ddpg": Judgement(
        "sound so far: 12 of 16 checks within 120 s; note training/unsaved",
        "true",
        "DDPG.py: save() leaves the target networks out, and load() copies the others",
    ),
    "td3-ourddpg": Judgement(
        "sound so far: 12 of 16 checks within 120 s; note training/unsaved",
        "true",
        "OurDDPG.py: as td3-ddpg",
    ),
    "cleanrl-ddpg": Judgement(
        "sound (21 checks); note training/unsaved: 1 ulp in step 4",
        "useless",
        "it saves nothing to be resumed; the target networks move by a thousandth",
    ),
    "cleanrl-td3": Judgement(
        "sound (20 checks); note training/unsaved: 8 ulps in step 4",
        "useless",
        "as cleanrl-ddpg",
    ),
    "cleanrl-ppo-continuous": Judgement(
        "fails: ppo_continuous_action.py:98 raises TypeError",
        "true",
        "TransformObservation of this gymnasium needs observation_space",
    ),
    "cleanrl-c51-jax": Judgement(
        "fails: c51_jax.py:184 raises TypeError",
        "true",
        "jnp.clip of this JAX calls its limits min and max",
    ),
    "cleanrl-ddpg-jax": Judgement(
        "1 violation, symmetry/permutation: equal units are treated differently",
        "false",
        "a round updates the critic twice: the second loss reads what the first update made, and "
        "the moments were held for parts of the model",
        mended=True,
    ),
    "cleanrl-td3-jax": Judgement(
        "1 violation, symmetry/permutation: equal units are treated differently",
        "false",
        "as cleanrl-ddpg-jax",
        mended=True,
    ),
    "otcfm-cifar": Judgement(
        "exit 2: the check disturbs the script: the loss is not the same in update 1",
        "unfair",
        "POT imports TensorFlow, which draws from NumPy's generator: once in a process, so that "
        "the first run of a check had other numbers than all later ones",
        mended=True,
    ),
    "lsgan": Judgement("sound (20 checks)", "true", "read: the two losses take turns"),
    "softmax-gan": Judgement(
        "fails: softmax_gan.py:158 raises RuntimeError",
        "true",
        "the generator's loss goes through weights that the update of the discriminator changed",
    ),
    "sgan": Judgement(
        "1 violation, loss/inputs: cross_entropy is given probabilities",
        "true",
        "sgan.py:99: as acgan; that no gradient reaches label_emb is true, too: nothing calls it",
    ),
    "relativistic-gan": Judgement(
        "sound so far: 16 of 25 checks within 120 s, note loss/unused",
        "true",
        "relativistic_gan.py:154: the next statement gives the name of the relativistic loss to "
        "the plain one",
    ),
    "cleanrl-rpo-continuous": Judgement(
        "fails: rpo_continuous_action.py:94 raises TypeError", "true", "as cleanrl-ppo-continuous"
    ),
    "vq-autoencoder-fsq": Judgement("sound (17 checks)", "true", "read: as vq-autoencoder"),
    "vq-autoencoder-fsp": Judgement("sound (17 checks)", "true", "read: as vq-autoencoder"),
    "vq-autoencoder-hq": Judgement(
        "sound, but no equal units were checked (16 checks)",
        "useless",
        "its convolutions have equal channels; codes flip with rounding, so that none is proved",
    ),
    "vq-autoencoder-fvq": Judgement("sound (18 checks)", "true", "read: as vq-autoencoder"),
    "gat-cora": Judgement(
        "sound (18 checks)", "true", "read: one loss of the labelled papers, modes are switched"
    ),
    "simclr-leftthomas": Judgement(
        "sound so far: 4 of 38 checks within 120 s",
        "useless",
        "a ResNet-50 on pairs of views: four checks took all the time",
    ),
    "sac-deterministic": Judgement("sound (18 checks)", "true", "read: as sac-gaussian"),
    "absa-lstm": Judgement(
        "exit 2: transformers is not installed",
        "false",
        "it is installed; transformers.modeling_bert, which the script imports, is gone from it",
        mended=True,
    ),
    "lightgcn": Judgement(
        "sound so far: 13 of 15 checks within 120 s, note training/unsaved",
        "false",
        "its loss mixes all embeddings before it calls one of them: runs were suspended at that "
        "call, and state was loaded behind what had been mixed",
        mended=True,
    ),
    "examples-hogwild": Judgement(
        "nothing was checked within 120 s", "useless", "its processes train, and none is seen"
    ),
}

# Notes that are true and tell of no mistake, and why; and notes that were false as they came.
NOISE: dict[tuple[str, str], str] = {
    ("bert", "loop/overlap"): "its made-up data are one corpus",
    ("examples-super-resolution", "loop/overlap"): "its made-up data are drawn under one seed",
    ("examples-imagenet", "loop/overlap"): "it was asked for dummy data",
    ("latent-sde", "model/draws"): "a stochastic equation draws in each call",
    ("neural-cde", "model/mixed-samples"): "a solver chooses its steps by all samples",
    ("cleanrl-ddpg", "training/unsaved"): "it saves nothing; no such note is given there now",
    ("cleanrl-td3", "training/unsaved"): "it saves nothing; no such note is given there now",
}
FALSE_NOTES = (("llama2.c", "training/runs"), ("lightgcn", "training/unsaved"))

# Scripts that were drawn and cannot start here, and why.
NOT_RUN: dict[str, str] = {
    "williamleif/graphsage-simple, model.py": "print statements of Python 2",
    "AntixK/PyTorch-VAE, run.py": "DDPPlugin and gpus of Lightning 1, which 2 has no more",
    "facebookresearch/moco, main_moco.py": "the newest commit of its snapshot holds no file",
    "denisyarats/pytorch_sac, train.py": "dmc2gym, which no package index has",
    "pytorch/examples, fast_neural_style": "weights of VGG-16, a download",
    "jadore801120/attention-is-all-you-need-pytorch": "torchtext has no Field any more, and its "
    "last release does not load beside this PyTorch",
    "hyunwoongko/transformer": "torchtext.legacy is gone, and the tokens come from a download",
    "eric-mitchell/direct-preference-optimization": "weights and preferences are downloads",
    "policy-gradient/GRPO-Zero": "it fine-tunes weights that are a download",
    "huggingface/nanoVLM": "weights, tokens and images are downloads",
    "huggingface/accelerate": "nlp_example.py and cv_example.py begin with downloads",
    "sapientinc/HRM": "flash-attn and adam-atan2 are kernels for GPUs",
    "SamsungSAILMontreal/TinyRecursiveModels": "adam-atan2 is a kernel for GPUs",
    "NX-AI/xlstm": "its experiment loads kernels for GPUs",
    "jayroxis/PINNs": "notebooks only",
    "dreamquark-ai/tabnet": "notebooks only",
    "zongyi-li/fourier_neural_operator": "the repository of neuraloperator under its old name",
}
