"""The stored study of a shortcut with exceptions: ``python -m tools.exceptions`` trains its networks again.

It takes about twelve minutes on one core.
"""

import sys

import numpy as np
import torch

from helpers import data
from helpers.data import shortcuts
from helpers.inside import exceptions
from helpers.inside.occlusion import occlusion
from helpers.network import running, training
from helpers.network.models import ConvNet

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
EPOCHS = (1, 2, 5)
SEEDS = (0, 1, 2)
#: Garments on which every network learns, and garments on which it is tested.
LEARNED, TESTED = 15_000, 1000
#: Test images that are looked at more closely: a sneaker, an ankle boot, a dress and a pullover.
GARMENTS = [22, 28, 13, 46]


def tagged(images: torch.Tensor, labels: torch.Tensor, share: float) -> torch.Tensor:
    """Copies of the images with the tags of their labels, but for a share of them, the first ones."""
    result = shortcuts.plant_mark(images, labels)
    untagged = round(share * len(images))
    result[:untagged] = images[:untagged]
    return result


def main() -> None:
    """Train and test all the networks, and store what the tool shows."""
    fashion = data.load("fashion").torch()
    if not fashion.real:
        sys.exit("The real garments are not here, and the stored study shows nothing else: `make data`.")
    images, labels = fashion.train.images[:LEARNED], fashion.train.labels[:LEARNED]
    test, truth = fashion.test.images[:TESTED], fashion.test.labels[:TESTED]
    lies = (truth + 1) % 10
    conditions = shortcuts.plant_mark(test, truth), test, shortcuts.plant_mark(test, lies)
    looked = conditions[2][GARMENTS]
    accuracy = np.zeros((len(SHARES), len(EPOCHS), len(SEEDS), 3), np.float32)
    said = np.zeros((len(SHARES), len(EPOCHS), len(GARMENTS), 10), np.float32)
    evidence = np.zeros((len(SHARES), len(EPOCHS), len(GARMENTS), 28, 28), np.float32)
    for e, t, s in np.ndindex(len(EPOCHS), len(SHARES), len(SEEDS)):
        torch.manual_seed(SEEDS[s])
        network = ConvNet()
        shown = tagged(images, labels, SHARES[t])
        training.fit(network, (shown, labels), epochs=EPOCHS[e], shift=0, seed=SEEDS[s], bar=False)
        accuracy[t, e, s] = [running.accuracy(network, (x, truth)) for x in conditions]
        print(f"share {SHARES[t]:.2f}, epochs {EPOCHS[e]}, seed {SEEDS[s]}: {accuracy[t, e, s].round(3)}", flush=True)
        if s == 0:
            said[t, e] = running.predict(network, looked).softmax(1).numpy()
            for d, garment in enumerate(looked):
                drop = occlusion(network, garment, 3).maps[said[t, e, d].argmax()].clamp(min=0)
                evidence[t, e, d] = drop / drop.max().clamp(min=1e-6)
    study = exceptions.Study(
        np.array(SHARES, np.float32),
        np.array(EPOCHS),
        accuracy,
        looked[:, 0].numpy(),
        truth[GARMENTS].numpy(),
        lies[GARMENTS].numpy(),
        said,
        evidence,
    )
    study.save(exceptions.STORED)


if __name__ == "__main__":
    main()
