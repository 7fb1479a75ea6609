"""Which pixels did the network look at? Maps of a class score over the pixels of an image.

Every function takes a network with images in and logits out, a batch ``x`` ``(N, C, H, W)`` and a target: a class
number, one for each image, or None for the predicted classes. The score is the logit. The network is judged in
evaluation mode and found afterwards as it was: hooks, flags, ``param.grad`` and ``x.requires_grad`` are untouched, on
success and on error. A batch gives the same as its images one by one. Results lie on the device of ``x``.

Signed maps: positive means "a little more of this pixel raises the score". Occlusion lives in
:mod:`helpers.inside.occlusion` and is offered here as well.

All functions raise ``TypeError`` or ``ValueError`` for images, targets, layers or networks that cannot be explained,
and the gradient methods ``RuntimeError`` inside ``torch.inference_mode()``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.inside.fields import place
from helpers.inside.occlusion import Occlusion, occlusion
from helpers.inside.relu_rules import refuse_functional_relu, relu_rule
from helpers.inside.scores import Neuron, Target, as_target, need_gradients, score_gradient
from helpers.network.hooks import Layer, map_layers, record
from helpers.network.running import Images, as_images, evaluating, images_at_once, logits_of

__all__ = [
    "METHODS",
    "Completeness",
    "Occlusion",
    "completeness",
    "deconvnet",
    "grad_cam",
    "gradient_times_input",
    "guided_backprop",
    "integrated_gradients",
    "occlusion",
    "pixel_curve",
    "place",
    "saliency",
    "smoothgrad",
    "upscale",
]


def saliency(
    model: nn.Module, x: Images, target: Target = None, signed: bool = False, *, neuron: Neuron | None = None
) -> Tensor:
    """How strongly the score answers to a small change of each pixel: the gradient (Simonyan et al. 2013).

    The absolute value, then the maximum over the channels, as in the paper. Captum keeps the channels apart; PAIR
    saliency sums them; ``signed=True`` gives what Captum calls ``Saliency(abs=False)``.

    Args:
        model: the network.
        x: images ``(N, C, H, W)``.
        target: class or classes; None for the predicted ones.
        signed: give the raw gradient with its channels.
        neuron: explain one unit instead of a class: ``(layer, channel, row, column)`` or ``(layer, unit)``.

    Returns:
        ``(N, H, W)``, or ``(N, C, H, W)`` if signed, in logits per unit of pixel value.
    """
    with evaluating(model):
        gradient = score_gradient(model, as_images(model, x), target, neuron)
    return _on_device_of(gradient if signed else gradient.abs().amax(1), x)


def pixel_curve(model: nn.Module, x: Images, target: Target, pixel: tuple[int, int], values: Tensor) -> Tensor:
    """How far the score moves when one pixel of an image takes other values: what a gradient only promises.

    Args:
        model: the network.
        x: one image ``(1, C, H, W)``.
        target: the class; None for the predicted one.
        pixel: its row and column; all channels take the value.
        values: ``(n,)``.

    Returns:
        ``(n,)``, the change of the logit for each value.

    Raises:
        ValueError: for more than one image, or a pixel outside of it.
    """
    with evaluating(model), torch.no_grad():
        images = as_images(model, x)
        row, column = pixel
        if len(images) != 1 or not (0 <= row < images.shape[2] and 0 <= column < images.shape[3]):
            shape = tuple(images.shape)
            raise ValueError(f"One image and a pixel inside it are needed, not images {shape} and the pixel {pixel}.")
        changed = images.repeat(len(values), 1, 1, 1)
        changed[:, :, row, column] = values.to(images)[:, None]
        logits = logits_of(model, torch.cat([images, changed]))
        score = logits[:, as_target(target, logits[:1])[0]]
        return _on_device_of(score[1:] - score[0], x)


def gradient_times_input(model: nn.Module, x: Images, target: Target = None) -> Tensor:
    """Gradient times pixel value, signed, ``(N, C, H, W)`` in logits (Shrikumar et al. 2016).

    Zero wherever the image is black: a pixel of value 0 can have no share, whatever the gradient says.
    """
    with evaluating(model):
        images = as_images(model, x)
        return _on_device_of(score_gradient(model, images, target) * images, x)


def guided_backprop(model: nn.Module, x: Images, target: Target = None, *, neuron: Neuron | None = None) -> Tensor:
    """Gradient in which every ReLU also stops what is negative on the way back (Springenberg et al. 2014).

    Signed, as in Captum; pytorch-grad-cam and many pictures in papers show it after a further clamp or scaling. A
    network without ``nn.ReLU`` modules, or with functional ones beside them, is refused: the rule does not reach a
    functional relu, and other libraries then answer with the plain gradient without a word.

    Args:
        model: the network.
        x: images ``(N, C, H, W)``.
        target: class or classes; None for the predicted ones.
        neuron: explain one unit instead of a class: ``(layer, channel, row, column)`` or ``(layer, unit)``.

    Returns:
        ``(N, C, H, W)``.
    """
    return _with_rule("guided", model, x, target, neuron)


def deconvnet(model: nn.Module, x: Images, target: Target = None, *, neuron: Neuron | None = None) -> Tensor:
    """Gradient in which every ReLU stops what is negative on the way back, whatever it did on the way up.

    The rule of Zeiler & Fergus (2013). Arguments, result and refusals are those of :func:`guided_backprop`.
    """
    return _with_rule("deconvnet", model, x, target, neuron)


def integrated_gradients(
    model: nn.Module,
    x: Images,
    target: Target = None,
    baseline: float | Images = 0.0,
    steps: int = 50,
    chunk: int | None = None,
) -> Tensor:
    """Gradients averaged on the line from a baseline to the image, times the way (Sundararajan et al. 2017).

    The average is a Gauss-Legendre sum, Captum's default. PAIR saliency and the paper take equal steps at their ends;
    the middles of equal steps (Captum's ``riemann_middle``, and the lesson) are as good here, as the slope has kinks.
    :func:`completeness` tells how well the map adds up.

    Args:
        model: the network.
        x: images ``(N, C, H, W)``.
        target: class or classes; None for those predicted for x.
        baseline: where the way starts: a pixel value, an image ``(C, H, W)`` or one for each image.
        steps: points on the way.
        chunk: images that pass through the network at once, a hundred digits or four photographs if not given; changes
            speed and memory only.

    Returns:
        ``(N, C, H, W)``, signed, in logits.
    """
    _at_least_one(steps=steps, chunk=1 if chunk is None else chunk)
    with evaluating(model):
        images = as_images(model, x)
        chunk = images_at_once(images.shape, 100) if chunk is None else chunk
        start = _as_baseline(baseline, images)
        way = images - start
        index = _fixed_target(model, images, target)
        # Gauss-Legendre nodes and weights live on [-1, 1]: in double precision here, in the network's own below.
        nodes, weights = (torch.from_numpy(a) for a in _legendre(steps))
        nodes, weights = (a.to(images) for a in ((1 + nodes) / 2, weights / 2))
        total = torch.zeros_like(images)
        per_pass = max(1, chunk // len(images))
        for at in torch.arange(steps).split(per_pass):
            points = torch.cat([start + nodes[i] * way for i in at])
            gradient = score_gradient(model, points, index.repeat(len(at)))
            total += (weights[at].view(-1, 1, 1, 1, 1) * gradient.unflatten(0, (len(at), -1))).sum(0)
        return _on_device_of(total * way, x)


class Completeness(NamedTuple):
    """Does a map account for the score? All ``(N,)`` in logits: ``error = total - difference``."""

    total: Tensor
    difference: Tensor
    error: Tensor


def completeness(
    model: nn.Module, x: Images, maps: Tensor, target: Target = None, baseline: float | Images = 0.0
) -> Completeness:
    """Compare what a map adds up to with the score's change from the baseline to the image.

    Integrated gradients promise that both are equal; the error is Captum's ``convergence_delta``.
    """
    with evaluating(model), torch.no_grad():
        images = as_images(model, x)
        logits = logits_of(model, images)
        index = as_target(target, logits)[:, None]
        start = logits_of(model, _as_baseline(baseline, images).contiguous())
        difference = (logits.gather(1, index) - start.gather(1, index))[:, 0]
    total = maps.to(difference).flatten(1).sum(1)
    return Completeness(*(_on_device_of(t, x) for t in (total, difference, total - difference)))


def smoothgrad(
    model: nn.Module, x: Images, target: Target = None, samples: int = 25, noise: float = 0.15, seed: int = 0
) -> Tensor:
    """Mean gradient over noisy copies of the image (Smilkov et al. 2017), signed, ``(N, C, H, W)``.

    The noise is normal with the deviation ``noise`` · (max - min) of each image, as in the paper; Captum's
    ``NoiseTunnel`` takes the deviation itself, and PAIR saliency averages squares in a variant. Every image gets the
    same noise pattern, so that it does not matter in which batch it is. The target is that of the clean image.
    """
    _at_least_one(samples=samples)
    if not noise >= 0:
        raise ValueError(f"noise is a deviation as a share of the image's range, at least 0, not {noise}.")
    with evaluating(model):
        images = as_images(model, x)
        index = _fixed_target(model, images, target)
        spread = noise * (images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True))
        generator = torch.Generator().manual_seed(seed)
        total = torch.zeros_like(images)
        for _ in range(samples):
            pattern = torch.randn(images.shape[1:], generator=generator).to(images)
            total += score_gradient(model, images + spread * pattern, index)
        return _on_device_of(total / samples, x)


def grad_cam(model: nn.Module, x: Images, target: Target, layer: Layer) -> Tensor:
    """Feature maps of a layer, added up with the mean gradient of each as its weight, positive part (Selvaraju 2017).

    Raw and at the layer's own size, as Captum's ``LayerGradCam(relu_attributions=True)``; torch-cam and
    pytorch-grad-cam scale every map to 0..1, which hides that one is weak. :func:`place` draws it over the image,
    each value at the center of its unit's receptive field.

    Args:
        model: the network.
        x: images ``(N, C, H, W)``.
        target: class or classes; None for the predicted ones.
        layer: name or module of a layer with feature maps, usually the last.

    Returns:
        ``(N, h, w)`` in the layer's size.
    """
    need_gradients(model)
    with evaluating(model), record(model, layer, detach=False) as store, torch.enable_grad():
        logits = logits_of(model, as_images(model, x).clone().requires_grad_(), to_the_bit=True)
        name = next(iter(store.calls))
        if not store.calls[name] or store[name].ndim != 4:
            raise ValueError(f"Grad-CAM needs a layer with feature maps (N, C, h, w); {name} has none.")
        scores = logits.gather(1, as_target(target, logits)[:, None])
        (gradient,) = torch.autograd.grad(scores.sum(), store[name], allow_unused=True)
    if gradient is None:
        raise ValueError(f"The score does not depend on layer {name}.")
    weights = gradient.mean((2, 3), keepdim=True)
    return _on_device_of((weights * store[name].detach()).sum(1).relu(), x)


def upscale(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps ``(N, h, w)`` stretched to the size ``(H, W)`` of the image, bilinear with ``align_corners=False``.

    What the libraries do to a Grad-CAM. :func:`place` says where it is off.
    """
    return functional.interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]


def _grad_cam_map(model: nn.Module, x: Images, target: Target, layer: Layer | None = None) -> Tensor:
    """:func:`grad_cam`, placed over the image, ``(N, 1, H, W)``; the last layer with feature maps for None."""
    layer = map_layers(model, as_images(model, x)[:1])[-1] if layer is None else layer
    return place(grad_cam(model, x, target, layer), model, x, layer)[:, None]


def _occlusion_map(model: nn.Module, x: Images, target: Target) -> Tensor:
    """:func:`occlusion` with a black mask, ``(N, 1, H, W)``: of 7×7 at every pixel of a digit; of about a fifth of the
    side of a photograph, moved by a third of itself, which keeps the number of positions near that of a digit.
    """
    images = as_images(model, x)
    side = min(images.shape[2:])
    size, stride = (7, 1) if side <= 64 else (side // 5 + 3, side // 15 + 1)
    with evaluating(model):
        index = _fixed_target(model, images, target).tolist()
    maps = [occlusion(model, i, size, stride).map(c) for i, c in zip(images, index, strict=True)]
    return _on_device_of(torch.stack(maps)[:, None], x)


#: The methods that can be compared side by side, by the names of the lessons: each takes (model, images (N, C, H, W),
#: target) and returns signed maps (N, C or 1, H, W). Grad-CAM also takes ``layer=``. Samples and steps are as few as a
#: live picture allows: 12 for SmoothGrad, 24 for integrated gradients.
METHODS: Mapping[str, Callable[..., Tensor]] = {
    "gradient": lambda model, x, target: saliency(model, x, target, signed=True),
    "gradient × input": gradient_times_input,
    "SmoothGrad": lambda model, x, target: smoothgrad(model, x, target, samples=12),
    "integrated gradients": lambda model, x, target: integrated_gradients(model, x, target, steps=24),
    "guided backpropagation": guided_backprop,
    "deconvnet": deconvnet,
    "Grad-CAM": _grad_cam_map,
    "occlusion 7×7": _occlusion_map,
}


def _with_rule(rule: str, model: nn.Module, x: Images, target: Target, neuron: Neuron | None) -> Tensor:
    with evaluating(model), relu_rule(model, rule):
        return _on_device_of(score_gradient(model, as_images(model, x), target, neuron, refuse_functional_relu), x)


def _fixed_target(model: nn.Module, images: Tensor, target: Target) -> Tensor:
    """The classes to explain, decided on the images as they were given."""
    with torch.no_grad():
        return as_target(target, logits_of(model, images))


def _as_baseline(baseline: float | Images, images: Tensor) -> Tensor:
    baseline = torch.as_tensor(baseline, dtype=images.dtype, device=images.device)
    if baseline.ndim and tuple(baseline.shape) not in (tuple(images.shape), tuple(images.shape[1:])):
        shape, wanted = tuple(baseline.shape), tuple(images.shape[1:])
        raise ValueError(f"The baseline is a number, an image {wanted} or one for each image; got shape {shape}.")
    return baseline.expand_as(images)


def _legendre(steps: int) -> tuple:
    from numpy.polynomial.legendre import leggauss

    return leggauss(steps)


def _at_least_one(**counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} has to be a whole number of at least 1, not {count!r}.")


def _on_device_of(result: Tensor, x: Images) -> Tensor:
    """The result on the device that the images came from."""
    return result.to(x.device if isinstance(x, Tensor) else "cpu")
