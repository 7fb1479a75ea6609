"""Train the reference networks and store them with their cards: ``make checkpoints`` (ten minutes on two cores).

A card says what the network was trained on, how, and how good it is; ``helpers.network.checkpoints.load`` checks the
weights against it. Only the real data sets count: on the offline stand-in nothing is stored.
"""

import sys
from typing import Any

import torch

from helpers import data
from helpers.data.raw import SETS
from helpers.network import checkpoints, running, training
from helpers.network.models import ConvNet

#: How each network is built and trained; ``least`` is the test accuracy below which it is not stored.
RECIPES: dict[str, dict[str, Any]] = {
    "mnist": {
        "network": {"dropout": 0.25},
        "fit": {"epochs": 10, "batch_size": 64, "lr": 0.1, "shift": 2},
        "seed": 0,
        "least": 0.992,
    },
    "fashion": {
        "network": {"dropout": 0.4},
        "fit": {
            "epochs": 42,
            "batch_size": 128,
            "lr": 0.003,
            "optimizer": "adam",
            "weight_decay": 0.05,
            "shift": 1,
            "flip": True,
            "each": True,
            "smooth": 0.05,
        },
        # Then once more, as the clothes lie and with fewer units off: the last percent is in the details.
        "then": {
            "dropout": 0.2,
            "epochs": 8,
            "batch_size": 128,
            "lr": 0.001,
            "optimizer": "adam",
            "weight_decay": 0.05,
            "shift": 0,
            "flip": True,
            "each": True,
            "smooth": 0.05,
        },
        "seed": 0,
        "least": 0.93,
    },
}


def make(name: str) -> float:
    """Train one reference network and store it if it is good enough.

    Args:
        name: A key of ``RECIPES``.

    Returns:
        Its test accuracy, in [0, 1].

    Raises:
        SystemExit: if the real data is not here, or the accuracy is below the recipe's ``least``.
    """
    recipe = RECIPES[name]
    images = data.load(name)
    if not images.real:
        sys.exit(f"The real {name} set is not here, and reference networks are trained on nothing else: `make data`.")
    torch.manual_seed(recipe["seed"])
    model = ConvNet(**recipe["network"])
    history = training.fit(model, images.train, images.test, seed=recipe["seed"], **recipe["fit"])
    if "then" in recipe and not history.interrupted:
        options = dict(recipe["then"])
        model.classifier.dropout.p = options.pop("dropout")
        history = training.fit(model, images.train, images.test, seed=recipe["seed"], **options)
    accuracy = running.accuracy(model, images.test)
    if history.interrupted or accuracy < recipe["least"]:
        sys.exit(
            f"{name}: test accuracy {accuracy:.2%} after {history}; not stored, {recipe['least']:.1%} is required."
        )
    card = {
        "data set": name,
        "md5 of its files": {file: md5 for file, (_, md5, _) in SETS[name].files.items()},
        "test accuracy": round(accuracy, 4),
        "training": recipe["fit"],
        **({"then": recipe["then"]} if "then" in recipe else {}),
        "precision": history.precision,
        "seed": recipe["seed"],
        "command": f"python -m tools.checkpoints {name}",
    }
    checkpoints.save(model, name, card)
    return accuracy


def main() -> None:
    """Read the command line: names of recipes, or nothing for all of them."""
    names = sys.argv[1:] or list(RECIPES)
    if unknown := sorted(set(names) - set(RECIPES)):
        sys.exit(f"There is no recipe for {', '.join(unknown)}: choose from {', '.join(RECIPES)}.")
    for name in names:
        print(f"{name}: test accuracy {make(name):.2%}, stored in data/checkpoints/{name}.pt")


if __name__ == "__main__":
    main()
