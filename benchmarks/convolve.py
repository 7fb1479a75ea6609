"""How fast is `filters.convolve`? Our correlation and layer against SciPy's and PyTorch's, in turns in one run.

Prints Markdown tables of ratios: time of the named rival divided by ours, so that 2.0 means twice as fast as it.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from scipy import ndimage, signal
from threadpoolctl import threadpool_limits
from torch.nn import functional

from helpers.filters import convolve

CASES = [(28, 3), (28, 7), (128, 5), (512, 3), (512, 7)]  # pixels a side of the image, of the kernel
LAYERS = [(64, 1, 28, 32, 3), (64, 32, 13, 64, 3)]  # images, channels, pixels a side, filters, kernel


def seconds(function, least=0.01):
    """One measurement: seconds per call, over as many calls as fill `least` seconds."""
    function()
    calls, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < least:
        function()
        calls += 1
    return spent / calls


def race(contestants, rounds):
    """Seconds of every contestant in every round; within a round all run one after the other."""
    times = {name: [] for name in contestants}
    for turn in range(rounds):
        order = list(contestants) if turn % 2 == 0 else list(contestants)[::-1]
        for name in order:
            times[name].append(seconds(contestants[name]))
    return times


def ratio(times, rival, ours):
    """The median over rounds of rival / ours: over 1 when ours is the faster one."""
    return statistics.median(theirs / mine for theirs, mine in zip(times[rival], times[ours], strict=True))


def correlations(rounds, dtype):
    rng = np.random.default_rng(0)
    print(f"| image, kernel ({np.dtype(dtype).name}) | vs signal | vs ndimage | vs torch |\n|---|---|---|---|")
    for pixels, size in CASES:
        image, kernel = rng.random((pixels, pixels)).astype(dtype), rng.standard_normal((size, size)).astype(dtype)
        batch, weights = torch.from_numpy(image)[None, None], torch.from_numpy(kernel)[None, None]
        contestants = {
            "signal": lambda i=image, k=kernel: signal.correlate2d(i, k, mode="valid"),
            "ndimage": lambda i=image, k=kernel: ndimage.correlate(i, k, mode="constant"),
            "torch": lambda b=batch, w=weights: functional.conv2d(b, w),
            "ours": lambda i=image, k=kernel: convolve.correlate2d(i, k),
        }
        for name in ("torch", "ours"):
            result = np.asarray(contestants[name]()).reshape(contestants["signal"]().shape)
            np.testing.assert_allclose(result, contestants["signal"](), atol=1e-4)
        times = race(contestants, rounds)
        columns = [ratio(times, rival, "ours") for rival in ("signal", "ndimage", "torch")]
        print(f"| {pixels}×{pixels}, {size}×{size} | " + " | ".join(f"{column:.2f}" for column in columns) + " |")
    print()


def layers(rounds):
    rng = np.random.default_rng(0)
    print("| images → filters (float32) | forward: vs torch | backward: vs torch |\n|---|---|---|")
    for count, channels, pixels, filters, size in LAYERS:
        images = rng.random((count, channels, pixels, pixels), np.float32)
        weights = rng.standard_normal((filters, channels, size, size), np.float32)
        maps = convolve.conv_layer(images, weights)
        ones = np.ones_like(maps)
        x, w = torch.from_numpy(images), torch.from_numpy(weights)
        grad = torch.ones_like(functional.conv2d(x, w))

        def backward(x=x, w=w, grad=grad):
            torch.nn.grad.conv2d_input(x.shape, w, grad)
            torch.nn.grad.conv2d_weight(x, w.shape, grad)

        contestants = {
            "torch": lambda x=x, w=w: functional.conv2d(x, w),
            "ours": lambda i=images, w=weights: convolve.conv_layer(i, w),
            "torch back": backward,
            "ours back": lambda g=ones, i=images, w=weights: convolve.conv_layer_backward(g, i, w),
        }
        np.testing.assert_allclose(maps, contestants["torch"]().numpy(), atol=1e-3)
        times = race(contestants, rounds)
        columns = ratio(times, "torch", "ours"), ratio(times, "torch back", "ours back")
        print(f"| {count}×{channels}×{pixels}×{pixels} → {filters} of {size}×{size} | ", end="")
        print(" | ".join(f"{column:.2f}" for column in columns) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="measurements of each contestant (default 15)")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    with threadpool_limits(1):  # NumPy's matrix products on one thread as well
        for dtype in (np.float32, np.float64):
            correlations(rounds, dtype)
        layers(rounds)


if __name__ == "__main__":
    main()
