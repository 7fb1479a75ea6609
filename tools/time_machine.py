"""The stored training run and the README's moving picture: ``python -m tools.time_machine [train]``.

``train`` runs the recipe of the reference network once more, with snapshots (a few minutes on two cores), and stores
what the time machine shows; without it, only the picture is drawn, out of what is stored.
"""

import io
import sys

import numpy as np
import torch
from PIL import Image

from helpers import data
from helpers.inside import growth
from helpers.network import training
from helpers.network.models import ConvNet
from helpers.network.snapshots import Snapshots
from helpers.plots.clouds import TEN
from helpers.plots.style import figure, frame
from tools import ROOT
from tools.checkpoints import RECIPES

PICTURE = ROOT / "docs" / "pictures" / "islands.webp"
#: Test images whose maps and occlusion maps are kept.
DIGITS = [22, 2, 18, 4, 9]


def train() -> None:
    """Train with the recipe of the MNIST checkpoint, and store the recording."""
    recipe, mnist = RECIPES["mnist"], data.load("mnist")
    if not mnist.real:
        sys.exit("The real digits are not here, and the stored run shows nothing else: `make data`.")
    torch.manual_seed(recipe["seed"])
    network = ConvNet(**recipe["network"])
    snapshots = Snapshots(network)
    training.fit(network, mnist.train, seed=recipe["seed"], watch=snapshots, **recipe["fit"])
    test = mnist.test.torch()
    run = growth.recorded(
        snapshots, test.images[:2000], test.labels[:2000], test.images[DIGITS], test.labels[DIGITS], points=300
    )
    run.save(growth.STORED)


def islands(between: int = 3) -> bytes:
    """Draw the cloud of feature vectors, snapshot by snapshot with steps between, as an animated WebP."""
    run = growth.load()
    first = int(np.flatnonzero(run.steps >= 30)[0])  # nothing moves before
    moments = range(first, len(run) - 1)
    low, high = run.points.min((0, 1)), run.points.max((0, 1))
    drawn = figure(5.2, 4.4, layout=None)
    axes = drawn.add_axes((0.02, 0.02, 0.96, 0.88))
    dots = axes.scatter(*run.points[0].T, c=[TEN[i] for i in run.labels], s=16, linewidths=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    frame(axes)
    title, frames = drawn.text(0.02, 0.925, "", fontsize=14), []
    for moment in [*moments, len(run) - 1]:
        for part in range(between if moment < len(run) - 1 else 1):
            share = part / between
            after = min(moment + 1, len(run) - 1)
            dots.set_offsets((1 - share) * run.points[moment] + share * run.points[after])
            title.set_text(f"step {run.steps[moment]:,}: {run.accuracy[moment]:.0%} of the digits right")
            drawn.canvas.draw()
            picture = Image.fromarray(np.asarray(drawn.canvas.buffer_rgba())[..., :3])
            frames.append(picture.resize((520, 440), Image.Resampling.LANCZOS))
    with io.BytesIO() as buffer:
        times = [90] * (len(frames) - 1) + [2500]
        frames[0].save(buffer, "webp", save_all=True, append_images=frames[1:], duration=times, loop=0, quality=70)
        return buffer.getvalue()


def main() -> None:
    """Read the command line, train if asked to, and draw."""
    if sys.argv[1:] == ["train"]:
        train()
    PICTURE.write_bytes(islands())


if __name__ == "__main__":
    main()
