"""What a network for photographs would like to see: gradient ascent on the waves that a color image is made of.

On 28×28 pixels Adam finds its way (:mod:`helpers.inside.maximize`). A photograph's pixels climb badly one by one: the
fastest way up is a pattern as fine as the pixels. So the image is written as a sum of waves, whose strength falls with
their frequency as in photographs, in three colors that vary independently in photographs; and before each step it is
moved, turned and scaled a little, so that no single pixel can carry the score (Olah, Mordvintsev and Schubert 2017,
"Feature visualization", whose color matrix and recipe these are).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

from helpers.inside.maximize import Ascent
from helpers.inside.scores import need_gradients
from helpers.network.hooks import record
from helpers.network.photonet import MINIMUM, PhotoNet
from helpers.network.running import evaluating, logits_of

#: Brightness, blue against orange and green against purple, as red, green, blue: columns of the square root of the
#: covariance of colors in photographs (Olah et al. 2017), the longest of them 1.
COLORS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]]) / 0.462
#: Deviation of the waves at the start, and pixels of the border around an image that is moved.
START, BORDER = 0.01, 12


def waves(count: int, size: int, seed: int = 0) -> Tensor:
    """Where an ascent starts: the strengths of all waves, small and random, (count, 3, size, size // 2 + 1, 2).

    Image i is the same for every count.
    """
    shape = (3, size, size // 2 + 1, 2)
    made = [torch.randn(shape, generator=torch.Generator().manual_seed(seed * 100_003 + i)) for i in range(count)]
    return START * torch.stack(made)


def painted(strengths: Tensor) -> Tensor:
    """The images (N, 3, size, size) in (0, 1) that waves add up to; a wave counts the less, the finer it is."""
    size = strengths.shape[2]
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]).clamp(min=1 / size)
    spectrum = torch.view_as_complex(strengths.contiguous()) / frequency
    plain = torch.fft.irfft2(spectrum, s=(size, size), norm="ortho") / 4
    return torch.einsum("nchw,dc->ndhw", plain, COLORS).sigmoid()


def jolted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images (N, 3, H, W) in a gray border, shifted by up to a twelfth, scaled by up to a tenth, turned by up to 5°."""
    reach = images.shape[2] // 12
    move = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
    scale, turn = torch.rand(2, generator=generator).tolist()
    scale, angle = 0.9 + 0.2 * scale, math.radians(10 * (turn - 0.5))
    wide = functional.pad(images, (BORDER,) * 4, value=0.5).roll(move, (2, 3))
    down, across = math.cos(angle) / scale, math.sin(angle) / scale
    way = torch.tensor([[down, across, 0], [-across, down, 0]]).expand(len(images), 2, 3)
    grid = functional.affine_grid(way, list(wide.shape), align_corners=False)
    return functional.grid_sample(wide, grid, align_corners=False, padding_mode="reflection")


def class_pictures(
    network: PhotoNet,
    classes: Sequence[int],
    *,
    size: int = 160,
    steps: int = 64,
    lr: float = 0.07,
    seed: int = 0,
    bar: bool = False,
    watch: Callable[[int, Tensor], None] | None = None,
) -> Ascent:
    """The images a network for photographs takes for its classes more than any other, all classes as one batch.

    The score is the mean of the class's map *before* its ReLU, because behind it a map of zeros has no slope to climb.
    The stop button (KeyboardInterrupt) ends the ascent early and keeps what was found.

    Args:
        network: the network; the same for the one with random weights as a control.
        classes: class numbers, such as ``photonet.number("snail")``.
        size: side of the images; an even number.
        steps: number of steps.
        lr: step size of Adam, in strengths of the waves.
        seed: random seed of the start and of the jolts.
        bar: show a progress bar.
        watch: called with the step and the images after each step.

    Returns:
        images and scores as they are at the end; ``history`` holds the scores on the way, of the jolted images.

    Raises:
        ValueError: for no class, one that the network does not have, or a size, steps or lr that cannot be.
    """
    need_gradients(network)
    wanted = torch.as_tensor(list(classes))
    if not len(wanted) or wanted.is_floating_point() or wanted.min() < 0 or wanted.max() >= 1000:
        raise ValueError(f"The network has the classes 0 to 999; {list(classes)} are not among them.")
    if steps < 1 or lr <= 0 or size < MINIMUM or size % 2:
        raise ValueError(f"steps must be at least 1, lr above 0, and size an even number of at least {MINIMUM} pixels.")
    rows = torch.arange(len(wanted))

    def score(images: Tensor) -> Tensor:
        with record(network, "classes", detach=False) as maps:
            logits_of(network, images)
        return maps["classes"][rows, wanted].mean((1, 2))

    strengths = waves(len(wanted), size, seed).requires_grad_()
    optimizer = torch.optim.Adam([strengths], lr, maximize=True)
    generator = torch.Generator().manual_seed(seed)
    history: list[Tensor] = []
    progress = tqdm(range(steps), disable=not bar, leave=False, desc="climbing", unit="step")
    with evaluating(network), contextlib.suppress(KeyboardInterrupt), progress:
        for step in progress:
            with torch.enable_grad():
                value = score(jolted(painted(strengths), generator))
                # backward() would also fill the gradients of the network.
                (strengths.grad,) = torch.autograd.grad(value.sum(), strengths)
            optimizer.step()
            history.append(value.detach())
            if watch is not None:
                watch(step + 1, painted(strengths.detach()))
    with evaluating(network), torch.no_grad():
        images = painted(strengths.detach())
        scores = score(images)
    return Ascent(images, scores, torch.stack(history) if history else scores[None][:0], images.new_empty(0))
