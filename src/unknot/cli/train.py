"""``unknot train``."""

from pathlib import Path
from typing import Annotated

import typer

from ._app import BackendOption, SeedOption, command
from ._paths import file_to_write, note_on_output_error
from ._streams import print_line


@command(
    "unknot train lenet mnist -o lenet.keras --epochs 3 --validate",
    "unknot train lenet.keras photos/ -o more.keras    # a saved model, on images",
)
def train(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="Network: logistic_regression, perceptron, lenet, or a saved model to train.",
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Data set: mnist, digits, an .npz file, or a folder of IDX files or images.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="Model to write: .keras, .h5 or .yaml."),
    ],
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs.")] = 10,
    batch_size: Annotated[int, typer.Option(min=1, help="Number of samples per step.")] = 100,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Learning rate of stochastic gradient descent.",
            show_default="0.1, or that of the saved model",
        ),
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Evaluate on the test data after each epoch.")
    ] = False,
    random_state: SeedOption = 0,
    backend: BackendOption = None,
) -> None:
    """Train a network on labeled data; save the model, and its history as OUT.csv."""
    from .. import networks
    from .._keras import import_keras
    from ..datasets import load_dataset
    from ..training import check_history_path, check_model_path, load_keras_model, save_model
    from ..training import train as train_model

    check_model_path(out)
    target = file_to_write(out, "--out")
    history_path = file_to_write(check_history_path(out), "the history")
    import_keras(backend, feature="Training")
    dataset = load_dataset(data)
    if network in networks.__all__:
        model = getattr(networks, network)(
            dataset.n_classes, dataset.train.inputs.shape[1:], random_state=random_state
        )
    elif Path(network).exists():
        model = load_keras_model(network)
    else:
        raise ValueError(
            f"network must be {', '.join(networks.__all__)} or a saved model's path; "
            f"got {network!r}"
        )
    history = train_model(
        model,
        dataset,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        validate=validate,
        random_state=random_state,
    )
    save_model(model, target)
    with note_on_output_error(f"the model was saved to {out}"):
        history.to_csv(history_path)
        print_line(f"Saved {out} and {history_path} after {history.epochs} epochs.")
    if history.interrupted:
        raise typer.Exit(130)
