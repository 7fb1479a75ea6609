"""Filters that nobody labeled: learned from patches of photographs alone, without classes and without a network.

A filter shall be silent on most patches and loud on a few, and all filters together shall still be able to rebuild
every patch from their responses. That is reconstruction ICA (Le, Karpenko, Ngiam and Ng 2011), an offspring of sparse
coding (Olshausen and Field 1996), whose filters look like what cells of the visual cortex respond to (Hubel and Wiesel
1959). Spherical k-means on the same whitened patches (Coates, Lee and Ng 2011) is quicker and gives rougher filters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

#: Added to the variance of a patch before its contrast is brought to 1, so that the noise of even areas is not.
EVEN = 1e-3
#: Rounds the corner of |response| at 0, so that it has a slope everywhere.
ROUND = 0.01


def patches(
    pictures: Sequence[np.ndarray],
    count: int = 60_000,
    size: int = 11,
    scales: Sequence[int] = (1, 2, 3),
    seed: int = 0,
) -> np.ndarray:
    """Cut random squares out of photographs, from each equally many, at several scales.

    Args:
        pictures: photographs (H, W, 3) in [0, 1], as from ``data.photo``.
        count: how many patches.
        size: side of a patch in pixels.
        scales: by how much photographs are shrunk first: 2 averages squares of 2×2 pixels.
        seed: random seed.

    Returns:
        float32 (count, 3, size, size), in random order.

    Raises:
        ValueError: if there is no photograph, or one is too small.
    """
    if count < 1 or size < 2 or not len(pictures) or not len(scales) or min(scales) < 1:
        raise ValueError("Patches need a photograph, a scale of at least 1, a count of at least 1 and 2 pixels a side.")
    shrunk = []
    for picture in pictures:
        image = torch.as_tensor(np.asarray(picture, dtype=np.float32))
        if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < size * max(scales):
            shape, least = tuple(image.shape), size * max(scales)
            raise ValueError(
                f"Patches are cut out of photographs (H, W, 3), at least {least} pixels a side; got {shape}."
            )
        planes = image.permute(2, 0, 1)[None]
        shrunk += [functional.avg_pool2d(planes, scale)[0].numpy() for scale in scales]
    rng = np.random.default_rng(seed)
    cut = np.empty((count, 3, size, size), dtype=np.float32)
    for number, place in enumerate(rng.permutation(count)):
        planes_of = shrunk[number % len(shrunk)]
        top, left = (int(rng.integers(0, side - size + 1)) for side in planes_of.shape[1:])
        cut[place] = planes_of[:, top : top + size, left : left + size]
    return cut


def normalized(cut: np.ndarray) -> np.ndarray:
    """Patches (N, 3, size, size) as rows (N, 3·size²), each with the mean brightness 0 and about the contrast 1."""
    rows = np.asarray(cut, dtype=np.float32).reshape(len(cut), -1)
    rows = rows - rows.mean(1, keepdims=True)
    rows /= np.sqrt(np.square(rows).mean(1, keepdims=True) + np.float32(EVEN))
    return rows


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    """Rows in parts of a few thousand: in double precision all at once would take hundreds of megabytes."""
    return np.array_split(rows, max(1, len(rows) // 4000))


class Whitening(NamedTuple):
    """A change of coordinates after which patches vary equally in all directions, and no two coordinates correlate.

    Neighboring pixels are nearly equal, so that the first thing any filter would learn is slow changes of brightness.

    Attributes:
        mean: (D,), of the rows it was made from.
        forward: (D, components); ``(row - mean) @ forward`` are the coordinates.
        back: (components, D), the way back, up to what the left-out directions hold.
        share: of the variance, in the directions that are kept.
    """

    mean: np.ndarray
    forward: np.ndarray
    back: np.ndarray
    share: float

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Coordinates (N, components) of rows (N, D), float32."""
        parts = [((part - self.mean) @ self.forward).astype(np.float32) for part in _parts(rows)]
        return np.concatenate(parts)


def whitening(rows: np.ndarray, components: int = 120) -> Whitening:
    """Whiten along the principal axes of rows (N, D); the axes with the smallest variance, mostly noise, are left out.

    Raises:
        ValueError: if the rows do not vary in so many directions.
    """
    mean = rows.mean(0, dtype=np.float64)
    products = sum((part - mean).T @ (part - mean) for part in _parts(rows))
    spread, axes = np.linalg.eigh(products / (len(rows) - 1))
    spread, axes = spread[::-1], axes[:, ::-1]
    if not 1 <= components <= len(spread) or spread[components - 1] <= 1e-9 * spread[0]:
        raise ValueError(f"These patches do not vary in {components} directions; take fewer components.")
    scale, kept = np.sqrt(spread[:components]), axes[:, :components]
    share = float(spread[:components].sum() / spread.clip(min=0).sum())
    return Whitening(mean, kept / scale, (kept * scale).T, share)


class Unlabeled(NamedTuple):
    """Filters learned from patches.

    Attributes:
        filters: (n, 3, size, size), what a normalized patch is multiplied with.
        patterns: (n, 3, size, size), the part of a patch that a filter stands for; smoother than the filter.
        start: the patterns before the first step, random.
        losses: of each step.
        share: of the patches' variance that whitening kept.
    """

    filters: Tensor
    patterns: Tensor
    start: Tensor
    losses: list[float]
    share: float


def learn(
    cut: np.ndarray,
    filters: int = 64,
    components: int = 120,
    steps: int = 1500,
    lr: float = 0.02,
    batch: int = 2000,
    seed: int = 0,
    watch: Callable[[int, Tensor], None] | None = None,
    bar: bool = False,
) -> Unlabeled:
    """Learn filters w, of length 1 in the whitened space, from patches; z are the coordinates of a patch.

    The loss is ``mean √((w·z)² + 0.01) + ½ mean (Wᵀ W z − z)²``: silent filters make the first part small, and filters
    from whose responses W z the patch can be rebuilt, by the same weights, the second.

    Args:
        cut: patches (N, 3, size, size), as from :func:`patches`.
        filters: how many.
        components: coordinates kept by the whitening.
        steps: of Adam.
        lr: its learning rate.
        batch: patches a step.
        seed: random seed of the start and the batches.
        watch: called with the step and the patterns (n, 3, size, size) after every 100 steps.
        bar: show a progress bar.

    Raises:
        ValueError: if the patches have another shape, or a number is below 1.
    """
    cut = np.asarray(cut)
    if cut.ndim != 4 or min(filters, components, steps, batch) < 1 or lr <= 0:
        raise ValueError(
            f"Give patches (N, 3, size, size) and numbers of at least 1; got the shape {cut.shape}, {filters} filters, "
            f"{components} components, {steps} steps and batches of {batch}."
        )
    rows = normalized(cut)
    white = whitening(rows, components)
    coordinates, back = torch.from_numpy(white(rows)), torch.from_numpy(white.back).float()
    generator = torch.Generator().manual_seed(seed)
    free = torch.randn(filters, components, generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([free], lr)
    shape = (filters, *cut.shape[1:])

    def patterns() -> Tensor:
        return (functional.normalize(free.detach(), dim=1) @ back).view(shape)

    start, losses = patterns(), []
    for step in tqdm(range(1, steps + 1), disable=not bar, leave=False, desc="learning", unit="step"):
        z = coordinates[torch.randint(len(coordinates), (batch,), generator=generator)]
        with torch.enable_grad():
            w = functional.normalize(free, dim=1)
            responses = z @ w.T
            rebuilt = responses @ w
            loss = (responses.square() + ROUND).sqrt().mean() + 0.5 * (rebuilt - z).square().mean()
            (free.grad,) = torch.autograd.grad(loss, free)
        optimizer.step()
        losses.append(loss.item())
        if watch is not None and step % 100 == 0:
            watch(step, patterns())
    w = functional.normalize(free.detach(), dim=1)
    multiplied = (w @ torch.from_numpy(white.forward).float().T).view(shape)
    return Unlabeled(multiplied, patterns(), start, losses, white.share)


class Relatives(NamedTuple):
    """For each wanted filter, what is most like it, whatever the sign and the place.

    Attributes:
        cosines: (m,), signed: −1 for the same pattern upside down.
        which: (m,), the number of the pattern that holds it.
        windows: (m, 3, k, k), the part of that pattern, turned to the sign of the wanted filter, of length 1.
    """

    cosines: Tensor
    which: Tensor
    windows: Tensor


def relatives(patterns: Tensor, wanted: Tensor) -> Relatives:
    """Find each wanted filter's nearest relative among all windows of its size in all patterns, by |cosine|.

    A window that holds less than a quarter of its pattern's energy, the sum of the squared weights, does not count: it
    would be a corner in which the pattern is nearly gray.

    Args:
        patterns: (n, 3, size, size).
        wanted: (m, 3, k, k), with k up to size.

    Raises:
        ValueError: if one of them has another shape, or the wanted filters are larger.
    """
    fits = patterns.ndim == wanted.ndim == 4 and patterns.shape[1] == wanted.shape[1]
    if not fits or not len(patterns) or not len(wanted) or wanted.shape[-1] > patterns.shape[-1]:
        raise ValueError(
            "Relatives are looked for in patterns (n, 3, size, size), of filters (m, 3, k, k) that are not larger; got "
            f"{tuple(patterns.shape)} and {tuple(wanted.shape)}."
        )
    side = wanted.shape[-1]
    cut = patterns.detach().float().unfold(2, side, 1).unfold(3, side, 1)  # (n, 3, rows, columns, k, k)
    windows = cut.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)  # (n, places, 3, k, k)
    energy = windows.square().sum((2, 3, 4))
    of, place = (energy >= 0.25 * patterns.detach().square().sum((1, 2, 3))[:, None]).nonzero(as_tuple=True)
    if not len(of):
        raise ValueError("No window holds a quarter of its pattern: the wanted filters are too small.")
    rows = functional.normalize(windows[of, place].flatten(1), dim=1)
    likeness = rows @ functional.normalize(wanted.detach().float().flatten(1), dim=1).T  # (windows, m)
    best = likeness.abs().argmax(0)
    cosines = likeness[best, torch.arange(len(wanted))]
    found = (rows[best] * cosines.sign()[:, None]).view_as(wanted)
    return Relatives(cosines, of[best], found)
