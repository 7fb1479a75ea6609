"""Two other rules than the derivative for sending a gradient back through a ReLU.

============  ==============================================================================
rule          what a ReLU with input x lets through of the gradient g that comes from above
============  ==============================================================================
(derivative)  g where x > 0: ordinary backpropagation
``deconvnet`` g where g > 0, whatever x was (Zeiler & Fergus 2013)
``guided``    g where g > 0 and x > 0: both (Springenberg et al. 2014)
============  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from helpers.network.hooks import hooked

_RELU_NODES = ("ReluBackward", "ClampMinBackward", "ThresholdBackward")


class _Clamped(torch.autograd.Function):
    """Passes a ReLU's output on, and its gradient back to the ReLU's input around the ReLU's own derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, output: Tensor, guided: bool) -> Tensor:
        """Copy of ``output``; x is only there to receive the gradient."""
        ctx.guided = guided
        if guided:
            ctx.save_for_backward(output)
        return output.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Positive part of the gradient; for the guided rule only where the ReLU was on."""
        if ctx.guided:
            (output,) = ctx.saved_tensors
            # The derivative of ReLU in one pass over the numbers; NaN stays NaN, as with the derivative.
            gradient = torch.ops.aten.threshold_backward(gradient, output, 0)
        return gradient.clamp(min=0), None, None


@contextmanager
def relu_rule(model: nn.Module, rule: str) -> Iterator[None]:
    """Let every ``nn.ReLU`` of the network follow ``rule`` for the length of a block.

    In-place ReLUs and ReLUs that the network uses several times are treated like any other.

    Args:
        model: the network; it is not changed.
        rule: ``"deconvnet"`` or ``"guided"``.

    Raises:
        ValueError: for an unknown rule, or a network without any ``nn.ReLU`` for the rule to act on.
    """
    if rule not in ("deconvnet", "guided"):
        raise ValueError(f"The rule for ReLUs is 'deconvnet' or 'guided', not {rule!r}.")
    relus = [m for m in model.modules() if isinstance(m, nn.ReLU)]
    if not relus:
        raise ValueError(
            f"The rule {rule!r} acts on nn.ReLU modules and this network has none, so that the answer would be the "
            "plain gradient: write its ReLUs as modules instead of functional relu."
        )
    waiting: dict[nn.Module, Tensor] = {}

    def before(module: nn.ReLU, inputs: tuple[Tensor, ...]) -> tuple[Tensor] | None:
        waiting[module] = inputs[0]
        return (inputs[0].clone(),) if module.inplace else None

    def after(module: nn.Module, _: object, output: Tensor) -> Tensor:
        return _Clamped.apply(waiting.pop(module), output.detach(), rule == "guided")

    with hooked([(m, after) for m in relus], before=[(m, before) for m in relus]):
        yield


def refuse_functional_relu(scores: Tensor) -> None:
    """Look through the graph behind ``scores``, made inside :func:`relu_rule`, for ReLUs that kept their own rule.

    Raises:
        ValueError: if there is one, as functional ``relu`` has no module to act on.
    """
    seen, todo = set(), [scores.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name().startswith(_RELU_NODES):
            raise ValueError(
                "This network applies a ReLU as a function (F.relu or clamp), where no other rule can reach it: "
                "write each of its ReLUs as an nn.ReLU module."
            )
        todo += [parent for parent, _ in node.next_functions]
