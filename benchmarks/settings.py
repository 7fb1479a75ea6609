"""Which settings of `training.fit` the validation split would choose: each default beside its neighbors.

One epoch on 50,000 digits, judged on the other 10,000 of MNIST's training set, three seeds. Stores the accuracies in
benchmarks/results/settings.json, from which the training lesson quotes. It measures no speed, and takes ten minutes.
"""

import json
from pathlib import Path

import torch

from helpers import data
from helpers.network import training
from helpers.network.models import ConvNet

STORED = Path(__file__).resolve().parent / "results" / "settings.json"
NEIGHBORS = {"lr": (0.05, 0.1), "shift": (0, 2), "batch_size": (16, 64)}
SEEDS = 3


def accuracies(**setting: float) -> list[float]:
    """Validation accuracy after one epoch, once for each seed."""
    learned, validation = data.load("mnist").torch().train.split(50_000)
    found = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        run = training.fit(ConvNet(), learned, validation, seed=seed, bar=False, **setting)
        found.append(round(run.epochs[-1].validation_accuracy, 4))
    return found


def main() -> None:
    """Run the defaults and every neighbor, and store what they reach."""
    rows = [{"setting": {}, "accuracy": accuracies()}]
    for name, values in NEIGHBORS.items():
        for value in values:
            rows.append({"setting": {name: value}, "accuracy": accuracies(**{name: value})})
            print(rows[-1])
    STORED.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
