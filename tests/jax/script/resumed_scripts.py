"""A script in JAX that saves and resumes, as it is and with mistakes."""

from __future__ import annotations

from typing import Any

SCRIPT = """
import os
import pickle
import sys
import jax
import jax.numpy as jnp
import numpy as np
import optax
{imports}

rng = np.random.default_rng(0)
x, y = rng.normal(size=(32, 6)).astype("float32"), rng.integers(3, size=32)
optimizer = optax.adam({rate})
params = {{"a": jax.random.normal(jax.random.key(1), (6, 8)), "b": jnp.ones((8, 3))}}
state = {{"params": params, "opt": optimizer.init(params), "step": 0, "seen": 0, "more": {more}}}
state["key"] = {key}
folder = os.path.abspath("saved")

def loss_of(params, x, y, key):
    hidden = jnp.tanh(x @ params["a"])
    {noise}
    return optax.softmax_cross_entropy_with_integer_labels(hidden @ params["b"], y).mean()

@jax.jit
def step(state, x, y{takes}):
    state = {{**state, "seen": state["seen"] + x.shape[0], "step": state["step"] + 1}}
    loss, grads = jax.value_and_grad(loss_of)(state["params"], x, y, state["key"])
    updates, opt = optimizer.update(grads, state["opt"], state["params"])
    params = optax.apply_updates(state["params"], updates)
    {inside}
    return {{**state, "params": params, "opt": opt}}, loss

{open}
start, skip = 0, 0
if "--resume" in sys.argv:
    {load}
    start, skip = divmod(int(state["step"]), 4)
    {loaded}
for epoch in range(start, 3):
    order = np.random.default_rng({seed}).permutation(32)
    for batch in range(4):
        if epoch == start and batch < skip:
            continue
        rows = order[8 * batch : 8 * batch + 8]
        state, loss = step(state, x[rows], y[rows]{given})
        if int(state["step"]) % 3 == 0:
            {save}
{end}
"""
PLAIN = {
    "imports": "",
    "rate": "0.1",
    "more": "{}",
    "key": "jax.random.key_data(jax.random.key(2))",
    "noise": "",
    "takes": "",
    "inside": "",
    "open": "",
    "load": 'state = pickle.load(open("last.pkl", "rb"))',
    "loaded": "",
    "seed": "epoch",
    "given": "",
    "save": 'pickle.dump(state, open("next.pkl", "wb")); os.replace("next.pkl", "last.pkl")',
    "end": "",
}
MANAGER = {
    "imports": "import orbax.checkpoint as ocp",
    "open": "manager = ocp.CheckpointManager(folder, "
    "options=ocp.CheckpointManagerOptions(max_to_keep=2))",
    "load": "state = manager.restore(manager.latest_step(), args=ocp.args.StandardRestore(state))",
    "save": 'manager.save(int(state["step"]), args=ocp.args.StandardSave(state))',
    "end": "manager.wait_until_finished(); manager.close()",
}
STANDARD = {
    "imports": "import orbax.checkpoint as ocp",
    "open": "checkpointer = ocp.StandardCheckpointer()",
    "load": "state = checkpointer.restore(os.path.join(folder, max(os.listdir(folder))), state)",
    "save": "checkpointer.save(os.path.join(folder, f\"{int(state['step']):03}\"), state)",
    "end": "checkpointer.wait_until_finished()",
}
FLAX = {
    "imports": "import flax.serialization",
    "load": 'state = flax.serialization.from_bytes(state, open("last.msgpack", "rb").read())',
    "save": 'open("last.msgpack", "wb").write(flax.serialization.to_bytes(state))',
}
ARRAYS = {
    "imports": "import io\nfrom pathlib import Path",
    "load": 'found = np.load(io.BytesIO(Path("last.npz").read_bytes()))\n'
    "    leaves = [found[str(n)] for n in range(len(jax.tree.leaves(state)))]\n"
    "    state = jax.tree.unflatten(jax.tree.structure(state), leaves)",
    "save": 'np.savez("last.npz", **{str(n): a for n, a in enumerate(jax.tree.leaves(state))})',
}
EQUINOX = {
    "imports": "import equinox as eqx",
    "load": 'state = eqx.tree_deserialise_leaves("last.eqx", state)',
    "save": 'eqx.tree_serialise_leaves("last.eqx", state)',
}
DROPOUT = {
    "noise": "hidden *= 2 * jax.random.bernoulli(jax.random.wrap_key_data(key), 0.5, hidden.shape)",
    "inside": 'key = jax.random.split(jax.random.wrap_key_data(state["key"]))[0]\n'
    '    state = {**state, "key": jax.random.key_data(key)}',
}
AVERAGE = {
    "more": "jax.tree.map(jnp.array, params)",
    "inside": "more = jax.tree.map(lambda a, p: 0.9 * a + 0.1 * p, state['more'], params)\n"
    "    state = {**state, 'more': more}",
}
FRESH = "fresh = state\n    " + PLAIN["load"]
FAULTS: dict[str, tuple[str, str, dict[str, Any]]] = {  # the invariant, what it says, the parts
    "optimizer": (
        "resume/state",
        "the state of the step is another one in 5 of 5 entries, the first is state.opt.0.count",
        {"load": FRESH, "loaded": "state['opt'] = fresh['opt']"},
    ),
    "count": (
        "resume/state",
        "another one in 1 of 5 entries, the first is state.opt.0.count",
        {
            "load": FRESH,
            "loaded": "state['opt'] = (state['opt'][0]._replace(count=jnp.zeros([], 'int32')), "
            "state['opt'][1])",
        },
    ),
    "moments exchanged": (
        "resume/state",
        "another one in 4 of 5 entries, the first is state.opt.0.mu.a",
        {
            "loaded": "adam, last = state['opt']\n"
            "    state['opt'] = (adam._replace(mu=adam.nu, nu=adam.mu), last)"
        },
    ),
    "schedule": (
        "resume/state",
        "the argument rate of update 4 is 0.1 instead of 0.",
        {
            "rate": "1.0",
            "takes": ", rate",
            "inside": "params = jax.tree.map(lambda p, u: p + (rate - 1) * u, params, updates)",
            "given": ", 0.1 * 0.9 ** steps",
            "open": "steps = 0",
            "save": PLAIN["save"] + "\n        steps += 1",
        },
    ),
    "average": (
        "resume/state",
        "the buffer state.more.a is not the one that was saved",
        {**AVERAGE, "load": FRESH, "loaded": "state['more'] = state['params']"},
    ),
    "one tensor": (
        "resume/state",
        "1 of 2 trained tensors are not those that were saved, the first is state.params.b",
        {"load": FRESH, "loaded": "state['params']['b'] = fresh['params']['b']"},
    ),
    "constant": (
        "resume/state",
        "its first loss is",
        {
            "open": "scale = [1.0]",
            "noise": "hidden = hidden * (2.0 if '--resume' in sys.argv else 1.0)",
        },
    ),
    "skipped": (
        "resume/batches",
        "it leaves out batches: it goes on with the batch of update 5 instead of update 4",
        {"loaded": "start, skip = start + 1, 0"},
    ),
}
SOUND: dict[str, dict[str, Any]] = {
    "pickle": {},
    "CheckpointManager": MANAGER,
    "StandardCheckpointer": STANDARD,
    "flax": FLAX,
    "savez": ARRAYS,
    "Equinox, renamed": {
        **EQUINOX,
        "save": 'eqx.tree_serialise_leaves(open("next.eqx", "wb"), state); '
        'os.replace("next.eqx", "last.eqx")',
        "loaded": "state = jax.tree.map(jnp.asarray, state)",
    },
    "Equinox": {**EQUINOX, "loaded": "state = jax.tree.map(jnp.asarray, state)"},
    "dropout": DROPOUT,
    "average": AVERAGE,
    "a sum to print": {"load": FRESH, "loaded": "state['seen'] = 0"},
}
NOTED: dict[str, tuple[str, str, dict[str, Any]]] = {  # the note, what it says, the parts
    "key": (
        "resume/random",
        "the key state.key has another state than when it was saved",
        {**DROPOUT, "load": FRESH, "loaded": "state['key'] = fresh['key']"},
    ),
    "half of a file": (
        "resume/half-written",
        "this save writes over last.pkl: a kill meanwhile leaves half of it",
        {"save": 'pickle.dump(state, open("last.pkl", "wb"))'},
    ),
    "the first order": (
        "resume/order",
        "it goes back to the batch of update",
        {"seed": "epoch - start"},
    ),
}


def text(**parts: Any) -> str:
    """Return the script with these parts in place of the usual ones."""
    return SCRIPT.format(**{**PLAIN, **parts})
