"""Questions and checks of the lesson "The convolutional layer"."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.exercises.core import Lesson, Option, Wrong, call
from helpers.filters import convolve

LESSON = Lesson("convolutional_layer")

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
    "shared-gradient",
    "The weight in the middle of a 3×3 filter is used at 676 places of a 28×28 image. Each place wants to change it a "
    "little. What is its gradient?",
    Option("The sum of what all 676 places want", "The weight appears in 676 terms of the loss, and the derivative of "
           "a sum is the sum of the derivatives.", right=True),
    Option("Their mean", "Some losses take a mean, and then its 1/n is already in what each place wants. Sharing "
           "itself adds up and divides by nothing."),
    Option("What the strongest place wants", "Nobody picks a winner. That happens in max pooling, where only one pixel "
           "was passed on."),
    Option("Nothing: shared weights stay fixed", "They are learned like all others. They only have more to listen to."),
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
    Option("The dense layers: most weights, most work", "A dense weight is used once per image. Nobody uses 103 "
           "million weights more often than they are there."),
    Option("The convolutions", "A shared weight is used at every place: 50,176 times in the first block. Few "
           "parameters, 99 % of the work.", right=True),
    Option("Both about the same", "They differ by a factor of more than a hundred. How often is each "
           "weight used?"),
)  # fmt: skip


@LESSON.check("parameters")
def _(parameters: Any) -> str:
    for inputs, filters, size in ((32, 64, 3), (1, 32, 3), (3, 64, 7), (5, 2, 1)):
        answer = call(parameters, inputs, filters, size)
        wanted = (inputs * size * size + 1) * filters
        about = f"{filters} filters of {size}×{size} on {inputs} input maps"
        if np.ndim(answer):
            raise Wrong("The answer is one number: all weights and biases together.")
        if answer == wanted:
            continue
        hints = {
            inputs * size * size * filters: "The weights are right. Each filter has a bias, too: one more number each.",
            (size * size + 1) * filters: "A filter is as deep as its input: it has a grid for every map that it reads.",
            size * size * filters: "A filter is as deep as its input, and it has a bias.",
            inputs * (size * size + 1) * filters: "One bias for each filter, not one for each of its grids.",
            inputs * size * size * filters + 1: "One bias for each filter, not one for the whole layer.",
            (inputs * size + 1) * filters: "The grid has two sides: size · size weights.",
        }
        raise Wrong(hints.get(answer, f"{about}: {wanted:,} parameters, you count {answer}. Count one filter first."))
    return "320 and 18,496, the two convolutions of the network that you will train; and no image size anywhere."


@LESSON.check("as-layer")
def _(as_layer: Any) -> str:
    import torch

    chance = np.random.default_rng()
    for size in (3, 5):
        kernel = chance.normal(size=(size, size)).astype(np.float32)
        image = chance.random((12, 15)).astype(np.float32)
        layer = call(as_layer, kernel.copy())
        if not isinstance(layer, torch.nn.Module):
            raise Wrong("Return the layer itself, an `nn.Conv2d`, not its weights or its maps.")
        weight = getattr(layer, "weight", None)
        if weight is None or tuple(weight.shape) != (1, 1, size, size):
            shape = None if weight is None else tuple(weight.shape)
            raise Wrong(f"One filter that reads one map has weights of shape (1, 1, {size}, {size}); yours: {shape}.")
        with torch.no_grad():
            maps = layer(torch.from_numpy(image)[None, None])[0, 0].numpy()
        wanted = convolve.correlate2d(image, kernel)
        if maps.shape != wanted.shape:
            raise Wrong(f"The map has shape {maps.shape} instead of {wanted.shape}: leave stride and padding alone.")
        if np.allclose(maps, wanted, atol=1e-4):
            continue
        apart = maps - wanted
        if np.allclose(apart, apart.mean(), atol=1e-4):
            raise Wrong(
                f"Every response is off by the same {apart.mean():+.3f}: that is the bias, which PyTorch fills with "
                "chance. Switch it off with `bias=False`."
            )
        if np.allclose(maps, convolve.convolve2d(image, kernel), atol=1e-4):
            raise Wrong("Your filter is flipped. `nn.Conv2d` slides it as it is; copy it without turning.")
        if np.allclose(maps, convolve.correlate2d(image, np.ascontiguousarray(kernel.T)), atol=1e-4):
            raise Wrong("Your filter is transposed: rows stay rows.")
        raise Wrong("The layer still computes with other weights than the kernel. Did you copy the kernel into them?")
    return "A hand-made filter inside a PyTorch layer: from here on you may write weights, or learn them."


@LESSON.check("conv-layer")
def _(conv: Any) -> str:
    chance = np.random.default_rng()
    for channels, filters, size, height, width in ((1, 1, 3, 6, 7), (3, 2, 3, 8, 6), (4, 5, 2, 7, 9)):
        image = chance.normal(size=(channels, height, width))
        weights = chance.normal(size=(filters, channels, size, size))
        bias = chance.normal(size=filters)
        answer = np.asarray(call(conv, image.copy(), weights.copy(), bias.copy()))
        wanted = convolve.conv_layer(image[None], weights, bias)[0]
        about = f"{channels} maps of {height}×{width}, {filters} filters of {size}×{size}"
        if answer.shape != wanted.shape:
            if answer.shape == wanted.shape[1:]:
                raise Wrong("This is one map. Every filter draws its own: add a loop over the filters.")
            if answer.shape == (filters, channels, *wanted.shape[1:]):
                raise Wrong("One map per filter AND channel: a filter adds up its channels into one map.")
            if answer.shape == (*wanted.shape[1:], filters):
                raise Wrong(f"The filters come first in PyTorch: {wanted.shape}, not {answer.shape}.")
            raise Wrong(f"For {about} the maps have shape {wanted.shape}; yours have {answer.shape}.")
        if np.allclose(answer, wanted):
            continue
        if np.allclose(answer, wanted - bias[:, None, None]):
            raise Wrong("The bias is missing: add bias[o] to every response of filter o.")
        if np.allclose(answer, wanted + (channels - 1) * bias[:, None, None]):
            raise Wrong("The bias is added once per channel. It belongs to the filter: once per response.")
        if np.allclose(answer, np.maximum(wanted, 0)):
            raise Wrong("You apply a ReLU as well. That is a layer of its own; leave it out here.")
        flipped = np.ascontiguousarray(weights[:, :, ::-1, ::-1])
        if np.allclose(answer, convolve.conv_layer(image[None], flipped, bias)[0]):
            raise Wrong("You flip the filters: slide them as they are.")
        if channels > 1 and np.allclose(answer, convolve.conv_layer(image[None, :1], weights[:, :1].copy(), bias)[0]):
            raise Wrong("You read only the first channel. Cut the patch out of all of them: `image[:, y:y+k, x:x+k]`.")
        raise Wrong(f"The shape is right, the numbers are not ({about}). A response: patch times weights, summed, plus "
                    "bias.")  # fmt: skip
    return "Channels, filters, bias: this is the layer of every network in this series, and it agrees with PyTorch."


@LESSON.check("weight-gradient")
def _(weight_gradient: Any) -> str:
    chance = np.random.default_rng()
    for height, width, size, stride in ((6, 7, 3, 1), (9, 12, 2, 1), (11, 9, 3, 2)):
        image = chance.normal(size=(height, width))
        rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
        gradient = chance.normal(size=(rows, columns))
        answer = np.asarray(call(weight_gradient, image.copy(), gradient.copy(), size, stride))
        patches = convolve.patches(image, size, stride)
        wanted = np.tensordot(gradient, patches, axes=2)
        about = f"{height}×{width} image, {size}×{size} filter, stride {stride}"
        if answer.shape != wanted.shape:
            raise Wrong(f"A gradient has the shape of its weights, {wanted.shape}; yours has {answer.shape} ({about}).")
        if np.allclose(answer, wanted):
            continue
        if np.allclose(answer, wanted / gradient.size):
            raise Wrong("You take the mean. The gradient of a shared weight is the plain sum over its places.")
        if np.allclose(answer, patches.sum(axis=(0, 1))):
            raise Wrong("You add up the patches alone. Each counts with the gradient of the response it produced.")
        if np.allclose(answer, wanted[::-1, ::-1]):
            raise Wrong(
                "Yours is turned by 180 degrees. The flip belongs to the gradient of the IMAGE, not of weights."
            )
        if np.allclose(answer, wanted.T):
            raise Wrong("Yours is transposed: rows stay rows.")
        if np.allclose(answer, gradient[-1, -1] * patches[-1, -1]):
            raise Wrong("Only the last place counts: collect with `+=` instead of `=`.")
        if stride > 1:
            raise Wrong(f"Right at stride 1, wrong at stride {stride}: response (r, c) met the patch at (r·s, c·s).")
        raise Wrong(f"Not the sum over all places of gradient[r, c] times the patch that lay there ({about}).")
    return "The sum over every patch it touched: backpropagation through a convolution is another convolution."
