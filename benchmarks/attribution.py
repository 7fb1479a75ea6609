"""How fast is `inside.attribution`? Occlusion and the gradient maps against Captum, measured in turns in one run.

Prints Markdown tables of ratios: Captum's time divided by ours, so that 2.0 means twice as fast as Captum. "Best" is
Captum's fastest number of masks in a batch and memory layout, chosen anew for every row of the table.
"""

import argparse
import statistics
import time
import warnings

import captum.attr as captum
import torch

from helpers import data
from helpers.inside import attribution
from helpers.network import checkpoints

# size, stride, value of the mask: black is Captum's default, and where it covers black pixels ours has nothing to do.
MASKS = [(7, 1, 0.0), (7, 1, 0.5), (3, 1, 0.5), (11, 1, 0.5), (7, 3, 0.5)]
BATCHES = (16, 32, 64, 128, 484)


def seconds(function):
    # On one thread the processor's time is the time, without that of whatever else the computer is doing.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    function()
    return clock() - start


def race(contestants, rounds):
    """Seconds of every contestant in every round; within a round all run one after the other."""
    times = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        order = list(contestants) if turn % 2 == 0 else list(contestants)[::-1]
        for name in order:
            spent = seconds(contestants[name])
            if turn:  # the first round warms up
                times[name].append(spent)
    return times


def ratio(times, rival, ours):
    """The median over rounds of rival / ours: over 1 when ours is the faster one."""
    return statistics.median(theirs / mine for theirs, mine in zip(times[rival], times[ours], strict=True))


def fastest(candidates, rounds=5):
    times = race(candidates, rounds)
    return min(candidates, key=lambda name: min(times[name]))


def occlusion(model, image, rounds):
    rival, batch = captum.Occlusion(model), image[None]
    layouts = {"": batch, ", channels last": batch.to(memory_format=torch.channels_last)}
    target = int(model(batch).argmax())
    print("| mask, stride, fill | plain vs default, 1 class | plain vs best, all | incremental vs best, all | best |")
    print("|---|---|---|---|---|")
    for size, stride, value in MASKS:
        window = {"sliding_window_shapes": (1, size, size), "strides": (1, stride, stride), "baselines": value}
        tuned = {
            f"{n} masks{name}": lambda x=x, n=n, w=window: rival.attribute(x, **w, perturbations_per_eval=n)
            for n in BATCHES
            for name, x in layouts.items()
        }
        best = fastest(tuned)
        contestants = {
            "default": lambda w=window: rival.attribute(batch, **w, target=target),
            "best": tuned[best],
            "plain": lambda a=(size, stride, value): attribution.occlusion(model, image, *a, incremental=False),
            "incremental": lambda a=(size, stride, value): attribution.occlusion(model, image, *a, incremental=True),
        }
        for ours in ("plain", "incremental"):
            torch.testing.assert_close(contestants[ours]().maps, contestants["best"]()[:, 0], rtol=0, atol=2e-5)
        times = race(contestants, rounds)
        columns = [("default", "plain"), ("best", "plain"), ("best", "incremental")]
        numbers = " | ".join(f"{ratio(times, *column):.2f}" for column in columns)
        print(f"| {size}×{size}, {stride}, {'black' if not value else 'gray'} | {numbers} | {best} |")
    print()


def gradients(model, images, rounds):
    target = model(images).argmax(1)
    layer = model.features.relu2
    rows = {
        "saliency": (
            lambda x: attribution.saliency(model, x, target),
            lambda x: captum.Saliency(model).attribute(x, target),
        ),
        "guided backpropagation": (
            lambda x: attribution.guided_backprop(model, x, target),
            lambda x: captum.GuidedBackprop(model).attribute(x, target),
        ),
        "deconvnet": (
            lambda x: attribution.deconvnet(model, x, target),
            lambda x: captum.Deconvolution(model).attribute(x, target),
        ),
        "Grad-CAM": (
            lambda x: attribution.grad_cam(model, x, target, layer),
            lambda x: captum.LayerGradCam(model, layer).attribute(x, target, relu_attributions=True),
        ),
        "integrated gradients": (
            lambda x: attribution.integrated_gradients(model, x, target),
            lambda x: captum.IntegratedGradients(model).attribute(x, target=target),
        ),
    }
    print(f"| {len(images)} images | vs Captum |\n|---|---|")
    for name, (ours, theirs) in rows.items():
        times = race({"ours": lambda f=ours: f(images), "captum": lambda f=theirs: f(images)}, rounds)
        print(f"| {name} | {ratio(times, 'captum', 'ours'):.2f} |")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="captum")
    warnings.filterwarnings("ignore", message="Setting .* hooks")
    digits = data.load("mnist")
    model = checkpoints.load("mnist")
    images = torch.from_numpy(digits.test.images[22:32])  # the first is the 6 of the lessons
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        print(f"{threads} thread{'s' if threads > 1 else ''}, ConvNet on {digits.name}\n")
        occlusion(model, images[0], arguments.rounds)
        gradients(model, images, arguments.rounds)


if __name__ == "__main__":
    main()
