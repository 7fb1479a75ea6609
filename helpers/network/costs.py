"""Where the parameters and the multiplications of a network sit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from helpers.network.models import layer_table


@dataclass(frozen=True)
class Cost:
    """What one layer with weights takes.

    Attributes:
        name: its dotted name in the network.
        kind: ``"conv"`` or ``"dense"``.
        inputs: maps or units that it reads.
        kernel: height and width of its filters, (1, 1) if dense.
        output: shape of what it delivers, without the batch axis.
        parameters: weights and biases.
        multiplications: of a weight with a pixel or a unit, for one image; biases and additions are not counted.
    """

    name: str
    kind: str
    inputs: int
    kernel: tuple[int, int]
    output: tuple[int, ...]
    parameters: int
    multiplications: int


def layer_costs(model: nn.Module, input_shape: tuple[int, ...]) -> list[Cost]:
    """The layers of a network that have weights, in the order in which an image meets them.

    The network may live on the meta device, where its weights take no memory and its layers no time.

    Args:
        model: convolutions and dense layers; other layers are passed over.
        input_shape: of one image, such as (3, 224, 224).

    Raises:
        ValueError: if the network does not accept such an image.
    """
    modules, rows = dict(model.named_modules()), []
    for layer in layer_table(model, input_shape):
        module = modules[layer.name]
        outputs = math.prod(layer.output_shape)
        if isinstance(module, nn.Conv2d):
            each = module.in_channels // module.groups * math.prod(module.kernel_size)
            about = ("conv", module.in_channels, (module.kernel_size[0], module.kernel_size[1]))
        elif isinstance(module, nn.Linear):
            each, about = module.in_features, ("dense", module.in_features, (1, 1))
        else:
            continue
        rows.append(Cost(layer.name, *about, tuple(layer.output_shape), layer.parameters, each * outputs))
    return rows
