"""SqueezeNet 1.0: a network that knows a thousand classes of photographs, made of what Part I explains.

Convolutions, ReLU and max pooling, 1.2 million weights (Iandola et al. 2016; ``torchvision.models.squeezenet1_0``, of
which this differs in the padding of the last convolution, as in the original). The weights are the authors' own, in the
676 KB to which Deep Compression brought them; :mod:`helpers.network.compressed` reads them.

::

    network = photonet.load()
    images = photonet.batch([data.square(data.photo("cat"), "right")])  # (1, 3, 227, 227)
    photonet.answers(network, images)  # [[("Egyptian cat", 0.83), ("tabby", 0.10), ("tiger cat", 0.07)]]
"""

from __future__ import annotations

import difflib
import importlib.util
import runpy
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from helpers.data import weights
from helpers.network.compressed import Shape, decode
from helpers.network.hooks import activations
from helpers.network.running import Images, as_images, evaluating, predict, seeded

#: Side of the images that the network was trained on.
SIDE = 227
#: The smallest side that leaves at least one place of the last maps.
MINIMUM = 21
#: The mean color of ImageNet's photographs, red, green, blue, from 0 to 255: what the network takes for 0.
MEAN = (123.0, 117.0, 104.0)
#: (kernel, stride, padding) of each layer, for ``helpers.filters.geometry``; of a fire module, its widest window.
WINDOWS: dict[str, tuple[int, int, int]] = {
    "conv1": (7, 2, 0),
    "pool1": (3, 2, 0),
    **{f"fire{i}": (3, 1, 1) for i in (2, 3, 4)},
    "pool4": (3, 2, 0),
    **{f"fire{i}": (3, 1, 1) for i in (5, 6, 7, 8)},
    "pool8": (3, 2, 0),
    "fire9": (3, 1, 1),
    "classes": (1, 1, 1),
}


class Door(nn.Module):
    """Takes images in [0, 1] as all networks of the series do, and gives what this one was trained on: 255·x − mean."""

    mean: Tensor
    scale = 255.0

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(N, 3, H, W)``, red, green, blue in [0, 1] → the same in gray levels around the mean color.

        Raises:
            ValueError: for images of another shape, too small, or with values up to 255.
        """
        shape = tuple(x.shape)
        if x.ndim != 4 or shape[1] != 3:
            gray = ": of gray ones make three equal channels, x.repeat(1, 3, 1, 1)" if shape[1:2] == (1,) else ""
            raise ValueError(f"This network takes color images (N, 3, H, W), these have the shape {shape}{gray}.")
        if min(shape[2:]) < MINIMUM:
            raise ValueError(f"This network takes images of at least {MINIMUM}×{MINIMUM} pixels; got {shape}.")
        if len(x) and x.detach().amax() > 50:
            raise ValueError("This network takes images from 0 to 1, these go up to 255: divide by 255.")
        return self.scale * x - self.mean


class Fire(nn.Module):
    """Few maps, then many: 1×1 filters *squeeze* the maps to a few, from which 1×1 and 3×3 filters *expand* them again.

    Args:
        channels: maps that come in.
        squeezed: filters of the squeezing layer.
        expanded: filters of each expanding layer; twice as many maps go out.
    """

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.squeeze_relu = nn.ReLU()
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand1x1_relu = nn.ReLU()
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)
        self.expand3x3_relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(N, channels, h, w)`` → ``(N, 2 · expanded, h, w)``: first those of the 1×1 filters."""
        few = self.squeeze_relu(self.squeeze(x))
        return torch.cat([self.expand1x1_relu(self.expand1x1(few)), self.expand3x3_relu(self.expand3x3(few))], 1)


class PhotoNet(nn.Module):
    """Color photographs ``(N, 3, H, W)`` in [0, 1], at least 21×21 pixels, to logits ``(N, 1000)``.

    The layers, one after another: door, conv1, relu1, pool1, fire2, fire3, fire4, pool4, fire5, fire6, fire7, fire8,
    pool8, fire9, dropout, classes, maps, average, flatten. For 227×227 pixels the shapes are 96×111×111 → 96×55×55 →
    256×55×55 → 256×27×27 → 512×27×27 → 512×13×13 → 1000×15×15: one map for each class, whose mean is the logit. Its
    outermost ring sees nothing but padding.

    Attributes:
        trained: False for random weights; a claim about what the network sees is ``assert not network.trained or ...``.
    """

    trained = False
    door: Door
    conv1: nn.Conv2d
    relu1: nn.ReLU
    pool1: nn.MaxPool2d
    pool4: nn.MaxPool2d
    pool8: nn.MaxPool2d
    fire9: Fire
    classes: nn.Conv2d

    def __init__(self) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            door=Door(),
            conv1=nn.Conv2d(3, 96, kernel_size=7, stride=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            fire2=Fire(96, 16, 64),
            fire3=Fire(128, 16, 64),
            fire4=Fire(128, 32, 128),
            pool4=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            fire5=Fire(256, 32, 128),
            fire6=Fire(256, 48, 192),
            fire7=Fire(384, 48, 192),
            fire8=Fire(384, 64, 256),
            pool8=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            fire9=Fire(512, 64, 256),
            dropout=nn.Dropout(0.5),
            classes=nn.Conv2d(512, 1000, kernel_size=1, padding=1),
            maps=nn.ReLU(),
            average=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
        )
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, 1000)`` of images ``(N, 3, H, W)``."""
        for layer in self.children():
            x = layer(x)
        return x

    def part(self, last: str) -> nn.Sequential:
        """The network up to and including one of its layers, such as ``"fire4"``; the weights are shared.

        Raises:
            ValueError: if there is no such layer.
        """
        layers = dict(self.named_children())
        if last not in layers:
            raise ValueError(f"The network has no layer {last!r} of its own; its layers are {', '.join(layers)}.")
        names = list(layers)
        return nn.Sequential(OrderedDict((name, layers[name]) for name in names[: names.index(last) + 1])).eval()


def load() -> PhotoNet:
    """The trained network in evaluation mode, on the CPU; where its file cannot be had, :func:`untrained` and a notice.

    The file is looked for in ``photonet/`` in the folder named by CNN_DATA, in ``data/``, and on the network; it is
    believed only if its SHA-256 is that of the published one.
    """
    content = weights.squeezenet()
    return untrained() if content is None else decoded(content)


def decoded(content: bytes | np.ndarray) -> PhotoNet:
    """The network with the weights of a compressed file, in evaluation mode.

    Raises:
        ValueError: if the bytes are no such file.
    """
    network = _empty()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    shapes: list[Shape] = [(w.shape[0], w.shape[1], w.shape[2], w.shape[3]) for w in (c.weight for c in convolutions)]
    for convolution, stored in zip(convolutions, decode(content, shapes), strict=True):
        # The authors' images were blue, green, red: here the first filters have red first, as the images do.
        values = stored.weights[:, ::-1].copy() if convolution is network.conv1 else stored.weights
        convolution.weight = nn.Parameter(torch.from_numpy(values))
        convolution.bias = nn.Parameter(torch.from_numpy(stored.bias))
    network.trained = True
    return network.eval()


def untrained(seed: int = 0) -> PhotoNet:
    """The network with random weights, in evaluation mode: what architecture alone does.

    The weights are drawn as torchvision draws SqueezeNet's (He et al. 2015), so that signals keep their size.
    """
    network = _empty().to_empty(device="cpu")
    network.door = Door()  # its mean color is no weight
    with seeded(seed):
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                if module is network.classes:
                    nn.init.normal_(module.weight, std=0.01)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
    return network.eval()


def _empty() -> PhotoNet:
    """The architecture; no time for random weights that are replaced at once."""
    with torch.device("meta"):
        network = PhotoNet()
    network.door = Door()
    return network


@cache
def names() -> tuple[str, ...]:
    """The names of the 1,000 classes, by number, as torchvision lists them.

    The list is read from torchvision's private file where that works: importing torchvision takes 170 MB and a second.
    """
    found = importlib.util.find_spec("torchvision")
    folders = found.submodule_search_locations if found else None
    try:
        folder = next(iter(folders or ()), "")
        return tuple(runpy.run_path(str(Path(folder, "models", "_meta.py")))["_IMAGENET_CATEGORIES"])
    except (OSError, KeyError):  # another version keeps it elsewhere
        from torchvision.models import SqueezeNet1_0_Weights

        return tuple(SqueezeNet1_0_Weights.IMAGENET1K_V1.meta["categories"])


def number(name: str) -> int:
    """The number of a class, such as 457 for "bow tie".

    Raises:
        ValueError: if no class, or more than one, has this name.
    """
    found = [i for i, known in enumerate(names()) if known.lower() == str(name).lower()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"Classes {' and '.join(map(str, found))} are both called {name!r}: use the number.")
    close = difflib.get_close_matches(str(name), names(), 3)
    raise ValueError(f"There is no class {name!r}" + (f"; did you mean {' or '.join(close)}?" if close else "."))


def batch(pictures: Sequence[np.ndarray]) -> Tensor:
    """Photographs ``(H, W, 3)`` of one size as the batch of images that networks take, ``(N, 3, H, W)``.

    Raises:
        ValueError: if they are no color photographs, or differ in size.
    """
    arrays = [np.asarray(picture, dtype=np.float32) for picture in pictures]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or len(shape := next(iter(shapes))) != 3 or shape[2] != 3:
        shown = ", ".join(map(str, sorted(shapes))) or "nothing"
        raise ValueError(f"Give a list of photographs (H, W, 3) of one size, such as data.square returns; got {shown}.")
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()


def answers(model: nn.Module, images: Images, k: int = 3) -> list[list[tuple[str, float]]]:
    """For each image the k most probable classes, by name, with their probabilities, the best first."""
    if not isinstance(k, int) or not 1 <= k <= 1000:
        raise ValueError(f"k is how many of the 1,000 classes to name, a whole number from 1; got {k!r}.")
    best = predict(model, images).softmax(1).topk(k)
    rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [[(names()[i], value) for i, value in zip(*row, strict=True)] for row in rows]


def class_maps(model: PhotoNet, images: Images) -> Tensor:
    """Where the network sees each class: ``(N, 1000, h, w)``, at least 0; the mean of a map is the logit.

    The outermost ring sees nothing but padding. Place (i, j) inside it, counted from 0 without the ring, looks at 155
    pixels around pixel (16i + 17, 16j + 17), as ``geometry.receptive_field`` of ``WINDOWS`` says too. What the maps are
    before their ReLU is the output of the layer ``"classes"``.
    """
    with evaluating(model):
        return activations(model, as_images(model, images), "maps")["maps"]
