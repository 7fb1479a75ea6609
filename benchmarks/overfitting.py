"""What becomes of a network that sees the same 500 garments thirty times, and what each cure changes.

Every seed has its own 500 training images and its own starting weights; all are judged on the same 2,500 validation
images after every 30 steps (three epochs). Stores the curves in benchmarks/results/overfitting.json; a lesson
draws them. Prints loss and accuracy where the validation loss is lowest and after the last epoch. It measures no speed.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from helpers import data
from helpers.data import Split
from helpers.network import running, training
from helpers.network.models import ConvNet, count_parameters

STORED = Path(__file__).resolve().parent / "results" / "overfitting.json"
IMAGES, EPOCHS, MANY, STEPS, VALIDATION = 500, 30, 10, 30, 2500
NAMES = ("loss", "accuracy", "sure when wrong")

#: name → settings of the network, settings of the training, how many times as many images (and as few epochs).
CONDITIONS = {
    "plain": ({}, {}, 1),
    "dropout 0.5": ({"dropout": 0.5}, {}, 1),
    "label smoothing 0.1": ({}, {"smooth": 0.1}, 1),
    "few weights": ({"filters": (4, 8), "hidden": 32}, {}, 1),
    "many weights": ({"hidden": 1024}, {}, 1),
    "ten times the images": ({}, {}, MANY),
}


def judged(model: torch.nn.Module, images: Split) -> tuple[float, float, float]:
    """Loss, accuracy, and the mean probability of the answers that are wrong."""
    logits = running.predict(model, images.images)
    sure, answer = torch.softmax(logits, dim=1).max(1)
    hit = answer == images.labels
    loss = F.cross_entropy(logits, images.labels).item()
    return loss, hit.float().mean().item(), sure[~hit].mean().item()


def curves(condition: str, train: Split, validation: Split, seed: int) -> dict[str, list[float]]:
    """Validation loss, accuracy and sureness when wrong, after every 30 steps of one run."""
    network, settings, times = CONDITIONS[condition]
    size = IMAGES * times
    images = train[seed * size : (seed + 1) * size]
    rows = []

    def watch(history: training.History) -> None:
        if len(history.losses) == STEPS * (len(rows) + 1):
            rows.append(judged(model, validation))

    torch.manual_seed(seed)
    model = ConvNet(**network)
    plain = {"lr": 0.05, "batch_size": 50, "one_cycle": False, "shift": 0, "weight_decay": 0.0, "bar": False}
    training.fit(model, images, epochs=EPOCHS // times, seed=seed, watch=watch, **plain, **settings)
    columns = zip(*rows, strict=True)
    return {name: [round(value, 4) for value in column] for name, column in zip(NAMES, columns, strict=True)}


def table(conditions: dict) -> list[str]:
    """One line a condition: means over seeds, where the validation loss is lowest and after the last epoch."""
    lines = ["| how | parameters | at the lowest loss | after the last epoch |", "|---|---|---|---|"]
    for name, stored in conditions.items():
        ends = []
        for place in (lambda run: int(np.argmin(run["loss"])), lambda run: -1):
            rows = np.array([[run[key][place(run)] for key in run] for run in stored["runs"]])
            ends.append("{:.2f}, {:.1%}, {:.0%} sure when wrong".format(*rows.mean(0)))
        lines.append(f"| {name} | {stored['parameters']:,} | {ends[0]} | {ends[1]} |")
    return lines


def main() -> None:
    """Run every condition with every seed, store and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--output", type=Path, default=STORED)
    asked = parser.parse_args()
    fashion = data.load("fashion").torch()
    if not fashion.real:
        raise SystemExit("Only the real FashionMNIST counts here: `make data` fetches it.")
    train, validation = fashion.train.split(len(fashion.train) - VALIDATION)
    stored = {
        name: {"parameters": count_parameters(ConvNet(**network)), "images": IMAGES * times, "runs": []}
        for name, (network, _, times) in CONDITIONS.items()
    }
    for seed in range(asked.seeds):
        for name in CONDITIONS:
            run = curves(name, train, validation, seed)
            stored[name]["runs"].append(run)
            print(f"seed {seed}, {name}: loss {run['loss'][-1]:.2f}, accuracy {run['accuracy'][-1]:.1%}", flush=True)
        about = {"validation images": VALIDATION, "steps between measurements": STEPS, "conditions": stored}
        asked.output.write_text(json.dumps(about) + "\n", encoding="utf-8")
    print("\n".join(["", *table(stored)]))


if __name__ == "__main__":
    main()
