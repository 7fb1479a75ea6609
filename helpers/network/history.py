"""What happened during training, as numbers: one record of steps and epochs that the pictures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field


class Diverged(ArithmeticError):
    """The loss stopped being a number; ``history`` holds what was recorded until then."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


@dataclass
class Epoch:
    """What one pass over the training set gave; accuracies in [0, 1], ``None`` where no validation split was given."""

    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


@dataclass
class History:
    """What happened during training, step by step and epoch by epoch."""

    total_steps: int = 0
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    steps_per_epoch: int = 0
    device: str = "cpu"
    precision: str = "float32"
    interrupted: bool = False

    @property
    def seconds(self) -> float:
        """Time spent training, without the validation passes."""
        return sum(epoch.seconds for epoch in self.epochs)

    def __repr__(self) -> str:
        if not self.losses:
            return "History: no step was taken"
        last = self.losses[-50:]
        text = f"History: {len(self.losses):,} of {self.total_steps:,} steps, training loss {sum(last) / len(last):.3f}"
        if self.epochs and self.epochs[-1].validation_accuracy is not None:
            text += f", validation accuracy {self.epochs[-1].validation_accuracy:.2%}"
        return text + (", interrupted" if self.interrupted else "")
