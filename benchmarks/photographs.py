"""How fast is occlusion on photographs? SqueezeNet on 227×227 pixels, mask 48, stride 16, one class, against Captum.

Captum and ours take turns in one run; numbers are Captum's time divided by ours. "Best" is Captum's fastest number of
masks in a batch and memory layout, chosen anew for each number of threads. That both give the same map is asserted.
Stores the ratios in benchmarks/results/photographs.json, those for other numbers of threads staying as they are.
"""

import argparse
import json
from pathlib import Path

import captum.attr as captum
import torch
from attribution import fastest, race, ratio

from helpers import data
from helpers.inside.occlusion import occlusion
from helpers.network import photonet

STORED = Path(__file__).resolve().parent / "results" / "photographs.json"
SIZE, STRIDE, GRAY = 48, 16, 0.5


def contestants(network, image, target, batches):
    """Captum in every setting, and ours: name → a function that returns the map of one class, (227, 227)."""
    rival, batch = captum.Occlusion(network), image[None]
    layouts = {"": batch, ", channels last": batch.to(memory_format=torch.channels_last)}
    windows = {"sliding_window_shapes": (3, SIZE, SIZE), "strides": (3, STRIDE, STRIDE), "baselines": GRAY}
    theirs = {
        f"{n} masks{name}": lambda x=x, n=n: rival.attribute(x, **windows, target=target, perturbations_per_eval=n)[
            0, 0
        ]
        for n in batches
        for name, x in layouts.items()
    }
    ours = {
        "ours": lambda: occlusion(network, image, SIZE, STRIDE, GRAY).map(target),
        "every mask through the whole network": lambda: occlusion(
            network, image, SIZE, STRIDE, GRAY, incremental=False
        ).map(target),
    }
    return theirs, ours


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    arguments = parser.parse_args()
    network = photonet.load()
    image = photonet.batch([data.square(data.photo("cat"), "right")])[0]
    target = photonet.number("Egyptian cat")
    theirs, ours = contestants(network, image, target, arguments.batches)
    rows = json.loads(STORED.read_text(encoding="utf-8")) if STORED.is_file() else []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        best = fastest(theirs, rounds=1)
        racing = {"best": theirs[best], **ours}
        for name in ours:
            torch.testing.assert_close(racing[name](), racing["best"](), rtol=0, atol=1e-4)
        times = race(racing, arguments.rounds)
        row = {"threads": threads, "best": best} | {name: round(ratio(times, "best", name), 2) for name in ours}
        rows = sorted([*(r for r in rows if r["threads"] != threads), row], key=lambda r: r["threads"])
        print(row, flush=True)
    STORED.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
