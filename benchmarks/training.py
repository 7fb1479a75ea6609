"""How fast does a network of the series learn? From the textbook loop to `fit`, step by step, to 99 %.

Every rung of the ladder trains from scratch until its accuracy on the test set is 99 %, all of them in turns within one
run, one seed per round. Seconds are those of training alone: nobody pays for looking at the test set. Prints a Markdown
table of seconds, epochs and ratios, and stores the numbers in benchmarks/results/training.json, which a lesson draws.
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
from helpers.data import download
from helpers.network import device, running, training
from helpers.network.models import ConvNet

STORED = Path(__file__).resolve().parent / "results" / "training.json"
TEXTBOOK, PLAIN, FIT = "textbook loop", "ConvNet, plain loop", "fit"
LARGE, SMOOTH, SMOOTH32 = "fit, large batches", "fit, label smoothing", "the same without bfloat16"


@dataclass(frozen=True)
class Rung:
    """One way to train, and what it changes compared with the rung above it."""

    name: str
    change: str
    loader: bool = False
    network: str = "ConvNet"
    layout: torch.memory_format = torch.contiguous_format
    half: bool = False
    optimizer: str = "adadelta"
    batch: int = 64
    fit: dict | None = None  # what is asked of `fit` besides the size of a batch; None: a loop written out
    share: float = 1.0  # of the training images that `fit` is given; if that is not enough: all of them, twice


LAST = torch.channels_last
ADAMW = {"optimizer": "adam", "lr": 0.02, "weight_decay": 0.02}
SOFT = ADAMW | {"smooth": 0.1}
LADDER = (
    Rung(TEXTBOOK, "one image at a time through a DataLoader", loader=True, network="textbook"),
    Rung("data in memory", "the whole set is one tensor, made once", network="textbook"),
    Rung(PLAIN, "a pooling layer after each convolution, not only after the second"),
    Rung("channels last", "the channels of a pixel lie side by side in memory", layout=LAST),
    Rung("bfloat16", "products of 16-bit numbers, where the processor has them", layout=LAST, half=True),
    Rung("one cycle", "a learning rate that rises and falls once", layout=LAST, half=True, optimizer="one cycle"),
    Rung(FIT, "batches of 32, each moved by a pixel", layout=LAST, half=True, batch=32, fit={}),
    Rung(LARGE, "AdamW and batches of 128: a quarter of the steps", layout=LAST, half=True, batch=128, fit=ADAMW),
    Rung(SMOOTH, "asked for 91 %, not 100: 7 of 10 images do", layout=LAST, half=True, batch=128, fit=SOFT, share=0.7),
    Rung(SMOOTH32, "in float32: what is left without 16-bit products", layout=LAST, batch=128, fit=SOFT, share=0.7),
)


class TextbookNet(nn.Module):
    """Two convolutions, one pooling layer after the second, two dense layers, dropout twice: 1,199,882 parameters."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.hidden, self.output = nn.Linear(64 * 12 * 12, 128), nn.Linear(128, 10)
        self.drop_maps, self.drop_units = nn.Dropout(0.25), nn.Dropout(0.5)

    def forward(self, x):
        """Logits (N, 10) of images (N, 1, 28, 28)."""
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = self.drop_maps(F.max_pool2d(x, 2)).flatten(1)
        return self.output(self.drop_units(F.relu(self.hidden(x))))


@dataclass
class Result:
    """What one rung gave in every round; `steps` counts the batches."""

    name: str
    change: str
    seconds: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)


def normalized(images):
    """What the textbook's Normalize does to pixels in [0, 1]."""
    return (images - 0.1307) / 0.3081


def batches(rung, digits, samples, generator):
    """One epoch of (images, labels) in random order."""
    if rung.loader:
        loader = torch.utils.data.DataLoader(samples, rung.batch, shuffle=True, generator=generator)
        yield from loader
        return
    for rows in torch.randperm(len(digits.train), generator=generator).split(rung.batch):
        images = digits.train.images[rows]
        yield (normalized(images) if rung.network == "textbook" else images), digits.train.labels[rows]


def plain(rung, digits, samples, seed, most, target):
    """Train with a written-out loop; returns seconds, epochs, accuracy and steps at the first epoch that is enough."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = (TextbookNet() if rung.network == "textbook" else ConvNet()).to(memory_format=rung.layout)
    rates = None
    if rung.optimizer == "one cycle":  # its length is decided beforehand: first one epoch, then two, three...
        return cycles(rung, digits, model, seed, most, target)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    rates = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    seconds, steps, spent = 0.0, 0, 0
    while spent < most:
        model.train()
        started = time.perf_counter()
        steps += one_epoch(rung, model, optimizer, batches(rung, digits, samples, generator))
        rates.step()
        seconds, spent = seconds + time.perf_counter() - started, spent + 1
        if (right := tested(rung, model, digits)) >= target:
            break
    return seconds, spent, right, steps


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
    """One-cycle runs of one epoch, two, three... from the same start, until one is enough; all their time counts."""
    start = {name: value.clone() for name, value in model.state_dict().items()}
    seconds, steps = 0.0, 0
    for epochs in range(1, most + 1):
        model.load_state_dict(start)
        generator = torch.Generator().manual_seed(seed)
        total = max(8, epochs * math.ceil(len(digits.train) / rung.batch))
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
        rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total, pct_start=0.25, cycle_momentum=False)
        model.train()
        started = time.perf_counter()
        for _ in range(epochs):
            steps += one_epoch(rung, model, optimizer, batches(rung, digits, None, generator), rates)
        seconds += time.perf_counter() - started
        if (right := tested(rung, model, digits)) >= target:
            break
    return seconds, epochs * (epochs + 1) // 2, right, steps


def tested(rung, model, digits):
    images = normalized(digits.test.images) if rung.network == "textbook" else digits.test.images
    return running.accuracy(model, (images, digits.test.labels))


def fitted(rung, digits, seed, most, target):
    """Train with `fit`: one epoch, or the rung's share of one; if that is not enough two, and all the time counts."""
    seconds, spent, steps = 0.0, 0.0, 0
    half = contextlib.nullcontext() if rung.half else mock.patch.object(training, "fast_bfloat16", return_value=False)
    first = round(rung.share * len(digits.train))
    for epochs in range(1, most + 1):
        torch.manual_seed(seed)
        model = ConvNet()
        images = digits.train[:first] if epochs == 1 else digits.train
        with half:
            asked = {"epochs": epochs, "batch_size": rung.batch, "seed": seed, "device": "cpu", "bar": False}
            history = training.fit(model, images, **asked, **rung.fit)
        seconds, steps = seconds + history.seconds, steps + len(history.losses)
        spent += epochs * len(images) / len(digits.train)
        if (right := running.accuracy(model, digits.test)) >= target:
            break
    return seconds, spent, right, steps


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


def textbook_samples(count):
    """MNIST as a torchvision data set: bytes to PIL image to tensor to normalized tensor, one image at a time."""
    change = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    samples = datasets.MNIST(download.find("mnist").root, train=True, transform=change)
    return torch.utils.data.Subset(samples, range(count)) if count < len(samples) else samples


def measure(digits, samples, rounds, most, target, ladder=LADDER):
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
            for values, value in zip(
                (result.seconds, result.epochs, result.accuracy, result.steps), measured, strict=True
            ):
                values.append(value)
            print(
                f"round {seed + 1}: {rung.name}, {measured[0]:.1f} s, {measured[1]:g} epochs, {measured[2]:.2%}",
                flush=True,
            )
    return list(results.values())


def ratio(slow, quick):
    """The median over rounds of slow / quick: how many times faster the second one is."""
    return statistics.median(a / b for a, b in zip(slow.seconds, quick.seconds, strict=True))


def table(results):
    """Markdown: per rung the medians, and two ratios, against the first rung and against the one above."""
    yield "| how | seconds | epochs | s per epoch | lowest accuracy | × textbook | × row above |"
    yield "|---|---|---|---|---|---|---|"
    for i, result in enumerate(results):
        seconds, epochs = statistics.median(result.seconds), statistics.median(result.epochs)
        each = statistics.median(s / e for s, e in zip(result.seconds, result.epochs, strict=True))
        above = f"{ratio(results[i - 1], result):.2f}" if i else "1"
        yield (
            f"| {result.name} | {seconds:.1f} | {epochs:g} | {each:.1f} | {min(result.accuracy):.2%} "
            f"| {ratio(results[0], result):.1f} | {above} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with its own seed (default 3)")
    parser.add_argument("--target", type=float, default=0.99, help="accuracy on the test set to reach (default 0.99)")
    parser.add_argument("--images", type=int, default=60_000, help="training images to use (default: all 60,000)")
    parser.add_argument("--quick", action="store_true", help="3,000 images, 90 %%, one round: does it still run?")
    parser.add_argument("--output", type=Path, help="where to store the numbers (default: results/, quick: nowhere)")
    asked = parser.parse_args()
    digits = data.load("mnist").torch()
    if not digits.real:
        raise SystemExit("Only the real MNIST counts here: `make data` fetches it.")
    rounds, target, count = (1, 0.9, 3000) if asked.quick else (asked.rounds, asked.target, asked.images)
    most = 12  # epochs after which a rung is given up
    digits = replace(digits, train=digits.train[:count])
    results = measure(digits, textbook_samples(len(digits.train)), rounds, most, target)
    print("\n".join(["", *table(results)]))
    if (output := asked.output or (None if asked.quick else STORED)) is not None:
        about = {
            "target": target,
            "images": len(digits.train),
            "machine": machine(),
            "rungs": [asdict(r) for r in results],
        }
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
