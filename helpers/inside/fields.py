"""Where in the image the units of a layer look, and maps of a layer drawn at those places.

A unit of a convolutional layer sees a square of pixels, its receptive field. A map of the layer belongs over the image
so that each of its values lies at the center of that square. With "same" padding this is what stretching the map over
the whole image does. Without padding it is not: the outermost units look at squares well inside the image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from helpers.filters.geometry import ReceptiveField, receptive_field
from helpers.network.hooks import Layer, find_layer, hooked
from helpers.network.running import Images, as_images, evaluating

KEYS = ("kernel_size", "stride", "padding", "dilation")
WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def unit_field(model: nn.Module, x: Images, layer: Layer) -> ReceptiveField:
    """What one unit of a layer sees of the image: unit i looks at ``size`` pixels from ``start + i·jump`` on.

    The network runs once, and the windows that it slides on the way to the layer are lined up as they are called.
    Branches that leave the places alone, such as a sum over a skip or parallel windows with "same" padding, are fine.

    Args:
        model: a network whose convolutions and poolings are modules.
        x: images ``(N, C, H, W)``; only their size counts.
        layer: name or module of a layer with feature maps.

    Returns:
        The field along either axis. In the canonical network that of ``features.relu2`` has size 8, jump 2 and start 0.

    Raises:
        ValueError: if the layer has no feature maps, or lies behind something that is not a chain of square windows.
    """
    name, wanted = find_layer(model, layer)
    chain: list[list[int]] = []  # kernel, stride, padding, dilation of each window
    found: list[int] = []  # windows on the way to each call of the layer
    trouble: list[str] = []
    side: list[tuple[int, ...]] = []

    def walk(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        before, after = tuple(inputs[0].shape[2:]), tuple(output.shape[2:])
        what = type(module).__name__
        if isinstance(module, WINDOWS):
            if side and before != side[-1]:
                trouble.append(f"{what} does not take the maps of the window before it")
            chain.append([_square(getattr(module, key, 1), what) for key in KEYS])
            side.append(after)
        elif before != after:
            trouble.append(f"{what} is not a window")
        if module is wanted:
            if output.ndim != 4:
                trouble.append(f"{name} has no feature maps (N, C, h, w)")
            if trouble:
                raise ValueError(f"No receptive field for {name}: {trouble[0]}.")
            found.append(len(chain))

    leaves = [module for module in model.modules() if not list(module.children()) or module is wanted]
    with evaluating(model), hooked([(module, walk) for module in leaves]), torch.no_grad():
        model(as_images(model, x)[:1])
    if not found:
        raise ValueError(f"The network did not use its layer {name} for this input.")
    return receptive_field([(1, 1, 0), *chain[: found[-1]]])[-1]


def place(maps: Tensor, model: nn.Module, x: Images, layer: Layer) -> Tensor:
    """Maps of a layer at the size of the image, each value at the center of its unit's receptive field.

    Linear between the centers, half a step beyond the outermost ones, and 0 from there on: where no unit looks
    straight at a pixel there is nothing to say. captum, torch-cam and pytorch-grad-cam stretch the map over the whole
    image instead, as :func:`helpers.inside.attribution.upscale` does. Both agree in a network with "same" padding; in
    the canonical network, which has none, stretching is up to 2.7 pixels off.

    Args:
        maps: one map for each image, ``(N, h, w)`` at the layer's size, as from Grad-CAM.
        model: the network.
        x: the images ``(N, C, H, W)``; only their size counts.
        layer: the layer of the maps, by name or as the module.

    Returns:
        ``(N, H, W)``.

    Raises:
        ValueError: for maps of another size, or as :func:`unit_field`.
    """
    return at_centers(maps, unit_field(model, x, layer), (x.shape[2], x.shape[3]))


def at_centers(maps: Tensor, field: ReceptiveField, sides: tuple[int, int]) -> Tensor:
    """:func:`place` for a layer whose field is known, on images of these sides: ``(N, h, w)`` → ``(N, H, W)``.

    Raises:
        ValueError: for maps of another size.
    """
    size = tuple(field.units(n) for n in sides)
    # A pooling that rounds up has a unit more than the formula, whose window hangs over the edge.
    if maps.ndim != 3 or not all(0 <= has - n <= 1 for has, n in zip(maps.shape[1:], size, strict=True)):
        raise ValueError(f"The maps of this layer are (N, {size[0]}, {size[1]}), not {tuple(maps.shape)}.")
    rows, columns = (_between(length, units, field) for length, units in zip(sides, maps.shape[1:], strict=True))
    return rows.to(maps) @ maps @ columns.to(maps).T


def _between(length: int, units: int, field: ReceptiveField) -> Tensor:
    """Share of each unit in each pixel, (length, units): rows add up to 1, or to 0 where the map does not reach."""
    first = field.start + (field.size - 1) / 2
    position = (torch.arange(length, dtype=torch.float64) - first) / field.jump
    near = position.clamp(0, units - 1)
    shares = (1 - (near[:, None] - torch.arange(units)).abs()).clamp(min=0)
    return shares * ((position - near).abs() <= 0.5)[:, None]


def _square(value: int | tuple[int, int] | str, what: str) -> int:
    values = set(value) if isinstance(value, tuple) else {value}
    if len(values) != 1 or isinstance(value, str):
        raise ValueError(f"The windows of {what} are not square with whole numbers: {value!r}.")
    return int(values.pop())
