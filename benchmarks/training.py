"""How soon does a network read 99 % of MNIST? From PyTorch's own example to `fit`, one change at a time.

Every rung of the ladder trains from scratch on the first 50,000 training images until its accuracy on the last 10,000,
the validation images, is 99 %. The test set is looked at once, afterwards, and only reported. All rungs run in turns,
one seed per round. Seconds are processor time on one thread, so that a busy machine does not matter; looking at the
validation images is not counted. Prints a Markdown table and stores the numbers in benchmarks/results/training.json,
which a lesson draws.
"""

import argparse
import contextlib
import json
import math
import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from unittest import mock

import torch
from torch import nn
from torch.nn import functional as F
from torchvision import datasets, transforms

from helpers import data
from helpers.data import Split, download
from helpers.network import device, running, training
from helpers.network.models import ConvNet

STORED = Path(__file__).resolve().parent / "results" / "training.json"
EXAMPLE, PLAIN, FIT = "public example", "no dropout, no normalization", "fit"
LARGE, SMOOTH, SMOOTH32 = "Adam, batches of 128", "label smoothing", "the same without bfloat16"


@dataclass(frozen=True)
class Rung:
    """One way to train, and the one thing it changes compared with the rung above it."""

    name: str
    change: str
    loader: bool = False
    network: str = "ConvNet"
    layout: torch.memory_format = torch.contiguous_format
    half: bool = False
    optimizer: str = "adadelta"
    batch: int = 64
    fit: dict | None = None  # what is asked of `fit` besides the size of a batch; None: a loop written out
    first: int = 2  # epochs of the first try, where a schedule wants to know its length beforehand


LAST = torch.channels_last
ADAM = {"optimizer": "adam", "lr": 0.02, "weight_decay": 0.02}
SOFT = ADAM | {"smooth": 0.1}
LADDER = (
    Rung(EXAMPLE, "PyTorch's own example for MNIST", loader=True, network="example"),
    Rung("a second pooling", "pooling after both convolutions, not only the second", loader=True, network="pooled"),
    Rung("data in memory", "all images are one tensor, made and shuffled at once", network="pooled"),
    Rung(PLAIN, "the network is our ConvNet"),
    Rung("channels last", "the channels of a pixel lie side by side in memory", layout=LAST),
    Rung("bfloat16", "products of 16-bit numbers", layout=LAST, half=True),
    Rung("SGD with momentum", "instead of Adadelta", layout=LAST, half=True, optimizer="sgd"),
    Rung("one cycle", "the learning rate rises and falls once", layout=LAST, half=True, optimizer="one cycle"),
    Rung(FIT, "batches of 32, each moved by a pixel", layout=LAST, half=True, batch=32, fit={}),
    Rung(LARGE, "instead of SGD and 32", layout=LAST, half=True, batch=128, fit=ADAM),
    Rung(SMOOTH, "targets of 0.91 and 0.01 instead of 1 and 0", layout=LAST, half=True, batch=128, fit=SOFT, first=1),
    Rung(SMOOTH32, "for processors that have no units for it", layout=LAST, batch=128, fit=SOFT, first=1),
)


@dataclass(frozen=True)
class Digits:
    """The images to learn from, those that decide when to stop, and those of the verdict."""

    train: Split
    validation: Split
    test: Split


class ExampleNet(nn.Module):
    """The network of PyTorch's MNIST example: two convolutions, one pooling layer, two dense layers, dropout twice.

    Args:
        pooled: put a second pooling layer after the first convolution: 225,034 parameters instead of 1,199,882.
    """

    def __init__(self, pooled: bool = False):
        super().__init__()
        self.between = 2 if pooled else 1
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.hidden, self.output = nn.Linear(64 * (5 * 5 if pooled else 12 * 12), 128), nn.Linear(128, 10)
        self.drop_maps, self.drop_units = nn.Dropout(0.25), nn.Dropout(0.5)

    def forward(self, x):
        """Logits (N, 10) of images (N, 1, 28, 28); the example's log_softmax and nll_loss are cross_entropy."""
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(x, self.between) if self.between > 1 else x
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.drop_maps(x).flatten(1)
        return self.output(self.drop_units(F.relu(self.hidden(x))))


@dataclass
class Result:
    """What one rung gave in every round; `steps` counts the batches, accuracies are shares of the images."""

    name: str
    change: str
    seconds: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    test: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)


def normalized(images):
    """What the example's Normalize does to pixels in [0, 1]."""
    return (images - 0.1307) / 0.3081


def built(rung):
    """The network of a rung, with random weights."""
    return ConvNet() if rung.network == "ConvNet" else ExampleNet(pooled=rung.network == "pooled")


def batches(rung, digits, samples, generator):
    """One epoch of (images, labels): in random order from memory, as they come from the loader, as the example does."""
    if rung.loader:
        yield from torch.utils.data.DataLoader(samples, rung.batch)
        return
    for rows in torch.randperm(len(digits.train), generator=generator).split(rung.batch):
        images = digits.train.images[rows]
        yield (images if rung.network == "ConvNet" else normalized(images)), digits.train.labels[rows]


def plain(rung, digits, samples, seed, most, target):
    """Train with a written-out loop until an epoch is enough; returns seconds, epochs, both accuracies and steps."""
    torch.manual_seed(seed)
    model = built(rung).to(memory_format=rung.layout)
    if rung.optimizer == "one cycle":  # its length is decided beforehand
        return cycles(rung, digits, model, seed, most, target)
    generator = torch.Generator().manual_seed(seed)
    if rung.optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    else:
        optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    rates = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    seconds, steps = 0.0, 0
    spent = 0
    while spent < most:
        model.train()
        started = time.process_time()
        steps += one_epoch(rung, model, optimizer, batches(rung, digits, samples, generator))
        rates.step()
        spent += 1
        seconds += time.process_time() - started
        if share(rung, model, digits.validation) >= target:
            break
    return seconds, spent, share(rung, model, digits.validation), share(rung, model, digits.test), steps


def one_epoch(rung, model, optimizer, pairs, after=None):
    steps = 0
    for images, labels in pairs:
        with torch.autocast("cpu", torch.bfloat16, enabled=rung.half):
            loss = F.cross_entropy(model(images.contiguous(memory_format=rung.layout)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if after is not None:
            after.step()
        steps += 1
    return steps


def cycles(rung, digits, model, seed, most, target):
    """One-cycle runs from the same start, each an epoch longer, until one is enough; all their time counts."""
    start = {name: value.clone() for name, value in model.state_dict().items()}
    seconds, steps, spent = 0.0, 0, 0
    for epochs in range(rung.first, most + 1):
        model.load_state_dict(start)
        generator = torch.Generator().manual_seed(seed)
        total = max(8, epochs * math.ceil(len(digits.train) / rung.batch))
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
        rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total, pct_start=0.25, cycle_momentum=False)
        model.train()
        started = time.process_time()
        for _ in range(epochs):
            steps += one_epoch(rung, model, optimizer, batches(rung, digits, None, generator), rates)
        seconds, spent = seconds + time.process_time() - started, spent + epochs
        if share(rung, model, digits.validation) >= target:
            break
    return seconds, spent, share(rung, model, digits.validation), share(rung, model, digits.test), steps


def share(rung, model, split):
    """Share of a split that the network gets right."""
    images = split.images if rung.network == "ConvNet" else normalized(split.images)
    return running.accuracy(model, (images, split.labels))


def fitted(rung, digits, seed, most, target):
    """Train with `fit`, each try an epoch longer than the one before, until one is enough; all their time counts."""
    seconds, spent, steps = 0.0, 0, 0
    half = contextlib.nullcontext() if rung.half else mock.patch.object(training, "fast_bfloat16", return_value=False)
    for epochs in range(rung.first, most + 1):
        torch.manual_seed(seed)
        model = ConvNet()
        asked = {"epochs": epochs, "batch_size": rung.batch, "seed": seed, "device": "cpu", "bar": False}
        started = time.process_time()
        with half:
            history = training.fit(model, digits.train, **asked, **rung.fit)
        seconds += time.process_time() - started
        steps, spent = steps + len(history.losses), spent + epochs
        if share(rung, model, digits.validation) >= target:
            break
    return seconds, spent, share(rung, model, digits.validation), share(rung, model, digits.test), steps


def machine():
    """What the numbers were measured on, in words that name no computer."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "bfloat16 in hardware": device.fast_bfloat16("cpu"),
        "torch": torch.__version__.split("+")[0],
    }


def example_samples(count):
    """MNIST as a torchvision data set: bytes to PIL image to tensor to normalized tensor, one image at a time."""
    change = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    samples = datasets.MNIST(download.find("mnist").root, train=True, transform=change)
    return torch.utils.data.Subset(samples, range(count)) if count < len(samples) else samples


def measure(digits, samples, rounds, most, target, ladder=LADDER, store=None):
    """Every rung in every round, one after the other; the order turns around from round to round."""
    bfloat16 = device.fast_bfloat16("cpu")
    ladder = [rung for rung in ladder if bfloat16 or rung.name not in ("bfloat16", SMOOTH32)]
    results = {rung.name: Result(rung.name, rung.change) for rung in ladder}
    for seed in range(rounds):
        for rung in ladder if seed % 2 == 0 else ladder[::-1]:
            if not bfloat16 and rung.half:
                rung = replace(rung, half=False)
            run = plain if rung.fit is None else fitted
            arguments = (rung, digits, samples, seed) if rung.fit is None else (rung, digits, seed)
            measured = run(*arguments, most, target)
            result = results[rung.name]
            columns = (result.seconds, result.epochs, result.validation, result.test, result.steps)
            for values, value in zip(columns, measured, strict=True):
                values.append(round(value, 4))
            seconds, epochs, checked, verdict, _ = measured
            print(
                f"round {seed + 1}: {rung.name}, {seconds:.1f} s, {epochs:g} epochs, {checked:.2%}, test {verdict:.2%}",
                flush=True,
            )
            if store is not None:
                store(list(results.values()))
    return list(results.values())


def ratio(slow, quick):
    """The median over rounds of slow / quick: how many times faster the second one is."""
    return statistics.median(a / b for a, b in zip(slow.seconds, quick.seconds, strict=True))


def table(results):
    """Markdown: per rung the medians, and two ratios, against the first rung and against the one above."""
    yield "| how | seconds | epochs | s per epoch | validation | test | × example | × row above |"
    yield "|---|---|---|---|---|---|---|---|"
    for i, result in enumerate(results):
        seconds, epochs = statistics.median(result.seconds), statistics.median(result.epochs)
        each = statistics.median(s / e for s, e in zip(result.seconds, result.epochs, strict=True))
        above = f"{ratio(results[i - 1], result):.2f}" if i else "1"
        yield (
            f"| {result.name} | {seconds:.1f} | {epochs:g} | {each:.1f} | {statistics.median(result.validation):.2%} "
            f"| {statistics.median(result.test):.2%} "
            f"| {ratio(results[0], result):.1f} | {above} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with its own seed (default 3)")
    parser.add_argument("--target", type=float, default=0.99, help="accuracy on validation images (default 0.99)")
    parser.add_argument("--images", type=int, default=50_000, help="training images (default 50,000, the first ones)")
    parser.add_argument("--quick", action="store_true", help="3,000 images, 90 %%, one round: does it still run?")
    parser.add_argument("--output", type=Path, help="where to store the numbers (default: results/, quick: nowhere)")
    asked = parser.parse_args()
    mnist = data.load("mnist").torch()
    if not mnist.real:
        raise SystemExit("Only the real MNIST counts here: `make data` fetches it.")
    torch.set_num_threads(1)
    rounds, target, count = (1, 0.9, 3000) if asked.quick else (asked.rounds, asked.target, asked.images)
    most = 12  # epochs after which a rung is given up
    digits = Digits(mnist.train[:count], mnist.train[50_000:], mnist.test)
    output = asked.output or (None if asked.quick else STORED)

    def store(results):
        if output is not None:
            about = {"target": target, "images": count, "machine": machine(), "rungs": [asdict(r) for r in results]}
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(json.dumps(about) + "\n", encoding="utf-8")

    results = measure(digits, example_samples(count), rounds, most, target, store=store)
    print("\n".join(["", *table(results)]))


if __name__ == "__main__":
    main()
