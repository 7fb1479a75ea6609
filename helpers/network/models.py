"""The networks of the series, convolutional, dense and broken on purpose, and a table of any network's layers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from helpers.network.hooks import Hook, hooked
from helpers.network.running import evaluating


def after_pooling(size: int) -> int:
    """Side of the last feature maps of :class:`ConvNet` for a square image of side ``size``: 28 → 26 → 13 → 11 → 5."""
    return ((size - 2) // 2 - 2) // 2


class ConvNet(nn.Module):
    """The network of the series: two convolutions find the features, two dense layers name the class.

    Input ``(N, channels, size, size)`` in [0, 1]; output ``(N, classes)`` logits (no softmax: the loss wants logits).
    For a 28×28 image the shapes are 32×26×26 → 32×13×13 → 64×11×11 → 64×5×5 → 1600 → 128 → 10.
    The two halves are ``features`` (extraction) and ``classifier``; every layer has a name: ``features.conv1``...

    Args:
        classes: number of outputs.
        channels: depth of the input, 1 for gray images and 3 for color.
        size: side of the square input in pixels, at least 10.
        dropout: probability that a hidden unit is switched off during training, in [0, 1).
        filters: number of filters of the two convolutions.
        hidden: units of the dense layer before the output.

    Raises:
        ValueError: if an argument is out of its range.
    """

    def __init__(
        self,
        classes: int = 10,
        channels: int = 1,
        size: int = 28,
        dropout: float = 0.0,
        filters: tuple[int, int] = (32, 64),
        hidden: int = 128,
    ) -> None:
        super().__init__()
        if size < 10:
            raise ValueError(f"ConvNet needs images of at least 10×10 pixels, size={size} leaves nothing to classify.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is a probability from 0 up to, but not including, 1; got {dropout}.")
        if min(classes, channels, hidden, *filters) < 1:
            raise ValueError("classes, channels, filters and hidden all have to be at least 1.")
        #: What this network was built with, so that a checkpoint can rebuild it.
        self.arguments = {
            "classes": classes,
            "channels": channels,
            "size": size,
            "dropout": dropout,
            "filters": (first := filters[0], second := filters[1]),
            "hidden": hidden,
        }
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, first, kernel_size=3),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(first, second, kernel_size=3),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                hidden=nn.Linear(second * after_pooling(size) ** 2, hidden),
                relu3=nn.ReLU(),
                dropout=nn.Dropout(dropout),
                output=nn.Linear(hidden, classes),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of images ``(N, channels, size, size)``."""
        return self.classifier(self.features(x))


class DenseNet(nn.Module):
    """The rival without convolutions: every pixel is wired to every hidden unit.

    ``hidden=283`` gives it about as many parameters as the canonical :class:`ConvNet` (225,000), so that a
    comparison is about the wiring and not about the size. Input and output are those of :class:`ConvNet`.
    """

    def __init__(self, classes: int = 10, channels: int = 1, size: int = 28, hidden: int = 283) -> None:
        super().__init__()
        self.classifier = nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                hidden=nn.Linear(channels * size * size, hidden),
                relu=nn.ReLU(),
                output=nn.Linear(hidden, classes),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of images ``(N, channels, size, size)``."""
        return self.classifier(x)


def patient(name: str) -> nn.Sequential:
    """A small network for MNIST, ``"healthy"`` or with one fault, ``"patient B"`` or ``"patient C"``.

    Input ``(N, 1, 28, 28)``, output ``(N, 10)``: logits, but those of B pass a ReLU, and those of C a softmax.
    """
    ends: dict[str, list[nn.Module]] = {"healthy": [], "patient B": [nn.ReLU()], "patient C": [nn.Softmax(dim=1)]}
    convolutions = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(32 * 5 * 5, 10), *ends[name])


def count_parameters(model: nn.Module) -> int:
    """Number of trainable weights and biases."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@dataclass(frozen=True)
class LayerRow:
    """One row of a layer table: dotted name, kind (``Conv2d``), output shape without the batch axis, parameters."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int


class LayerTable(list[LayerRow]):
    """The layers in the order in which an image meets them; printed as an aligned table."""

    def __str__(self) -> str:
        rows = [("layer", "kind", "output shape", "parameters")]
        rows += [(x.name, x.kind, "×".join(map(str, x.output_shape)), f"{x.parameters:,}") for x in self]
        rows.append(("total", "", "", f"{sum(x.parameters for x in self):,}"))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            "  ".join(f"{c:>{w}}" if i > 1 else f"{c:<{w}}" for i, (c, w) in enumerate(zip(r, widths, strict=True)))
            for r in rows
        ]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__


def layer_table(model: nn.Module, input_shape: tuple[int, ...]) -> LayerTable:
    """Name, kind, output shape and number of parameters of every layer, found by sending one blank image through.

    Args:
        model: any network whose layers are modules.
        input_shape: shape of one input without the batch axis, such as ``(1, 28, 28)``.

    Raises:
        ValueError: if the network does not take an input of that shape.
    """
    rows = LayerTable()

    def note(name: str, module: nn.Module, output: Tensor) -> None:
        parameters = sum(p.numel() for p in module.parameters(recurse=False))
        rows.append(LayerRow(name, type(module).__name__, tuple(output.shape[1:]), parameters))

    def hook(name: str) -> Hook:
        return lambda module, _, output: note(name, module, output)

    leaves = [(m, hook(name)) for name, m in model.named_modules() if not list(m.children())]
    like = next(model.parameters(), torch.zeros(()))
    try:
        with evaluating(model), hooked(leaves), torch.no_grad():
            model(torch.zeros(1, *input_shape, dtype=like.dtype, device=like.device))
    except RuntimeError as error:
        raise ValueError(f"The network does not accept an input of shape {tuple(input_shape)}: {error}") from error
    return rows
