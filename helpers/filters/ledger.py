"""How many weights it takes to look at an image whole, through one window, or through a window that slides."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.filters.geometry import output_size


@dataclass(frozen=True)
class Account:
    """What one way of looking costs: ``units`` filters, and a dense layer of ``outputs`` units behind them.

    Attributes:
        name: the way of looking, in words.
        window: pixels that a unit sees, one per weight.
        places: places at which each unit looks, all with the same weights.
        units: number of filters.
        outputs: units of the layer that follows.
    """

    name: str
    window: int
    places: int
    units: int
    outputs: int

    @property
    def filters(self) -> int:
        """Weights of the filters, one bias each included; places share them."""
        return (self.window + 1) * self.units

    @property
    def values(self) -> int:
        """Numbers passed on: one for each unit and place."""
        return self.places * self.units

    @property
    def following(self) -> int:
        """Weights of the next layer, which reads every number passed on, one bias per output included."""
        return (self.values + 1) * self.outputs

    @property
    def total(self) -> int:
        """All the weights."""
        return self.filters + self.following


def dense_rival(one: Account, side: int = 28) -> Account:
    """The dense layer that passes on as many values as ``one`` does: a unit with weights of its own for each value."""
    return Account(f"a dense layer that passes on {one.values:,} values, too", side * side, 1, one.values, one.outputs)


def accounts(
    window: int = 10, stride: int = 1, units: int = 20, outputs: int = 10, side: int = 28
) -> tuple[Account, Account, Account]:
    """The three ways of looking at a ``side`` × ``side`` image: whole, through a window each, through sliding windows.

    Raises:
        ValueError: if the window does not fit into the image, or a number is below 1.
    """
    along = output_size(side, window, stride)
    if units < 1 or outputs < 1:
        raise ValueError(f"There must be at least one unit and one output; there are {units} and {outputs}.")
    return (
        Account("every unit sees the whole image", side * side, 1, units, outputs),
        Account(f"every unit sees one {window}×{window} window", window * window, 1, units, outputs),
        Account(f"every unit slides its window by {stride}", window * window, along * along, units, outputs),
    )
