"""Run an epoch of training in as few calls into the backend as possible.

Keras' ``fit`` fetches every batch from a pipeline in Python and, by default, returns to Python
after every step. Small networks spend most of their time there. Here the data are copied to the
backend once, an epoch is a table of sample indices (one row per batch), and a compiled loop
gathers each batch and calls the model's own ``train_step``: the same arithmetic on the same
batches, so that optimizers, metrics, dropout and custom training steps work as in ``fit``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import Array, Int32

STEPS_PER_CALL = 200  # few enough that Ctrl-C and the progress bar respond quickly

RunSteps = Callable[[Int32[Array, "steps batch"]], None]


def compile_steps(
    model: Any, inputs: Array, labels: Array, backend: str, *, train: bool = True
) -> tuple[RunSteps, Callable[[], None]]:
    """Return a function that runs steps on tables of sample indices, and one that ends an epoch.

    The steps train the model or evaluate it, and update its metrics. The second function writes
    the state back to the model's variables, on backends that keep it apart during an epoch.
    """
    builders = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    return builders[backend](model, inputs, labels, train)


def has_windows(model: Any) -> bool:
    """Whether a layer convolves, pools or recurs: XLA's CPU code for these is slow inside loops."""
    return any(
        hasattr(layer, "kernel_size")
        or hasattr(layer, "pool_size")
        or hasattr(layer, "cell")
        or (hasattr(layer, "layers") and has_windows(layer))
        for layer in model.layers
    )


def _tensorflow(
    model: Any, inputs: Array, labels: Array, train: bool
) -> tuple[RunSteps, Callable[[], None]]:
    import tensorflow as tf

    model.optimizer.build(model.trainable_variables)
    inputs, labels = tf.constant(inputs), tf.constant(labels)
    one_step = model.train_step if train else model.test_step

    def loop(batches: Any) -> None:
        def body(step: Any) -> tuple[Any]:
            batch = batches[step]
            one_step((tf.gather(inputs, batch), tf.gather(labels, batch)))
            return (step + 1,)

        tf.while_loop(lambda step: step < tf.shape(batches)[0], body, [tf.constant(0)])

    compiled = tf.function(
        loop, autograph=False, jit_compile=not has_windows(model)
    ).get_concrete_function(tf.TensorSpec((None, None), tf.int32))
    return lambda batches: compiled(tf.constant(batches)), lambda: None


def _jax(
    model: Any, inputs: Array, labels: Array, train: bool
) -> tuple[RunSteps, Callable[[], None]]:
    import jax

    model.optimizer.build(model.trainable_variables)
    inputs, labels = jax.numpy.asarray(inputs), jax.numpy.asarray(labels)
    groups = [model.trainable_variables, model.non_trainable_variables]
    groups += [model.optimizer.variables] if train else []
    groups += [model.metrics_variables]
    on_batch = model.train_step if train else model.test_step

    def step(state: Any, batch: Any, inputs: Any, labels: Any) -> tuple[Any, None]:
        return on_batch(state, (inputs[batch], labels[batch]))[1], None

    if has_windows(model):
        one_step = jax.jit(lambda *args: step(*args)[0], donate_argnums=0)

        def loop(state: Any, batches: Any, inputs: Any, labels: Any) -> Any:
            for batch in batches:
                state = one_step(state, batch, inputs, labels)
            return state

    else:
        loop = jax.jit(
            lambda state, batches, inputs, labels: jax.lax.scan(
                lambda state, batch: step(state, batch, inputs, labels), state, batches
            )[0],
            donate_argnums=0,
        )

    state: list[Any] = []

    def run(batches: Array) -> None:
        if not state:  # the start of an epoch
            # Copies: the loop may reuse the memory of its arguments.
            state.append(tuple([jax.numpy.array(v.value) for v in group] for group in groups))
        state[0] = loop(state[0], jax.numpy.asarray(batches), inputs, labels)

    def finish() -> None:
        for group, values in zip(groups, state.pop(), strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)

    return run, finish


def _torch(
    model: Any, inputs: Array, labels: Array, train: bool
) -> tuple[RunSteps, Callable[[], None]]:
    import torch

    model.optimizer.build(model.trainable_variables)
    device = model.trainable_variables[0].value.device
    one_step = model.train_step if train else model.test_step
    inputs, labels = torch.from_numpy(inputs).to(device), torch.from_numpy(labels).to(device)

    def run(batches: Array) -> None:
        with torch.set_grad_enabled(train):
            for batch in torch.from_numpy(batches).to(device):
                one_step((inputs[batch], labels[batch]))

    return run, lambda: None


def epoch_batches(
    n_samples: int, batch_size: int, seed: int, epoch: int
) -> list[Int32[Array, "steps batch"]]:
    """Draw the batches of an epoch, as tables of sample indices.

    The order depends only on the seed and the epoch, so that a resumed training gets the same
    batches as an uninterrupted one.
    """
    order = np.random.default_rng([seed, epoch]).permutation(n_samples).astype(np.int32)
    return batch_tables(order, batch_size)


def batch_tables(
    order: Int32[Array, " samples"], batch_size: int
) -> list[Int32[Array, "steps batch"]]:
    """Cut sample indices into tables of full batches, and one of a last, smaller batch."""
    whole = len(order) - len(order) % batch_size
    batches = order[:whole].reshape(-1, batch_size)
    tables = [
        batches[start : start + STEPS_PER_CALL] for start in range(0, len(batches), STEPS_PER_CALL)
    ]
    return tables + ([order[whole:][None]] if whole < len(order) else [])
