"""The notes, by name: each is a fact that is usually a mistake, and how to mend it."""

from types import MappingProxyType

MEANINGS = MappingProxyType(
    {
        "loop/accumulation": "An update sums the gradients of several batches, and nothing divides "
        "their mean losses, so it is as many times as large as with one batch. Divide each loss by "
        "their number.",
        "loop/clips": "Gradients are clipped before all backwards of an update are done, and then "
        "once more, so that a limit changes how much each micro-batch counts.",
        "loop/average": "An average of weights takes almost all of the new weights at each update, "
        "so it is almost the model itself. The decay and 1 - decay may be exchanged.",
        "loop/average-buffers": "The weights of an averaged model follow the model, but its "
        "buffers never change, and it is evaluated with them. Copy the buffers as well.",
        "loop/checkpoint": "A checkpoint has an epoch or a step and the model, but not the state "
        "of the optimiser, so a run that goes on from it begins with an empty one. Save "
        "optimizer.state_dict() as well.",
        "loop/eval-mode": "A model with dropouts or running statistics is trained in evaluation "
        "mode from its first update on, or with one of its loaders. Call train() before the loop; "
        "if the loader is for evaluation, leave out backward() and step().",
        "loop/frozen": "The parameters of a module are frozen, but its running statistics move "
        "with each batch, as those of BatchNorm do in training mode. If all of it is to stay as it "
        "is, call eval() on that part after each train().",
        "loop/overlap": "A loader for evaluation holds training samples. A score on them says "
        "nothing about new data. Split the data set without overlap.",
        "loop/schedule": "A scheduler is stepped with each batch, and the learning rate is almost "
        "zero long before the first epoch ends. Step it once an epoch, or count its steps in "
        "batches.",
        "loop/shuffle": "A loader does not shuffle, and its data is sorted: whole batches have one "
        "label. Pass shuffle=True.",
        "loop/window": "At the end of an epoch gradients are left that no update has read, and "
        "they are cleared, as with accumulation over a number that does not divide the batches. "
        "Update with the last batch as well.",
        "loss/ending": "The token that ends each text is never a label, since padding has the same "
        "number and is ignored. The model never learns to end a text. Pad with another token, or "
        "hide padding by the attention mask instead of its number.",
        "loss/target": "The target of a loss requires a gradient, and depends on the parameters "
        "that the output depends on, so it moves towards the output, too. If it is a label, "
        "detach() it.",
        "loss/term": "A term that is added to the loss is cut off from the model, as by .item() or "
        "detach(), and trains nothing. Add the tensor itself.",
        "model/draws": "A model in evaluation mode gives other outputs each time. If that is not "
        "meant, draw random numbers only if self.training.",
        "model/evaluation-mode": "A model trains in evaluation mode, so that its dropouts and "
        "running statistics are off. Call model.train() before training.",
        "model/kept-dropout": "Dropout is active in evaluation mode, because the call says so. If "
        "that is not meant, as it is for Monte Carlo dropout, pass training=self.training.",
        "model/mixed-samples": "In evaluation mode the outputs of a sample depend on the others of "
        "its batch. If that is not meant, an operation runs over the axis of the samples: name the "
        "other axis.",
        "model/repeated": "A list of layers holds one module several times, as [layer] * 3 does: "
        "the places share their parameters. Make a new module for each place.",
        "model/views": "A view gives the sizes of a tensor in another order. It does not exchange "
        "axes, but cuts the numbers into rows anew, so that entries of different rows are mixed. "
        "Use permute() or transpose().",
        "training/checkpointing": "No input of a checkpointed block requires a gradient, so "
        "nothing in it receives one. Call checkpoint(..., use_reentrant=False).",
        "training/copies": "Devices that hold a replicated array hold other numbers after an "
        "update, since their gradients are not added up. Average them with jax.lax.pmean.",
        "training/cut": "The loss depends on a parameter that an optimiser holds, but an operation "
        "cuts its gradient off, so it stays as it is. If it is frozen on purpose, leave it out of "
        "the optimiser.",
        "training/raw": "A parameter moves by its gradient itself, which makes the loss larger: "
        "optax.masked hands on the gradients of all that it masks. To freeze it, use "
        "optax.partition with optax.set_to_zero.",
        "training/same-noise": "A line draws the same random numbers in each step, since its key "
        "never changes. Split the key in the state, or fold the number of the step in.",
        "training/still": "A parameter has a gradient and stays as it is, while others move: a "
        "mask or a label of the optimiser freezes it. Check that this is meant.",
        "training/tying": "Two matrices start with the same numbers and become different, so they "
        "are two parameters. To tie them, assign the parameter itself, not a copy of its data.",
        "training/unheld": "No optimiser holds the parameters of a module, though backward() "
        "computes gradients for them. Give them to an optimiser; a module in a plain list belongs "
        "into an nn.ModuleList. If it is frozen on purpose, call requires_grad_(False).",
        "training/unsaved": "A script that is not made to be resumed keeps state that no state "
        "dictionary has, such as numbers of its loop. If it is to be resumed, save this, too.",
    }
)
