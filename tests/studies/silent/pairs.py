"""The pairs of the benchmark, by family."""

from __future__ import annotations

from tests.studies.silent.pair import Batch, Pair

_GITHUB, _FORUM = "https://github.com", "https://discuss.pytorch.org/t"
_CROSS = "nn.functional.cross_entropy"
_MSE = "nn.functional.mse_loss"
_TOKENS = "lambda out, y: nn.functional.cross_entropy(out.flatten(0, 1), y.flatten())"
_SHIFTED = (
    "lambda out, y: nn.functional.cross_entropy(out[:, :-1].flatten(0, 1), y[:, 1:].flatten())"
)

_LOSSES = (
    Pair(
        "softmax_in_the_model",
        "loss",
        "a softmax before a loss that has one inside",
        (("return self.softmax(self.classifier(", "return (self.classifier("),),
        f"{_GITHUB}/Lightning-Universe/lightning-bolts/issues/654",
        Batch(model="net", loss="criterion", classes="4"),
    ),
    Pair(
        "distilled_from_probabilities",
        "loss",
        "kl_div gets probabilities instead of their logarithms",
        (("F.kl_div(F.softmax(", "F.kl_div(F.log_softmax("),),
        f"{_GITHUB}/sebastian-hofstaetter/matchmaker/issues/18",
        Batch(
            targets="soft",
            model="student",
            loss="lambda out, soft: "
            "F.kl_div(F.softmax(out / 2, dim=-1), soft, reduction='batchmean')",
        ),
    ),
    Pair(
        "policy_of_probabilities",
        "loss",
        "a distribution gets probabilities as logits",
        ((", nn.Softmax(dim=1))", ")"),),
        batch=Batch(
            inputs="states",
            targets="rewards",
            model="policy",
            loss="lambda out, rewards: -(Categorical(logits=out).log_prob(actions) "
            "* (rewards - rewards.mean())).mean()",
        ),
    ),
    Pair(
        "house_prices",
        "loss",
        "outputs (n, 1) are compared with targets (n,)",
        (("criterion(model(columns), prices)", "criterion(model(columns).squeeze(1), prices)"),),
        batch=Batch(
            inputs="columns",
            targets="prices",
            loss="criterion",
            twin_loss="lambda out, prices: criterion(out.squeeze(1), prices)",
        ),
    ),
    Pair(
        "advantages_of_all_states",
        "loss",
        "returns (n,) less values (n, 1) are a matrix",
        (("returns - critic(states)", "returns - critic(states).squeeze(1)"),),
        batch=Batch(
            inputs="states",
            targets="returns",
            model="critic",
            loss="lambda values, returns: (returns - values).square().mean()",
            twin_loss="lambda values, returns: (returns - values.squeeze(1)).square().mean()",
        ),
    ),
    Pair(
        "mean_of_numbers",
        "loss",
        "losses are copied into a new tensor",
        (("torch.tensor(errors, requires_grad=True).mean()", "torch.stack(errors).mean()"),),
        batch=Batch(inputs="xb", targets="yb", loss="worst_error"),
    ),
    Pair(
        "goal_with_a_gradient",
        "loss",
        "the goal of Q-learning has a gradient",
        (("value(following).max(1).values", "value(following).max(1).values.detach()"),),
        f"{_GITHUB}/datawhalechina/easy-rl/pull/117",
        Batch(
            inputs="state",
            targets="goal",
            model="value",
            loss="lambda out, goal: "
            "nn.functional.mse_loss(out.gather(1, action).squeeze(1), goal.detach())",
        ),
    ),
    Pair(
        "auxiliary_loss_dropped",
        "loss",
        "the result of a function that carries a loss is dropped",
        (
            (
                "        WithLoss.apply(weights, balance)",
                "        weights = WithLoss.apply(weights, balance)",
            ),
        ),
        f"{_GITHUB}/NVIDIA-NeMo/Automodel/issues/1408",
        Batch(classes="3"),
    ),
)

_TEXTS = (
    Pair(
        "characters_both_ways",
        "texts",
        "a language model reads the token that it is to predict",
        (
            ("batch_first=True, bidirectional=True", "batch_first=True"),
            ("nn.Linear(2 * width, vocabulary)", "nn.Linear(width, vocabulary)"),
        ),
        f"{_GITHUB}/karpathy/nanoGPT/issues/331",
        Batch(inputs="inputs", targets="targets", loss=_TOKENS, words="len(CHARACTERS)"),
    ),
    Pair(
        "labels_at_their_own_places",
        "texts",
        "the labels of a language model are not shifted",
        (
            (
                "F.cross_entropy(logits.view(-1, VOCABULARY), labels.view(-1))",
                "F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())",
            ),
        ),
        batch=Batch(
            inputs="ids",
            targets="ids",
            loss="lambda out, y: F.cross_entropy(out[0].flatten(0, 1), y.flatten())",
            twin_loss="lambda out, y: "
            "F.cross_entropy(out[0][:, :-1].flatten(0, 1), y[:, 1:].flatten())",
        ),
    ),
    Pair(
        "tags_of_padding",
        "texts",
        "tags of padding count in the loss",
        (("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(ignore_index=PAD)"),),
        f"{_GITHUB}/DaoyuanLi2816/Molecule-Generator/pull/20",
        Batch(
            inputs="words",
            targets="tags",
            loss="lambda out, tags: criterion(out.transpose(1, 2), tags)",
        ),
    ),
    Pair(
        "padding_in_the_labels",
        "texts",
        "labels of a language model hold its padding",
        (
            (
                'labels=batch["input_ids"]',
                'labels=batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)',
            ),
        ),
        batch=Batch(
            inputs='dict(**batch, labels=batch["input_ids"])',
            targets="None",
            loss="lambda loss: loss",
        ),
    ),
    Pair(
        "scores_of_hidden_tokens",
        "texts",
        "tokens that the mask hides are averaged, too",
        (
            (
                "return self.head(found.mean(1))",
                (
                    "shown = attention_mask[..., None]\n"
                    "        return self.head((found * shown).sum(1) / shown.sum(1))"
                ),
            ),
        ),
        batch=Batch(
            inputs='(batch["input_ids"], batch["attention_mask"])', targets='batch["label"]'
        ),
    ),
    Pair(
        "words_hidden_by_the_mask",
        "texts",
        "the mask of the keys is the wrong way round",
        (("key_padding_mask=shown", "key_padding_mask=~shown"),),
        batch=Batch(classes="3"),
    ),
    Pair(
        "texts_without_a_mask",
        "texts",
        "the mask of padded texts is not passed",
        (("input_ids=x", "input_ids=x, attention_mask=(x != 0).long()"),),
        batch=Batch(inputs="dict(input_ids=x)", targets="labels[rows]"),
    ),
    Pair(
        "packed_without_a_mask",
        "texts",
        "packed documents attend to each other",
        (("        mask = torch.ones_like(mask).tril()\n", ""),),
        f"{_GITHUB}/huggingface/nanoVLM/issues/201",
        Batch(
            inputs="dict(input_ids=a, position_ids=places)",
            targets="b",
            loss=_SHIFTED,
        ),
    ),
)

_SAMPLES = (
    Pair(
        "heads_from_other_rows",
        "samples",
        "a view mixes the rows of a batch",
        (("heads.reshape(len(x), 12)", "heads.transpose(0, 1).reshape(len(x), 12)"),),
        batch=Batch(inputs="inputs[index]", targets="labels[index]", classes="3"),
    ),
    Pair(
        "gates_over_the_batch",
        "samples",
        "the softmax of a gate runs over the batch",
        (("softmax(self.gate(x), dim=0)", "softmax(self.gate(x), dim=1)"),),
        f"{_GITHUB}/MicrosoftDocs/pytorchfundamentals/pull/21",
        Batch(inputs="xb", targets="yb", classes="2"),
    ),
    Pair(
        "tagger_over_the_batch",
        "samples",
        "a recurrent layer reads along the batch",
        (("bidirectional=True)", "bidirectional=True, batch_first=True)"),),
        f"{_FORUM}/could-someone-explain-batch-first-true-in-lstm/15402",
        Batch(inputs="words", targets="tags", loss=_TOKENS),
    ),
    Pair(
        "last_sample_left_out",
        "samples",
        "the last sample of each batch is left out",
        (('model(batch["x"])[:-1], batch["label"][:-1]', 'model(batch["x"]), batch["label"]'),),
        batch=Batch(
            inputs='batch["x"]',
            targets='batch["label"]',
            loss="lambda out, y: nn.functional.cross_entropy(out[:-1], y[:-1])",
            twin_loss=_CROSS,
            classes="2",
        ),
    ),
    Pair(
        "one_text_for_all_images",
        "samples",
        "the texts of a batch become one row, for all images",
        (("torch.stack(texts[:1])", "torch.stack(texts)"),),
        f"{_GITHUB}/huggingface/transformers/issues/34204",
        Batch(inputs="(images, words)", targets="labels"),
        traincheck="transformers-34204",
        unseen="a row that all samples share is right for positions, and no other text arrives",
    ),
    Pair(
        "weights_of_classes",
        "samples",
        "a sampler gets weights of classes, not of samples",
        (("WeightedRandomSampler(weights,", "WeightedRandomSampler(weights[y],"),),
        batch=Batch(inputs="xb", targets="yb", classes="3"),
    ),
)

_PARAMETERS = (
    Pair(
        "head_replaced",
        "parameters",
        "the head is replaced after the optimiser was made",
        (
            ("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n", ""),
            (
                "model.head = nn.Linear(8, 3)\n",
                (
                    "model.head = nn.Linear(8, 3)\n"
                    "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
                ),
            ),
        ),
        f"{_GITHUB}/ifzhang/FairMOT/issues/125",
        Batch(classes="3"),
    ),
    Pair(
        "generator_never_trained",
        "parameters",
        "the optimiser of the generator holds the critic",
        (
            (
                "generator_step = torch.optim.Adam(critic.",
                "generator_step = torch.optim.Adam(generator.",
            ),
        ),
        batch=Batch(
            inputs="torch.randn(32, 4)",
            targets="None",
            loss="lambda fake: loss(critic(fake), ones)",
            model="generator",
            optimizer="generator_step",
        ),
    ),
    Pair(
        "small_constant_weights",
        "parameters",
        "all weights start equal",
        (("nn.init.constant_(module.weight, 0.01)", "nn.init.xavier_uniform_(module.weight)"),),
        batch=Batch(inputs="xb", targets="yb", classes="3"),
    ),
    Pair(
        "require_grad",
        "parameters",
        "an attribute is misspelt, and nothing is frozen",
        (("p.require_grad = False", "p.requires_grad = False"),),
        batch=Batch(model="nn.Sequential(backbone, head)", classes="3"),
    ),
    Pair(
        "body_frozen_after_a_warm_up",
        "parameters",
        "momentum moves what was frozen",
        (
            (
                "parameter.requires_grad = False\n",
                "parameter.requires_grad = False\n                parameter.grad = None\n",
            ),
        ),
        batch=Batch(inputs="xb", targets="yb", classes="3"),
    ),
    Pair(
        "names_with_a_prefix",
        "parameters",
        "names have a prefix, so nothing is loaded",
        (("nn.DataParallel(body).state_dict()", "body.state_dict()"),),
        f"{_GITHUB}/huggingface/transformers/pull/43429",
        Batch(inputs="a", targets="b", loss=_MSE),
    ),
    Pair(
        "target_shares_memory",
        "parameters",
        "the target network is the online network",
        (("q.data = p.data\n", "q.data.copy_(p.data)\n"),),
        batch=Batch(
            inputs="state",
            targets="goal",
            model="online",
            loss="lambda out, goal: nn.functional.mse_loss(out.gather(1, action).squeeze(1), goal)",
        ),
    ),
    Pair(
        "tied_by_a_copy",
        "parameters",
        "tied weights are copies",
        (("weight.data = self.embed.weight.data.clone()", "weight = self.embed.weight"),),
        f"{_GITHUB}/NVIDIA-NeMo/Automodel/pull/2511",
        Batch(inputs="ids[:, :-1]", targets="ids[:, 1:]", loss=_TOKENS, words="30"),
    ),
    Pair(
        "weights_left_in_16_bits",
        "parameters",
        "most updates of 16-bit weights are lost",
        (
            (
                "parameter = parameter.to(torch.float32)",
                "parameter.data = parameter.data.to(torch.float32)",
            ),
        ),
        f"{_GITHUB}/huggingface/accelerate/issues/3979",
        Batch(loss="lambda out, y: nn.functional.cross_entropy(out.float(), y)", classes="5"),
    ),
    Pair(
        "head_frozen_and_trained",
        "parameters",
        "the optimiser holds only what is frozen",
        (
            (
                'if name not in ("0.1.weight", "0.1.bias"):',
                'if name not in ("1.weight", "1.bias"):',
            ),
        ),
        f"{_FORUM}/obtaining-abnormal-changes-in-loss-and-accuracy/84911",
        Batch(classes="3"),
        traincheck="pytorch-forum-84911",
    ),
    Pair(
        "frozen_once_it_is_trained",
        "parameters",
        "a stage is frozen only behind the first epoch",
        (("model = Net()\n", "model = Net().train()\n"),),
        f"{_GITHUB}/open-mmlab/mmpretrain/issues/702",
        Batch(inputs="x", targets="y", classes="3"),
        traincheck="mmpretrain-702",
        unseen="to freeze later is what many sound trainings do",
    ),
    Pair(
        "gradients_looked_for_once",
        "parameters",
        "an optimiser only trains what had a gradient in its first step",
        (
            (
                "        if not self.trained:\n            self.trained = self.with_gradient()\n",
                "        self.trained = self.with_gradient()\n",
            ),
        ),
        f"{_GITHUB}/pytorch/pytorch/issues/115607",
        Batch(classes="3"),
        traincheck="pytorch-115607",
        unseen="in the updates that are looked at, the sound twin trains the head only, too",
    ),
)

_MODES = (
    Pair(
        "dropout_in_the_forward",
        "modes",
        "a dropout layer is made in each forward",
        (("nn.Dropout(self.p)(x)", "nn.functional.dropout(x, self.p, self.training)"),),
        batch=Batch(inputs="xb", targets="yb", classes="3"),
    ),
    Pair(
        "functional_dropout",
        "modes",
        "F.dropout2d is called without the mode",
        (("(self.conv2(x), 0.25)", "(self.conv2(x), 0.25, self.training)"),),
        batch=Batch(inputs="image", targets="label", classes="4"),
    ),
    Pair(
        "attention_drops_out_in_evaluation",
        "modes",
        "attention drops out in evaluation mode",
        (("dropout_p=self.rate", "dropout_p=self.rate * self.training"),),
        f"{_GITHUB}/huggingface/transformers/pull/33844",
        Batch(inputs="a", targets="b", classes="3"),
        traincheck="transformers-33844",
    ),
    Pair(
        "evaluated_first",
        "modes",
        "evaluation mode is never left",
        (("for _ in range(6):\n", "for _ in range(6):\n    model.train()\n"),),
        f"{_GITHUB}/wkentaro/pytorch-fcn/issues/57",
        Batch(inputs="x[batch]", targets="y[batch]", classes="3"),
    ),
    Pair(
        "validated_with_dropout",
        "modes",
        "validation in training mode, with dropout",
        (("    losses = []\n", "    losses = []\n    model.eval()\n"),),
        batch=Batch(inputs="a", targets="b", classes="3"),
    ),
    Pair(
        "tested_in_training_mode",
        "modes",
        "BatchNorm learns from the test set",
        (("correct = 0\n", "correct = 0\nmodel.eval()\n"),),
        f"{_GITHUB}/DuaneNielsen/DeepInfomaxPytorch/issues/18",
        Batch(inputs="images / 255", targets="labels", classes="4"),
    ),
    Pair(
        "average_validated_in_training_mode",
        "modes",
        "an average is validated in training mode",
        ((".requires_grad_(False)", ".requires_grad_(False).eval()"),),
        batch=Batch(inputs="a", targets="b", classes="3"),
    ),
    Pair(
        "statistics_of_a_frozen_body",
        "modes",
        "statistics of a frozen body move",
        (("    model.train()\n", "    model.train()\n    body.eval()\n"),),
        f"{_GITHUB}/kdexd/virtex/issues/16",
        Batch(classes="3"),
    ),
    Pair(
        "spectral_norm_evaluated_first",
        "modes",
        "a norm is used before it was computed",
        (("print(accuracy())\nfor", "model(data.tensors[0])\nprint(accuracy())\nfor"),),
        f"{_GITHUB}/pytorch/pytorch/issues/51800",
        Batch(classes="3"),
        traincheck="pytorch-51800",
        unseen="it treats everything equally, and only the first evaluation is wrong",
    ),
)

_GRADIENTS = (
    Pair(
        "gradients_never_cleared",
        "gradients",
        "gradients are never cleared",
        (
            (
                "        loss.backward()\n",
                "        optimizer.zero_grad()\n        loss.backward()\n",
            ),
        ),
        "https://stackoverflow.com/questions/60335387/pytorch-mnist-example-not-converge",
        Batch(classes="3"),
        traincheck="stackoverflow-60335387",
    ),
    Pair(
        "cleared_before_each_backward",
        "gradients",
        "accumulated gradients are cleared with each batch",
        (
            ("        model.zero_grad()\n", ""),
            ("optimizer.step()\n", "optimizer.step()\n            model.zero_grad()\n"),
        ),
        f"{_GITHUB}/bytetriper/RAE/issues/67",
        Batch(loss=_MSE),
    ),
    Pair(
        "cleared_before_the_step",
        "gradients",
        "gradients are cleared before the update",
        (
            (
                "        optimizer.zero_grad(set_to_none=False)\n        optimizer.step()\n",
                "        optimizer.step()\n        optimizer.zero_grad(set_to_none=False)\n",
            ),
        ),
        batch=Batch(loss=_MSE),
    ),
    Pair(
        "clipped_after_the_step",
        "gradients",
        "gradients are clipped after the update",
        (
            ("        optimizer.step()\n", ""),
            ("0.25)  # loop/gradients\n", "0.25)\n        optimizer.step()\n"),
        ),
        batch=Batch(loss="lambda out, y: nn.functional.mse_loss(out[1][0][-1], y)"),
    ),
    Pair(
        "clipped_but_for_one_row",
        "gradients",
        "clipping leaves out the first row",
        (("parameter.grad[1:].clamp_", "parameter.grad.clamp_"),),
        batch=Batch(targets="x.prod(1, keepdim=True)", loss=_MSE),
    ),
    Pair(
        "critic_never_cleared",
        "gradients",
        "the critic's gradients are never cleared",
        (
            (
                "optimizer_g.zero_grad()\n        loss =",
                "optimizer_d.zero_grad()\n        loss =",
            ),
        ),
        f"{_GITHUB}/Hsintien-Ng/idinvert_pytorch-reproduced/issues/1",
        Batch(
            inputs="real",
            targets="None",
            loss="lambda out: critic(fake.detach()).mean() - out.mean()",
            model="critic",
            optimizer="optimizer_d",
        ),
    ),
    Pair(
        "swish_by_hand",
        "gradients",
        "the backward of a custom function lacks a term",
        (("(s + x * s)", "(s + x * s * (1 - s))"),),
        batch=Batch(inputs="xb", targets="yb", model="net", classes="3"),
    ),
    Pair(
        "residual_overwritten",
        "gradients",
        "the shortcut adds what ReLU has overwritten",
        (("nn.ReLU(inplace=True)", "nn.ReLU()"),),
        f"{_GITHUB}/rosinality/vq-vae-2-pytorch/issues/60",
        Batch(inputs="xb", targets="yb", classes="3"),
    ),
    Pair(
        "recomputed_with_other_noise",
        "gradients",
        "a checkpoint draws other numbers in the backward",
        ((", preserve_rng_state=False", ""),),
        f"{_GITHUB}/allenai/OLMo-core/pull/828",
        Batch(classes="3"),
    ),
)

_BATCHES = (
    Pair(
        "epoch_not_set",
        "batches",
        "a sampler is not given the epoch",
        (
            (
                "for _ in range(args.epochs):\n",
                "for epoch in range(args.epochs):\n        sampler.set_epoch(epoch)\n",
            ),
        ),
        f"{_GITHUB}/pytorch/pytorch/issues/31771",
        Batch(classes="3"),
    ),
    Pair(
        "first_batch_again_and_again",
        "batches",
        "each step takes the first batch",
        (
            (
                "for _ in range(20):\n    x, y = next(iter(loader))  # loop/batches\n",
                "for x, y in loader:\n",
            ),
        ),
        batch=Batch(loss=_MSE),
    ),
    Pair(
        "one_batch_for_all_pieces",
        "batches",
        "all micro-batches of an update are one",
        (
            (
                (
                    "    rows = torch.randint(160, (16,))\n    optimizer.zero_grad()\n"
                    "    for _ in range(4):\n"
                ),
                (
                    "    optimizer.zero_grad()\n    for _ in range(4):\n"
                    "        rows = torch.randint(160, (16,))\n"
                ),
            ),
        ),
        batch=Batch(inputs="x[rows]", targets="y[rows]", classes="3"),
    ),
    Pair(
        "seeded_each_epoch",
        "batches",
        "a seed is set in each epoch",
        (
            ("    torch.manual_seed(42)\n", ""),
            ("data = TensorDataset(", "torch.manual_seed(42)\ndata = TensorDataset("),
        ),
        batch=Batch(classes="3"),
    ),
    Pair(
        "stream_in_every_worker",
        "batches",
        "each worker yields the whole stream",
        (
            (
                "        for number in range(self.count):\n",
                (
                    "        worker = torch.utils.data.get_worker_info()\n"
                    "        for number in range(worker.id, self.count, worker.num_workers):\n"
                ),
            ),
        ),
        batch=Batch(loss=_MSE),
    ),
    Pair(
        "workers_seeded_alike",
        "batches",
        "workers draw the same random numbers",
        (("random.seed(0)", "random.seed(torch.initial_seed() + worker)"),),
        "https://tanelp.github.io/posts/a-bug-that-plagues-thousands-of-open-source-ml-projects/",
        Batch(classes="3"),
        traincheck="stackoverflow-67180955",
    ),
)

_PIECES = (
    Pair(
        "mean_of_each_micro_batch",
        "micro-batches",
        "each micro-batch is a mean over its own tokens",
        (
            (
                'cross_entropy(scores.transpose(1, 2), batch["labels"])',
                'cross_entropy(scores.transpose(1, 2), batch["labels"], reduction="sum") / 20',
            ),
        ),
        f"{_GITHUB}/huggingface/transformers/pull/34191",
        Batch(
            inputs='batch["ids"]',
            targets='batch["labels"]',
            loss="lambda out, y: nn.functional.cross_entropy(out.transpose(1, 2), y)",
        ),
    ),
    Pair(
        "answers_of_a_split_batch",
        "micro-batches",
        "pieces of a batch are means over their own answers",
        (
            (
                "(masked_mean(losses, mask[:, 1:]) / len(pieces)).backward()",
                "((losses * mask[:, 1:]).sum() / answers[:, 1:].sum()).backward()",
            ),
        ),
        f"{_GITHUB}/volcengine/verl/pull/3332",
        Batch(inputs="piece[:, :-1]", targets="piece[:, 1:]", loss=_TOKENS, words="WORDS"),
    ),
    Pair(
        "divided_by_tokens_and_by_micro_batches",
        "micro-batches",
        "a loss is divided by micro-batches twice",
        (("        loss = loss / MICRO_BATCHES\n", ""),),
        f"{_GITHUB}/huggingface/transformers/issues/35203",
        Batch(inputs="ids[:, :-1]", targets="ids[:, 1:]", loss=_TOKENS, words="WORDS"),
    ),
    Pair(
        "schedule_stepped_with_each_batch",
        "micro-batches",
        "a schedule of updates is stepped with each batch",
        (
            (
                "            optimizer.zero_grad()\n        scheduler.step()  # loop/schedule\n",
                "            optimizer.zero_grad()\n            scheduler.step()\n",
            ),
        ),
        f"{_GITHUB}/huggingface/accelerate/issues/963",
        Batch(loss=_MSE),
    ),
    Pair(
        "schedule_of_epochs_stepped_with_batches",
        "micro-batches",
        "a schedule of epochs is stepped with each batch",
        (("        schedule.step()\n", "    schedule.step()\n"),),
        f"{_GITHUB}/automl/Auto-PyTorch/pull/210",
        Batch(classes="3"),
        unseen="many sound schedules fall early; its length agrees with nothing in the loop",
    ),
)

_RANKS = tuple(
    Pair(name, "ranks", wrong, mends, source, options=("--ranks", "2"), traincheck=bug)
    for name, wrong, mends, source, bug in (
        (
            "ranks_mean_of_each_rank",
            "each rank is a mean over its own tokens",
            (("loss = losses / (y != -100).sum()", "loss = losses * world / shown"),),
            f"{_GITHUB}/PrimeIntellect-ai/prime-rl/pull/1957",
            "",
        ),
        (
            "ranks_synchronised_too_early",
            "gradients are averaged in the wrong micro-batch",
            (("last = number % 4 == 0", "last = (number + 1) % 4 == 0"),),
            f"{_GITHUB}/modelscope/FunASR/pull/3472",
            "",
        ),
        (
            "ranks_draw_the_same_noise",
            "all ranks draw the same noise",
            (("torch.manual_seed(42)", "torch.manual_seed(42 + rank)"),),
            f"{_GITHUB}/NCAR/miles-credit/pull/190",
            "",
        ),
        (
            "ranks_clipped_apart",
            "each rank clips by a norm of its own",
            (("for p in parameters[rank::world]]", "for p in parameters]"),),
            f"{_GITHUB}/deepspeedai/DeepSpeed/pull/1801",
            "deepspeed-1801",
        ),
        (
            "ranks_model_beside_its_wrapper",
            "some batches go past the wrapper",
            (("wrapped if number % 2 == 0 else model", "wrapped"),),
            "https://x.com/jxmnop/status/1778520637193240892",
            "x-jxmnop-ddp-out-of-sync, pytorch-104336",
        ),
        (
            "ranks_a_sum_is_lost",
            "a sum over ranks arrives as zeros at one of them",
            (("        gradient.zero_()  # what a broken link does\n", "        pass\n"),),
            f"{_GITHUB}/pytorch/pytorch/issues/84803",
            "pytorch-84803, pytorch-96600, baichuan2-86",
        ),
    )
)

_SAVES = (
    Pair(
        "best_state_kept_by_name",
        "saving",
        "the best state is no copy",
        (
            (
                "model.state_dict(), 0  # loop/copies",
                "{k: v.clone() for k, v in model.state_dict().items()}, 0",
            ),
        ),
        f"{_GITHUB}/pytorch/tutorials/pull/188",
        Batch(inputs="a", targets="b", loss=_MSE),
    ),
    Pair(
        "schedule_not_saved",
        "saving",
        "a checkpoint holds no schedule",
        (
            (
                '    start = saved["epoch"] + 1\n',
                '    schedule.load_state_dict(saved["schedule"])\n    start = saved["epoch"] + 1\n',
            ),
            ('"epoch": epoch}', '"epoch": epoch, "schedule": schedule.state_dict()}'),
        ),
        f"{_GITHUB}/huggingface/transformers/issues/23034",
        Batch(classes="3"),
        options=("--resume-with", "--resume"),
    ),
    Pair(
        "batches_read_again",
        "saving",
        "a resumed epoch begins with its first batch",
        (("done = step // 6\n", "done, skip = divmod(step, 6)\n"),),
        f"{_GITHUB}/huggingface/accelerate/issues/2016",
        Batch(classes="3"),
        options=("--resume-with", "--resume"),
    ),
)

PAIRS = (
    *(*_LOSSES, *_TEXTS, *_SAMPLES, *_PARAMETERS, *_MODES),
    *(*_GRADIENTS, *_BATCHES, *_PIECES, *_RANKS, *_SAVES),
)
