"""The file of the network for photographs, with a notice where it cannot be had; helpers.network.photonet reads it."""

import numpy as np

from helpers import display
from helpers.data import download


def squeezenet() -> np.ndarray | None:
    """Return the bytes of the published file, uint8, or None after a notice that nobody can miss.

    It is searched for as :func:`helpers.data.load` searches for images: in the folder named by CNN_DATA, in ``data/``
    or the user's cache, then on the network, which CNN_OFFLINE=1 skips. Size and SHA-256 are checked on each call.
    """
    arrays, _, notes = download.find_network()
    if arrays is None:
        display.notice(
            "NOT THE TRAINED NETWORK: SqueezeNet with random weights stands in for it",
            [
                *notes,
                "Every cell runs, but this network has never seen a photograph: its answers and its filters are noise.",
                "For the trained one: connect to the network, run `make data`, restart the kernel.",
            ],
            "SqueezeNet with random weights: what the text says of its answers is true of the trained one.",
        )
        return None
    if notes:
        display.notice("A word about where SqueezeNet came from", notes)
    (content,) = arrays.values()
    return content
