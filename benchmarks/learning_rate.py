"""How well a network does after 150 steps: by optimizer and learning rate, and by size and number of its filters.

Each setting runs with three seeds on 3,000 garments, each seen once, and is judged on 2,000 validation images. Stores
the accuracies in benchmarks/results/learning_rate.json, from which a lesson draws. It measures no speed.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from helpers import data
from helpers.data import Split
from helpers.network import running
from helpers.network.models import ConvNet

STORED = Path(__file__).resolve().parent / "results" / "learning_rate.json"
SEEDS, BATCH = 3, 20
RATES = {
    "SGD": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "momentum 0.9": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
    "Adam": (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03),
}
SIZES, COUNTS = (1, 3, 5, 9, 15), (2, 8, 32)


def optimizer(name: str, weights: list[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """One of PyTorch's optimizers, with its own defaults."""
    if name == "Adam":
        return torch.optim.Adam(weights, lr)
    return torch.optim.SGD(weights, lr, momentum=0.9 if name == "momentum 0.9" else 0.0)


def one_layer(size: int, count: int) -> nn.Module:
    """A network with a single convolution: ``count`` filters of ``size`` × ``size``."""
    return nn.Sequential(
        nn.Conv2d(1, count, size), nn.ReLU(), nn.AdaptiveMaxPool2d(6), nn.Flatten(), nn.Linear(count * 36, 10)
    )


def trained(make: Callable[[], nn.Module], kind: str, lr: float, images: Split, seed: int) -> nn.Module:
    """A network after one pass over the images, in the plain loop of the lessons."""
    torch.manual_seed(seed)
    net = make()
    descent = optimizer(kind, list(net.parameters()), lr)
    for rows in torch.randperm(len(images)).split(BATCH):
        loss = F.cross_entropy(net(images.images[rows]), images.labels[rows])
        descent.zero_grad()
        loss.backward()
        descent.step()
    return net


def main() -> None:
    """Run every setting with every seed, store the accuracies."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=STORED)
    asked = parser.parse_args()
    fashion = data.load("fashion").torch()
    if not fashion.real:
        raise SystemExit("Only the real FashionMNIST counts here: `make data` fetches it.")
    images, validation = fashion.train[:3000], fashion.train[-2000:]
    stored = {"images": len(images), "batch": BATCH, "validation images": len(validation), "sizes": [], "rates": []}

    def note(table: str, make: Callable[[], nn.Module], kind: str, rate: float, **setting: object) -> None:
        nets = (trained(make, kind, rate, images, seed) for seed in range(SEEDS))
        shares = [round(running.accuracy(net, validation), 4) for net in nets]
        stored[table].append({**setting, "accuracy": shares})
        print(setting, shares, flush=True)
        asked.output.write_text(json.dumps(stored) + "\n", encoding="utf-8")

    for size in SIZES:
        for count in COUNTS:
            note("sizes", lambda s=size, c=count: one_layer(s, c), "momentum 0.9", 0.02, size=size, count=count)
    for kind, rates in RATES.items():
        for lr in rates:
            note("rates", ConvNet, kind, lr, optimizer=kind, lr=lr)


if __name__ == "__main__":
    main()
