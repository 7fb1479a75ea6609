"""A network's weights at chosen steps of its training, in half precision, so that its past can be looked at."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from helpers.network.history import History


def log_steps(total: int, count: int = 49) -> list[int]:
    """Return steps from 0 to ``total``, at most ``count`` of them, each about the same factor after the one before.

    Training changes a network fast at first and slowly later, so equal factors show about equal changes. Low steps are
    whole numbers close to each other, so there can be fewer than ``count``.

    Raises:
        ValueError: if ``total`` is under 1 or ``count`` under 2.
    """
    if total < 1 or count < 2:
        raise ValueError(f"Snapshots need at least one step of training and two of them; got {total} and {count}.")
    ratio = total ** (1 / max(count - 2, 1))
    return sorted({0, total, *(round(ratio**k) for k in range(count - 1))})


class Snapshots:
    """Keeps the weights of a network while ``fit`` trains it: ``fit(network, ..., watch=Snapshots(network))``.

    The first one is taken when the recorder is made, before any training; the last one when training ends, also when
    it is interrupted. A snapshot of :class:`~helpers.network.models.ConvNet` takes 0.45 MB, 49 of them 22 MB.

    Args:
        network: the network that will be trained.
        count: how many snapshots at most, at logarithmically spaced steps (:func:`log_steps`).
        steps: the steps themselves, in place of ``count``.

    Attributes:
        steps: the steps at which snapshots were taken, from 0.
    """

    def __init__(self, network: nn.Module, count: int = 49, steps: Sequence[int] | None = None) -> None:
        self._network, self._count = network, count
        self._wanted: set[int] | None = None if steps is None else set(steps)
        self.steps: list[int] = []
        self._weights: list[dict[str, Tensor]] = []
        self._take(0)

    def _take(self, step: int) -> None:
        if self.steps and step <= self.steps[-1]:
            return
        self.steps.append(step)
        halves = {name: value.detach().to("cpu", torch.float16) for name, value in self._network.state_dict().items()}
        self._weights.append({name: value.contiguous().clone() for name, value in halves.items()})

    def __call__(self, history: History) -> None:
        """Take a snapshot if the step that was just made is one of those wanted."""
        if self._wanted is None:
            self._wanted = set(log_steps(history.total_steps, self._count))
        if len(history.losses) in self._wanted:
            self._take(len(history.losses))

    def close(self, history: History) -> None:
        """Take the last one, when training ends early too."""
        self._take(len(history.losses))

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def megabytes(self) -> float:
        """What all of them take in memory, in millions of bytes."""
        return sum(v.numel() * v.element_size() for weights in self._weights for v in weights.values()) / 1e6

    def parameter(self, name: str) -> Tensor:
        """One parameter through all snapshots, float32, ``(snapshots, ...)``, such as ``"features.conv1.weight"``.

        Raises:
            ValueError: if the network has no parameter of this name.
        """
        if name not in self._weights[0]:
            raise ValueError(f"The network has no parameter {name!r}; it has {', '.join(self._weights[0])}.")
        return torch.stack([weights[name].float() for weights in self._weights])

    def network(self, index: int) -> nn.Module:
        """The network as it was: a copy in evaluation mode, on the CPU, with the weights of one snapshot."""
        past = copy.deepcopy(self._network).cpu().to(memory_format=torch.contiguous_format)
        past.load_state_dict({name: value.float() for name, value in self._weights[index].items()})
        return past.eval()
