"""Distort images: rotate, shift, scale, add noise. The same picture to you, a new one to a network.

All functions take images ``(N, C, H, W)`` in [0, 1] as a torch tensor and return new ones of the same shape; what
comes in from outside the picture is black. One number treats all images alike, ``(N,)`` numbers each its own way.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Amount = float | Sequence[float] | Tensor
#: So many images at a time: the places where all their pixels come from take several times the memory of the images.
CHUNK = 1000


def rotate(images: Tensor, degrees: Amount) -> Tensor:
    """Rotate about the center of the image, counterclockwise for positive angles, with bilinear interpolation.

    Raises:
        ValueError: if the images are not ``(N, C, H, W)``, or there are neither 1 nor N angles.
    """
    return warp(images, degrees=degrees)


def shift(images: Tensor, right: Amount = 0.0, down: Amount = 0.0) -> Tensor:
    """Translate by pixels, fractions of a pixel included. Raises as :func:`rotate`."""
    return warp(images, right=right, down=down)


def scale(images: Tensor, factor: Amount) -> Tensor:
    """Enlarge (above 1) or shrink about the center of the image. Raises as :func:`rotate`, and for factors ≤ 0."""
    return warp(images, factor=factor)


def noise(images: Tensor, deviation: float, seed: int = 0) -> Tensor:
    """Add Gaussian noise to every pixel and clip the result to [0, 1]; the same seed gives the same noise.

    Raises:
        ValueError: if the deviation is negative.
    """
    if not deviation >= 0:
        raise ValueError(f"The deviation of the noise is at least 0; got {deviation}.")
    pattern = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return (images + deviation * pattern.to(images)).clamp(0, 1)


def random_turns(images: Tensor, degrees: float, seed: int = 0) -> Tensor:
    """Rotate each image by a random angle in [−degrees, degrees]."""
    shares = torch.rand(len(images), generator=torch.Generator().manual_seed(seed))
    return rotate(images, degrees * (2 * shares - 1))


def warp(
    images: Tensor, degrees: Amount = 0.0, factor: Amount = 1.0, right: Amount = 0.0, down: Amount = 0.0
) -> Tensor:
    """Rotate, then scale, both about the center, then translate: one interpolation, so that little sharpness is lost.

    Args:
        images: ``(N, C, H, W)``.
        degrees: counterclockwise.
        factor: above 1 enlarges.
        right: pixels to the right.
        down: pixels down.

    Raises:
        ValueError: if the images are not ``(N, C, H, W)``, an amount is neither one number nor N, or a factor is ≤ 0.
    """
    if images.ndim != 4:
        raise ValueError(f"Images have the shape (N, C, H, W); these have {tuple(images.shape)}.")
    turn, size, across, below = (_each(a, images, n) for a, n in zip(
        (degrees, factor, right, down), ("angle", "factor", "shift", "shift"), strict=True
    ))  # fmt: skip
    if (size <= 0).any():
        raise ValueError("A factor of scale is above 0: 1 changes nothing, 0.5 halves.")
    parts = zip(*(each.split(CHUNK) for each in (images, turn, size, across, below)), strict=True)
    return torch.cat([_warped(*part) for part in parts])


def _warped(images: Tensor, turn: Tensor, size: Tensor, across: Tensor, below: Tensor) -> Tensor:
    """The images (N, C, H, W), each with its own amounts (N,)."""
    height, width = images.shape[2:]
    # For each pixel of the result: where it comes from, in pixels from the middle. So everything runs backward.
    y, x = torch.meshgrid(
        *(torch.arange(n, dtype=images.dtype, device=images.device) - (n - 1) / 2 for n in (height, width)),
        indexing="ij",
    )
    x, y = x - across[:, None, None], y - below[:, None, None]
    angle = torch.deg2rad(turn)
    cosine, sine = ((f(angle) / size)[:, None, None] for f in (torch.cos, torch.sin))
    source_x, source_y = cosine * x - sine * y, sine * x + cosine * y
    grid = torch.stack([source_x * 2 / width, source_y * 2 / height], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _each(amount: Amount, images: Tensor, name: str) -> Tensor:
    values = torch.as_tensor(amount, dtype=images.dtype, device=images.device)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != len(images)):
        raise ValueError(f"Give one {name} or one for each of {len(images)} images; got shape {tuple(values.shape)}.")
    return values.expand(len(images))
