"""Questions and checks of the lesson "The convolutional layer"."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, kind, number, same, trials
from helpers.filters import convolve

LESSON = Lesson("convolutional_layer")

LESSON.ask(
    "thirty-two",
    "The network that you will train begins with 32 filters of 3×3. What does it do with them?",
    Option("It finds the 32 strongest 3×3 patterns in the image", "Nothing is searched for. The filters are there "
           "before the image comes, and each one is laid on every place, whether it fits or not."),
    Option("It asks the same 32 questions at every place of every image", "Each filter responds at 26·26 places of a "
           "digit: 32·676 = 21,632 numbers, most of them weak.", right=True),
    Option("It looks at 32 places of the image", "Every filter visits all 676 places. The 32 counts questions, not "
           "places."),
)  # fmt: skip

LESSON.ask(
    "weight-shape",
    "A layer reads 32 maps and delivers 64. Its filters are 3×3. What is the shape of its weights?",
    Option("(64, 3, 3)", "That would be 64 flat filters. A filter is as deep as its input, and this input is 32 maps "
           "deep."),
    Option("(64, 32, 3, 3)", "64 filters, and each has a 3×3 grid for every one of the 32 maps it reads.", right=True),
    Option("(32, 3, 3)", "32 grids are what ONE of the filters consists of. The layer has 64 of them."),
    Option("(96, 3, 3)", "The two numbers are multiplied, not added: every filter reads every map."),
)  # fmt: skip

LESSON.ask(
    "no-relu",
    "You stack two 3×3 convolutions and put nothing between them. What can the pair do that one layer cannot?",
    Option("See patterns within patterns", "That is the hope, and the ReLU is what makes it true. Without it, sums of "
           "sums are sums: the pair is one layer in disguise."),
    Option("Nothing, apart from seeing 5×5 pixels at once", "The two kernels melt into one 5×5 kernel, which you can "
           "write down. Depth without a bend between the layers buys nothing else.", right=True),
    Option("Detect edges in twice as many directions", "One filter still delivers one map. New directions come from "
           "more filters, not from more layers."),
)  # fmt: skip

LESSON.ask(
    "ledger",
    "Twenty filters of 10×10, 2,020 weights with their biases, deliver 20·361 = 7,220 values. How many weights does a "
    "dense layer need to deliver as many values from a digit of 28×28 pixels?",
    Option("15,700: twenty units that see all pixels", "A dense layer delivers one value a unit, so these twenty "
           "deliver 20 values. Here are 7,220 to deliver."),
    Option("729,220: a 10×10 window and a bias for each value", "That is a layer that is local and does not share. A "
           "dense unit sees all 784 pixels."),
    Option("5,667,700: all pixels and a bias for each value", "785 weights for each of the 7,220 values, and nothing "
           "is shared.", right=True),
)  # fmt: skip

LESSON.ask(
    "vgg-parameters",
    "VGG-16 has 13 convolutions and then 3 dense layers, 138 million parameters in all. Where do most of them sit?",
    Option("In the first convolutions, which read the large images", "A filter does not care how large the image is. "
           "The first layer has 1,792 parameters."),
    Option("In the last convolutions, with 512 filters on 512 maps", "2.4 million each, and that is a lot for nine "
           "weights per grid. Now look at the layer after them."),
    Option("In one dense layer", "The first one reads 512·7·7 = 25,088 values with 4,096 units and shares nothing: "
           "103 million.", right=True),
)  # fmt: skip

LESSON.ask(
    "vgg-multiplications",
    "And where does it spend its time: which layers do most of the multiplications for one image?",
    Option("The dense layers: most weights, most work", "A dense weight is used once per image: 124 million "
           "weights make 124 million multiplications."),
    Option("The convolutions", "A shared weight is used at every place: 50,176 times in the first block. Few "
           "parameters, 99% of the work.", right=True),
    Option("Both about the same", "They differ by a factor of more than a hundred. How often is each "
           "weight used?"),
)  # fmt: skip


@LESSON.check("parameters")
def parameters(answer: Any) -> str:
    """Count the weights and biases of a convolutional layer."""
    cases = [(32, 64, 3), (1, 32, 3), (3, 64, 7), (5, 2, 1)]
    cases += [tuple(int(v) for v in rng.integers((1, 1, 1), (40, 40, 8))) for rng in trials(12)]
    mistakes = [
        (lambda i, f, k: i * k * k * f, "The weights are right. Each filter has a bias, too: one more number each."),
        (
            lambda i, f, k: (k * k + 1) * f,
            "A filter is as deep as its input: it has a grid for every map that it reads.",
        ),
        (lambda i, f, k: k * k * f, "A filter is as deep as its input, and it has a bias."),
        (lambda i, f, k: i * (k * k + 1) * f, "One bias for each filter, not one for each of its grids."),
        (lambda i, f, k: i * k * k * f + 1, "One bias for each filter, not one for the whole layer."),
        (
            lambda i, f, k: i * k * k * f + i,
            "One bias for each filter, not one for each map that is read: are the two exchanged?",
        ),
        (lambda i, f, k: (i * k + 1) * f, "The grid has two sides: size · size weights."),
        (lambda i, f, k: (i * k * 2 + 1) * f, "The grid has size · size weights: `size ** 2`, not `size * 2`."),
        (lambda i, f, k: i * k * k + 1, "That is one filter. The layer has as many as it delivers maps."),
        (lambda i, f, k: i * k * k, "That is one filter without its bias. The layer has as many as it delivers maps."),
        (lambda i, f, k: ((i + f) * k * k) + f, "Every filter reads every map: multiply, do not add, the two numbers."),
    ]

    def otherwise(case: tuple[int, int, int], answer: float, wanted: int) -> str:
        inputs, filters, size = case
        about = f"{filters} filter{'s' * (filters != 1)} of {size}×{size} on {inputs} input map{'s' * (inputs != 1)}"
        return f"{about}: {wanted:,} parameters, you count {answer:,.12g}. Count one filter first."

    compare(
        answer,
        cases,
        lambda i, f, k: (i * k * k + 1) * f,
        mistakes,
        otherwise,
        read=lambda total: number(total, "one number: all weights and biases together"),
        atol=None,
    )
    return "320 and 18,496, the two convolutions of the network that you will train; and no image size anywhere."


@LESSON.check("as-layer")
def as_layer(answer: Any) -> str:
    """Turn a kernel into a layer that computes the same map."""
    import torch
    from torch import nn

    made = []
    for rng, size in zip(trials(), (3, 5, 2, 4), strict=True):
        kernel = rng.normal(size=(size, size)).astype(np.float32)
        images = rng.random((2, 1, *rng.choice(range(8, 16), 2, replace=False))).astype(np.float32)
        layer = call(answer, kernel)
        if not isinstance(layer, nn.Conv2d):
            raise Wrong(f"Return the layer itself, an `nn.Conv2d`; this is {kind(layer)}.")
        if tuple(layer.weight.shape) != (1, 1, size, size):
            shape = tuple(layer.weight.shape)
            raise Wrong(f"One filter that reads one map has weights of shape (1, 1, {size}, {size}); yours: {shape}.")
        made.append((kernel, images, layer))
    if len({id(layer) for _, _, layer in made}) < len(made):
        raise Wrong("Every call gives the same layer, with the kernel of the last one: make the layer in the function.")
    for kernel, images, layer in made:
        with torch.no_grad():
            maps = array(layer(torch.from_numpy(images).to(layer.weight.dtype))[:, 0])
        wanted = np.stack([convolve.correlate2d(image[0], kernel) for image in images])
        if maps.shape != wanted.shape:
            raise Wrong(
                f"The map has the shape {maps.shape[1:]} instead of {wanted.shape[1:]}: leave stride, padding and "
                "dilation alone."
            )
        if same(maps, wanted, atol=1e-4):
            continue
        apart = maps - wanted
        if np.allclose(apart, apart.mean(), atol=1e-4):
            raise Wrong(
                f"Every response is off by the same {apart.mean():+.3f}: that is the bias, which PyTorch fills with "
                "chance. Switch it off with `bias=False`."
            )
        weights = array(layer.weight)[0, 0]
        for turned, hint in (
            (kernel[::-1, ::-1], "Your filter is flipped. `nn.Conv2d` slides it as it is; copy it without turning."),
            (kernel.T, "Your filter is transposed: rows stay rows."),
            (kernel[::-1], "Your filter is upside down: copy it without turning."),
            (kernel[:, ::-1], "Your filter is mirrored: copy it without turning."),
            (-kernel, "Your filter has the wrong sign."),
            (np.trunc(kernel), "Only whole numbers of the kernel are left: keep its floats."),
        ):
            if same(weights, turned):
                raise Wrong(hint)
        raise Wrong("The layer computes with other weights than the kernel. Did you copy the kernel into them?")
    return "A hand-made filter inside a PyTorch layer: from here on you may write weights, or learn them."


@LESSON.check("conv-layer")
def conv_layer(answer: Any) -> str:
    """Write the forward pass of a layer: channels, filters, bias."""
    cases = []
    for trial, rng in enumerate(trials(9)):
        channels, filters, size = (int(n) for n in rng.integers(1, 5, 3))
        if trial < 6:
            channels, filters, size = ((3, 2, 3), (2, 5, 2), (1, 1, 3), (4, 4, 1), (1, 3, 5), (3, 1, 2))[trial]
        height, width = (size + int(n) for n in rng.choice(range(6) if trial else range(2, 6), 2, replace=False))
        shapes = ((channels, height, width), (filters, channels, size, size), (filters,))
        dtype = ("float64", "float32")[trial % 2]
        cases.append(tuple(rng.normal(size=shape).astype(dtype) for shape in shapes))
    copies = "Every filter computes with the {} of the {} one: use `{}[o]`."
    patch = "Multiply the patch with the filter and sum over all its channels, rows and columns"
    mistakes = [
        (
            lambda i, w, b: _maps(i, w, b)[None],
            "The maps are right, and there is an axis for the batch in front of them: take `[0]`.",
        ),
        (
            lambda i, w, b: _maps(i, w, b)[0],
            "This is one map. Every filter draws its own: loop over the filters.",
        ),
        (lambda i, w, b: _maps(i, w, b)[-1], "This is one map. Every filter draws its own: collect all of them."),
        (lambda i, w, b: _maps(i, w, b).sum(axis=0), "The filters are not added up: each has a map of its own."),
        (
            lambda i, w, b: _maps(i, w, b).transpose(1, 2, 0),
            "The filters come first in PyTorch, (O, H', W'); yours come last.",
        ),
        (lambda i, w, b: _maps(i, w, b).swapaxes(1, 2), "Rows and columns of the maps are exchanged."),
        (lambda i, w, b: _maps(i, w, b) - _tall(b), "The bias is missing: add bias[o] to every response of filter o."),
        (lambda i, w, b: _maps(i, w, b) - 2 * _tall(b), "The bias is added, not subtracted."),
        (
            lambda i, w, b: _maps(i, w, b) + (len(i) - 1) * _tall(b),
            "The bias is added once per channel. It belongs to the filter: once per response.",
        ),
        (
            lambda i, w, b: _maps(i, w, b) + (w[0].size - 1) * _tall(b),
            "The bias is added to every product. It belongs to the filter: once per response, after the sum.",
        ),
        (lambda i, w, b: _maps(i, w, b) + (b[0] - _tall(b)), copies.format("bias", "first", "bias")),
        (lambda i, w, b: _maps(i, w, b) + (b[-1] - _tall(b)), copies.format("bias", "last", "bias")),
        (lambda i, w, b: _maps(i, w, b) + (b.sum() - _tall(b)), "Add bias[o] to the map of filter o, not all of them."),
        (lambda i, w, b: _maps(i, w[:1].repeat(len(w), 0), b), copies.format("weights", "first", "weights")),
        (lambda i, w, b: _maps(i, w[-1:].repeat(len(w), 0), b), copies.format("weights", "last", "weights")),
        (
            lambda i, w, b: _maps(i, w, b) * (np.arange(len(w)) == len(w) - 1)[:, None, None],
            "Only the map of the last filter is filled: make the array of maps before the loop over the filters.",
        ),
        (
            lambda i, w, b: np.maximum(_maps(i, w, b), 0),
            "You apply a ReLU. That is a layer of its own: leave it out.",
        ),
        (lambda i, w, b: np.abs(_maps(i, w, b)), "A response may be negative: leave out `abs`."),
        (lambda i, w, b: _maps(i, w[:, :, ::-1, ::-1], b), "You flip the filters: slide them as they are."),
        (lambda i, w, b: _maps(i, w.swapaxes(2, 3), b), "Your filters are transposed: rows stay rows."),
        (
            lambda i, w, b: _maps(i[:1], w[:, :1], b),
            "You read only the first channel. Cut the patch out of all of them: `image[:, y:y+k, x:x+k]`.",
        ),
        (
            lambda i, w, b: _maps(i[-1:], w[:, -1:], b),
            "Only the last channel counts: collect with `+=` instead of `=`.",
        ),
        (
            lambda i, w, b: _maps(i, w, 0 * b) / len(i) + _tall(b),
            "You take the mean over the channels. A filter adds them up.",
        ),
        (
            lambda i, w, b: _maps(i, w, 0 * b) / w[0].size + _tall(b),
            "You take the mean of the products. A response is their sum, plus the bias.",
        ),
        (lambda i, w, b: (_maps(i, w, b)) / w[0].size, "The mean divides by the number of products: take the sum."),
        (
            lambda i, w, b: np.trunc(_maps(i, w, b)),
            "Only whole numbers are left: are your maps made with an integer type? `np.zeros(...)` makes floats.",
        ),
        (
            lambda i, w, b: np.stack([_maps(i[[c]], w[:, [c]], b) for c in range(len(i))], axis=1),
            "One map per filter AND channel: a filter adds up its channels into one map.",
        ),
        (
            lambda i, w, b: np.stack([_maps(i[[c]], w[:, [c]], 0 * b) for c in range(len(i))], axis=1),
            "One map per filter AND channel: a filter adds up its channels into one map, and its bias.",
        ),
        (
            lambda i, w, b: _maps(i, w, b)[:, :-1, :-1],
            "The last row and column of windows are missing: H − k + 1 windows fit, and W − k + 1.",
        ),
    ]

    def otherwise(case: tuple[np.ndarray, ...], answer: np.ndarray, wanted: np.ndarray) -> str:
        (channels, height, width), (filters, _, size, _) = case[0].shape, case[1].shape
        about = (
            f"{channels} map{'s' * (channels != 1)} of {height}×{width}, {filters} filter{'s' * (filters != 1)} of "
            f"{size}×{size}"
        )
        if answer.shape == wanted.shape:
            return f"The shape is right, the numbers are not ({about}). {patch}, and add the bias."
        return f"For {about} the maps have the shape {wanted.shape}; yours have {answer.shape}."

    only = [
        (lambda i, w, b: len(i) > 1, f"Right for one channel, wrong for several. {patch}."),
        (
            lambda i, w, b: len(w) > 1,
            "Right for one filter, wrong for several: each has its weights and its bias.",
        ),
    ]
    compare(answer, cases, _maps, mistakes, otherwise, only)
    return "Channels, filters, bias: this is the layer of every network in this series, and it agrees with PyTorch."


def _maps(image: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The maps (O, H', W') of one image (C, H, W)."""
    return convolve.conv_layer(np.ascontiguousarray(image)[None], np.ascontiguousarray(weights), bias)[0]


def _tall(bias: np.ndarray) -> np.ndarray:
    return bias[:, None, None]
