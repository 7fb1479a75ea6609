"""Questions and checks of the lesson "Train a convolutional network"."""

from __future__ import annotations

import contextlib
import copy
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, expect, number, same, trials

LESSON = Lesson("training")

LESSON.ask(
    "untrained",
    "All weights are random. What does the network do with 2,000 digits?",
    Option("It refuses: it has learned nothing yet", "A network never refuses. It multiplies and adds whatever its "
           "weights are, and some score is always the largest."),
    Option("It guesses, and each digit comes up about equally often", "The accuracy is that of a guess, but the "
           "answers are not spread evenly: random weights have a taste, and it hardly depends on the image."),
    Option("About 10% right, and it says nearly always the same one or two digits", "The image hardly changes the ten "
           "scores, and one or two of them happen to be a little larger for every image. They win again and "
           "again.", right=True),
    Option("0% right", "To be always wrong it would have to know the right answers."),
)  # fmt: skip

LESSON.ask(
    "first-loss",
    "The untrained network gives every digit about 10%. Which loss do you expect, averaged over many images?",
    Option("about 0.1", "0.1 is the probability. The loss is minus its logarithm."),
    Option("about 0.9", "0.9 is how far 0.1 is from certainty. The loss is steeper than that: minus the logarithm."),
    Option("about 2.3", "−log(0.1) = log(10) = 2.303. If the first number on your screen is far from it, something is "
           "wrong before anything was learned.", right=True),
    Option("about 10", "A loss of 10 would mean a probability of 0.00005 for the right digit: sure and wrong. This "
           "network is merely clueless."),
)  # fmt: skip

LESSON.ask(
    "one-epoch",
    "The network sees each of the 50,000 training images once. Of 10,000 new digits, how many will it get wrong?",
    Option("about 3,000", "That is where it stands after a hundred steps or so. There are more than 1,500."),
    Option("about 1,000", "The small loop above did better with 6,000 images: of 10,000 digits it would get some "
           "600 wrong. Now there are eight times as many images."),
    Option("about 100", "Around 99% right, after one look at each image. You will meet the worst of these "
           "hundred.", right=True),
    Option("about 1", "Some of these digits no person can read with certainty. You will meet them."),
)  # fmt: skip

LESSON.ask(
    "scrambled",
    "All images are scrambled: the 784 pixels trade places, in the same way in every image. Both networks are "
    "trained anew on the scrambled images. Who suffers?",
    Option("Both: nobody can read scrambled digits", "You cannot. But every pixel still tells what it told "
           "before, only from another place, and a dense network never knew where a pixel was."),
    Option("Only the dense network", "To a dense network the order of the inputs means nothing: its weights scramble "
           "along."),
    Option("Only the convolutional network", "It assumes that neighbors belong together. Scrambling takes the "
           "neighbors apart, so the assumption is wrong.", right=True),
    Option("Neither: the information is all there", "The information is, the neighborhood is not. A 3×3 window now "
           "looks at nine pixels from anywhere."),
)  # fmt: skip

LESSON.ask(
    "second-opinion",
    "The reference network of this series has the same layers and saw every training image ten times instead of once. "
    "Which of the network's mistakes does it get right?",
    Option("Hardly any: what is hard for one network is hard for every network", "For the hardest ten that is nearly "
           "so. But most of the mistakes are close calls, and more training decides them."),
    Option("More than half of all, but at most half of these ten", "Most of the mistakes were only a lack of training. "
           "The ten with the highest loss are another matter: most of them mislead it, too.", right=True),
    Option("Nearly all, these ten too", "It misreads only one test digit in two hundred. But these ten were chosen "
           "because they are the hardest of 10,000."),
)  # fmt: skip

LESSON.ask(
    "patient-b",
    "What is wrong with patient B?",
    Option("Its learning rate is too small", "It learned with the same rate as the healthy twin, which knew the same "
           "images by heart after a hundred steps."),
    Option("It has too few filters", "It has as many as the healthy twin."),
    Option("There is a ReLU behind its last layer", "No number below zero ever comes out, and a digit whose score is "
           "negative for every image gets the same 0.0 each time. There the slope of ReLU is 0, so no gradient comes "
           "through, and the digit stays dead. The cure is to take the ReLU out.", right=True),
    Option("Its labels are mixed up", "A network can learn 32 images with any labels by heart. And mixed labels would "
           "not keep its numbers from going below zero."),
)  # fmt: skip

LESSON.ask(
    "no-clear",
    "Nobody clears the gradients. What will the training loss of patient D do?",
    Option("The same as before: `backward()` computes the gradients anew each time", "It computes them anew, and then "
           "adds them to those that are there already."),
    Option("Fall faster: more gradient, longer steps", "The steps do get longer, but they follow gradients of batches "
           "long past, and nothing makes them shorter again."),
    Option("Nothing: an error message stops the loop", "PyTorch adds gradients on purpose, because some programs "
           "collect them over several batches. So it does not complain."),
    Option("Climb far above 2.3, where it began", "The sum of all gradients keeps growing and drives the weights "
           "away.", right=True),
)  # fmt: skip


@LESSON.check("softmax")
def softmax(function: Any) -> str:
    """A function of logits (N, classes) and a temperature."""
    for rng in trials():
        classes = int(rng.integers(4, 12))
        for rows, temperature in ((int(rng.integers(2, 4)), 1.0), (5, rng.uniform(0.3, 0.7)), (1, rng.uniform(2, 5))):
            logits = torch.from_numpy(3 * rng.normal(size=(rows, classes))).float()
            _compare_softmax(_softmax_of(function, logits, temperature), logits.double(), temperature)
        _survives(function, rng)
        if _optional(function):
            expect(
                call(function, logits),
                logits.double().softmax(1),
                otherwise="Without a temperature it should be the plain softmax: the default of `temperature` is 1.",
            )
    return (
        "Every row adds up to 1, whatever is added to its logits; a temperature below 1 sharpens, above 1 flattens, "
        "and the order of the classes never changes."
    )


def _softmax_of(function: Any, logits: Tensor, temperature: float) -> Any:
    """What the function makes of the logits; the two stumbles over ``dim`` get a hint of their own."""
    try:
        return call(function, logits, temperature)
    except RuntimeError as error:
        if "must match the size" not in str(error):
            raise
        raise Wrong(
            f"{str(error).split('.')[0].split(' at non-singleton')[0]}: a sum or a maximum over dim=1 has lost that "
            "axis. Keep it as a column, keepdim=True, and it can be subtracted from, or divide, every row."
        ) from None
    except TypeError as error:
        if "return_types" not in str(error):
            raise
        raise Wrong("`max(dim=1)` gives the largest values and their places, two tensors: add `.values`.") from None


def _survives(function: Any, rng: np.random.Generator) -> None:
    # So many classes that neither the first, nor the mean, nor the median of a row is as good as its largest.
    large = torch.tensor([[0.0] * 8 + [1000.0, 999.0], [-1000.0, -1001.0] * 5, [0.0, 1.0, 2.0, -3.0, 4.0] * 2])
    large = large[torch.from_numpy(rng.permutation(3))]
    for temperature in (1.0, 0.5):
        wanted = (large.double() / temperature).softmax(1)
        try:
            got = array(call(function, large, temperature), wanted.shape)
        except Wrong as wrong:
            if "NaN" not in str(wrong) and "infinity" not in str(wrong):
                raise
            raise Wrong(
                "With a logit of 1000 or −1000 it gives nan: exp overflows or vanishes. Subtract the largest logit "
                "of each row first, `dim=1`; the probabilities do not notice."
            ) from None
        # float32 knows 1000 to four decimals only, and a logarithm of such a sum is as coarse: 0.001 is fair here.
        expect(
            got,
            wanted,
            otherwise="Small logits come out right, logits of ±1000 do not: subtract the largest logit of each row "
            "before the exponential. Cutting them off or replacing nan changes the shares.",
            atol=1e-3,
        )


def _optional(function: Any) -> bool:
    """Whether the temperature has a default."""
    try:
        return list(inspect.signature(function).parameters.values())[1].default is not inspect.Parameter.empty
    except (TypeError, ValueError, IndexError):
        return False


def _compare_softmax(got: Any, z: Tensor, temperature: float) -> None:
    t, powers = temperature, (z / temperature).exp()
    best = F.one_hot(z.argmax(1), z.shape[1])
    mistakes = [
        ((z * t).softmax(1), "A high temperature should flatten, yours sharpens: divide the logits by it, do not "
         "multiply."),
        (z.softmax(1), "The temperature has no effect yet: divide the logits by it before the exponential."),
        (z.softmax(1) / t, "Divide the logits by the temperature, not the probabilities: those must still add up "
         "to 1."),
        (powers / powers.sum(), "The whole table adds up to 1. Every row has to: sum over dim=1, and keep that axis "
         "(keepdim=True)."),
        ((z / t).softmax(0), "Your columns add up to 1. A row is an image, so its classes have to: sum over dim=1."),
        ((-z / t).softmax(1), "The smallest logit gets the largest share: there is a minus too many in the "
         "exponent."),
        (best, "The winner takes all: that is the place of the largest logit. Softmax gives every class a share."),
        ((z / t).log_softmax(1), "These are the logarithms of the probabilities, and all of them negative: take the "
         "exponential."),
        (powers, "These are the exponentials. Divide them by the sum of their row, and they add up to 1."),
        (z / t / (z / t).sum(1, keepdim=True), "You divide the logits by their sum. Some are negative: take the "
         "exponential before you divide."),
        ((z / t).sigmoid(), "That is a sigmoid, a separate yes or no for each class: the shares of a row have to add "
         "up to 1."),
    ]  # fmt: skip
    read = array(got, what=f"probabilities of the same shape as the logits, {tuple(z.shape)}")
    if read.shape == z.shape and (read < -1e-6).any():
        otherwise = "Some of your probabilities are negative: take the exponential before you divide."
    elif read.shape == z.shape and np.abs(read.sum(1) - 1).max() > 1e-4:
        row = int(np.abs(read.sum(1) - 1).argmax())
        otherwise = f"Every row should add up to 1; row {row} of yours adds up to {read[row].sum():.3f}."
    else:
        otherwise = (
            "The rows add up to 1, but the shares are not right: exp(z / T), divided by the sum of the same "
            "exponentials of the row."
        )
    expect(read, (z / t).softmax(1), mistakes, otherwise)


@LESSON.check("training-step")
def training_step(function: Any) -> str:
    """A function of a network, images, labels and an optimizer that makes one step."""
    for rng, momentum in zip(trials(), (0.0, 0.9, 0.0, 0.9), strict=True):
        side, classes, rows = (int(n) for n in (rng.integers(3, 6), rng.integers(3, 7), rng.integers(8, 14)))
        start = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 8), nn.ReLU(), nn.Linear(8, classes))
        batches = [(torch.rand(rows, 1, side, side), torch.randint(classes, (rows,))) for _ in range(3)]
        _compare_steps(function, start, batches, momentum)
    return "Forward, loss, clear, backward, step: three steps with yours end on the very weights of the reference."


Batches = list[tuple[Tensor, Tensor]]


def _compare_steps(function: Any, start: nn.Module, batches: Batches, momentum: float) -> None:
    ours, wanted = _train(start, batches, momentum)
    model = copy.deepcopy(start)
    optimizer = _sgd(model, momentum)
    try:
        with _watched(model, optimizer, batches) as (events, modes):
            got = []
            for images, labels in batches:
                got.append(call(function, model, images, labels, optimizer, changes=(0, 3)))
                events.append("end")
    except (RuntimeError, TypeError) as error:
        if "inplace operation" in str(error):
            raise Wrong(_TOO_EARLY) from None
        if "'Long'" in str(error) or "cross_entropy_loss" in str(error):
            raise Wrong("The logits come first, then the labels: `F.cross_entropy(logits, labels)`.") from None
        raise
    if not modes:
        raise Wrong(
            "Your function shows nothing to the `model` that it is given: does it use a network of the notebook "
            "instead, by another name?"
        )
    if "other images" in modes:
        raise Wrong("The network gets other images than those your function is given.")
    if not all(module.training for module in model.modules()) or "evaluation" in modes:
        raise Wrong("Your step puts the network into evaluation mode: training needs it as it is, without `eval()`.")
    if not _alike(model, ours):
        _diagnose_steps(start, batches, model, events, momentum)
    for value in got:
        if isinstance(value, Tensor):
            why = ", and it keeps the whole computation in memory" if value.requires_grad else ", not a plain number"
            raise Wrong(f"The loss you return is a tensor{why}: `loss.item()`.")
    _, after = _train(start, batches, momentum, "loss after")
    rows = len(batches[0][1])
    expect(
        [number(value, "the loss of this batch, one number") for value in got],
        wanted,
        [
            (after, "That is the loss after the step: return the one that you went backward from."),
            (np.multiply(wanted, rows), f"That is the sum over the {rows} images; the loss is their mean."),
            (np.divide(wanted, rows), "You divide the loss by the number of images once more: it is a mean already."),
            (np.negative(wanted), "The sign of the loss is turned around."),
        ],
        "The weights move as they should, but the number you return is not the loss of this batch.",
    )


_TOO_EARLY = (
    "You step before you go backward: first `loss.backward()` computes the gradients for the weights as they are, then "
    "`optimizer.step()` uses them."
)


@contextlib.contextmanager
def _watched(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches
) -> Iterator[tuple[list[str], list[str]]]:
    """What happens inside: backward, step and the ends of the calls in order, and how the network was run."""
    events: list[str] = []
    modes: list[str] = []

    run = model.forward

    def forward(*inputs: Any, **named: Any) -> Any:
        images = batches[min(events.count("end"), len(batches) - 1)][0]
        known = not inputs or same(inputs[0], images)
        modes.append(("training" if model.training else "evaluation") if known else "other images")
        return run(*inputs, **named)

    with contextlib.ExitStack() as stack:
        vars(model)["forward"] = forward  # no hook, which `model.forward(images)` would pass by
        stack.callback(vars(model).pop, "forward")
        stack.callback(list(model.parameters())[-1].register_hook(lambda _: events.append("backward")).remove)
        stack.callback(optimizer.register_step_post_hook(lambda *_: events.append("step")).remove)
        yield events, modes


def _diagnose_steps(start: nn.Module, batches: Batches, got: nn.Module, events: list[str], momentum: float) -> NoReturn:
    still = _alike(got, start)
    first = events[: events.index("end")]
    if "backward" not in first:
        raise Wrong("No gradients are computed: call `loss.backward()` on the loss of the network you are given.")
    if "step" not in first:
        if not still:
            raise Wrong("The weights move, but not by the optimizer that you are given: call `optimizer.step()`.")
        raise Wrong("The gradients are there, but the weights have not moved: `optimizer.step()` is missing.")
    if first.index("step") < first.index("backward"):
        raise Wrong(_TOO_EARLY)
    if still:
        raise Wrong(
            "Backward and step are both there, and the weights have not moved: the gradients are cleared between the "
            "two. Clear them before `loss.backward()`."
        )
    for kind, hint in {
        "piling": "The gradients of earlier batches are still in there: backward() adds to what it finds. Call "
        "`optimizer.zero_grad()` before it, with its parentheses.",
        "softmax": "You give probabilities to the loss: cross entropy takes the logits and does the softmax itself.",
        "sum": "The loss is summed over the images, so a larger batch makes a larger step: take the mean.",
        "uphill": "You walk uphill: the sign of the loss is turned around.",
        "twice": "You call `optimizer.step()` twice for one batch.",
        "backward twice": "You go backward twice for one batch, and the second time adds to the first.",
        "again": "You make two whole steps for one batch.",
        "squares": "That is the mean of the squared errors: the loss of this lesson is cross entropy.",
    }.items():
        often = {"twice": "step", "backward twice": "backward"}.get(kind)
        if often and first.count(often) < 2:
            continue  # a loss that counts double leads to the same weights
        if _alike(_train(start, batches, momentum, kind)[0], got):
            raise Wrong(hint)
    raise Wrong(
        "After three steps the weights are not where they should be: forward, cross entropy, zero_grad, backward, "
        "step, each once."
    )


def _sgd(model: nn.Module, momentum: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.5 if not momentum else 0.1, momentum=momentum)


def _train(start: nn.Module, batches: Batches, momentum: float, kind: str = "right") -> tuple[nn.Module, list[float]]:
    """The network after the five lines for each batch, or after one of the ways to get them wrong, and the losses."""
    model = copy.deepcopy(start)
    optimizer, losses = _sgd(model, momentum), []

    def price(images: Tensor, labels: Tensor) -> Tensor:
        logits = model(images)
        if kind == "squares":
            return F.mse_loss(logits, F.one_hot(labels, logits.shape[1]).float())
        if kind == "softmax":
            logits = logits.softmax(1)
        loss = F.cross_entropy(logits, labels, reduction="sum" if kind == "sum" else "mean")
        return -loss if kind == "uphill" else loss

    for images, labels in batches:
        for _ in range(2 if kind == "again" else 1):
            loss = price(images, labels)
            if kind != "piling":
                optimizer.zero_grad()
            loss.backward(retain_graph=kind == "backward twice")
            if kind == "backward twice":
                loss.backward()
            optimizer.step()
            if kind == "twice":
                optimizer.step()
        losses.append((price(images, labels) if kind == "loss after" else loss).item())
    return model, losses


def _alike(a: nn.Module, b: nn.Module) -> bool:
    return all(same(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@LESSON.check("flatten-size")
def flatten_size(network: Any) -> str:
    """A network: patient A, mended."""
    for case in _cases(network, size=5):
        _nothing_behind(case)
    return (
        "28 → 26 → 13 → 9 → 4: Flatten delivers 32 maps of 4×4, which makes 512 numbers, and that is what Linear gets."
    )


@LESSON.check("double-softmax")
def double_softmax(network: Any, loss_function: Any) -> str:
    """A network and a loss function: patient C, mended."""
    if isinstance(loss_function, type):
        raise Wrong(f"{loss_function.__name__} is a class: put parentheses behind it to make a loss function of it.")
    if isinstance(network, nn.modules.loss._Loss):
        raise Wrong("The network comes first, then the loss function.")
    if not callable(loss_function):
        raise Wrong("The loss function should be callable, such as `nn.CrossEntropyLoss()` or `F.cross_entropy`.")
    for case in _cases(network, size=3, runs=((12, 20), (24, 2), (16, 2))):
        z, output = case.logits, case.output
        if float(z.std()) > 10 and any(
            same(*pair, atol=1e-4) for pair in ((output, z), (output, z.softmax(1)), (output.exp(), z.softmax(1)))
        ):
            continue  # a small number added before the logarithm is fair, and counts where a share is next to nothing
        several = [torch.randint(10, (len(case.logits),)) for _ in range(3)]  # one loss may be another's by luck
        _compare_losses(case, several, [_loss_of(loss_function, case.output, labels) for labels in several])
    if same(case.output, case.logits):
        return "One softmax, inside the loss. The floor of 1.461 is gone: the loss can now fall to zero."
    if same(case.output, case.logits.log_softmax(1), atol=1e-4):
        labels = several[0]
        if same(_loss_of(loss_function, case.logits, labels), F.cross_entropy(case.logits, labels), atol=1e-4):
            return (
                "The loss is right. It takes a softmax of its own, though, and yours is superfluous: LogSoftmax with "
                "NLLLoss is the pair, or plain logits with CrossEntropyLoss. (A softmax of logarithms gives the "
                "probabilities back, so the second one does no harm here.)"
            )
        return (
            "One softmax, in the network, and its logarithm goes into the loss: the same number as logits with "
            "CrossEntropyLoss."
        )
    return "One softmax between the logits and the loss, and its logarithm: the loss can now fall to zero."


def _loss_of(function: Any, output: Tensor, labels: Tensor) -> Any:
    own = type(function) if isinstance(function, nn.Module) else function
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other shapes; the hint says it
            return call(function, output, labels, changes=(0,))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if not str(getattr(own, "__module__", "")).startswith("torch"):
            raise
        if own in (nn.MSELoss, F.mse_loss):
            raise Wrong(
                "The mean squared error compares numbers with numbers of the same shape. For classes the loss is "
                "minus the logarithm of the right share."
            ) from None
        raise Wrong(
            f"This loss function does not take the network's output of shape {tuple(output.shape)} and the "
            f"{len(labels)} labels: {type(error).__name__}: {str(error).splitlines()[0].rstrip('.')}."
        ) from None


def _compare_losses(case: Case, several: list[Tensor], losses: list[Any]) -> None:
    z, labels, loss = case.logits, several[0], losses[0]
    rows = len(labels)
    if getattr(loss, "shape", None) == (rows,):
        raise Wrong(f"The loss function returns {rows} losses, one for each image; training wants their mean.")
    shares = z.softmax(1)

    def each(function: Callable[[Tensor, Tensor], Tensor], scores: Tensor) -> np.ndarray:
        return np.array([float(function(scores, labels)) for labels in several])

    wanted = each(F.cross_entropy, z)
    values = [number(value, "a loss function that returns one number") for value in losses]
    expect(
        values,
        wanted,
        [
            (each(F.cross_entropy, shares), "The softmax is still taken twice, once by the network and once by the "
             "loss: leave one of them out."),
            (each(F.nll_loss, shares), "NLLLoss wants logarithms of probabilities and gets probabilities: the loss is "
             "even negative. Either LogSoftmax with NLLLoss, or plain logits with CrossEntropyLoss."),
            (each(F.nll_loss, z), "Now nobody takes the softmax: NLLLoss takes its input for logarithms of "
             "probabilities. Logits go to CrossEntropyLoss."),
            (each(F.cross_entropy, z.relu()), "Patient B's illness: a ReLU between the logits and the loss."),
            (wanted * rows, "The loss is the sum over the images: take the mean, or the step grows with the batch."),
            (-wanted, "The sign of the loss is turned around: training would make it worse and worse."),
        ],
        f"For a batch the cross entropy of the logits is {wanted[0]:.3f}; your pair says {values[0]:.3f}. Exactly one "
        "softmax, and its logarithm, must lie between logits and loss, and nothing else.",
        atol=1e-4,
    )  # fmt: skip
    if not getattr(loss, "requires_grad", False):
        raise Wrong(
            "The loss is a number without a way back: `backward()` needs the tensor itself, without `item()` or "
            "`detach()`."
        )
    (gradient,) = torch.autograd.grad(loss, case.bias, retain_graph=True, allow_unused=True)
    if gradient is None or not same(gradient, (shares - F.one_hot(labels, 10)).mean(0), atol=1e-4):
        raise Wrong(
            "The number is nearly right for a batch, but its gradient is not: something more goes into the loss, or "
            "something is cut off on the way by `detach()`."
        )


# The patients: judged by what they compute, whatever they look like ---------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One run of a student's network with fresh weights.

    Attributes:
        logits: what the last linear layer of a healthy network with these weights says, (N, 10).
        output: what the student's network returns, with its gradient, (N, 10).
        bias: the ten biases of the last layer.
        when: ``" in evaluation mode"``, or nothing.
    """

    logits: Tensor
    output: Tensor
    bias: Tensor
    when: str


class _Seen(TorchDispatchMode):
    """Keeps every tensor of real numbers that is computed inside, whoever computes it."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: list[Tensor] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else (result,):
            if isinstance(part, Tensor) and part.is_floating_point():
                self.tensors.append(part.detach().clone())  # a later operation may write into it
        return result

    def __contains__(self, wanted: Tensor) -> bool:
        return any(t.numel() == wanted.numel() and same(t.flatten(), wanted.flatten(), 1e-4) for t in self.tensors)


def _cases(answer: Any, size: int, runs: Sequence[tuple[int, float]] = ((12, 2), (1, 60))) -> Iterator[Case]:
    """Run a mended patient on random images with random weights, and demand that it reaches the logits.

    The reference is written here once, with the weights that the student's network really uses; so a class, a
    Sequential, one shared ReLU or functions are all the same, and a layer that is defined but not used does not count.

    Args:
        answer: the student's network.
        size: of the second convolution's filters.
        runs: for each how many images the batch has, and the spread of its logits.
    """
    if isinstance(answer, type) or not isinstance(answer, nn.Module):
        raise Wrong("This should be a network, such as `nn.Sequential(...)`, with all its layers.")
    kept = [value for module in answer.modules() for value in vars(module).values() if isinstance(value, Tensor)]
    # A tensor that the network keeps from its last run cannot be copied with its history.
    network = copy.deepcopy(answer, {id(value): value.detach().clone() for value in kept}).cpu().float()
    _output(network, torch.rand(2, 1, 28, 28))  # a lazy layer counts now
    network.train().requires_grad_(True)
    weights = _weights(network, size)
    for mode in (True, False):
        network.train(mode)
        for many, spread in runs:
            images = torch.rand(many, 1, 28, 28)
            _draw(weights, images, spread)
            with _Seen() as seen:
                output = _output(network, images)
            if not same(output, _output(network, images), 1e-4):
                raise Wrong(
                    "The same images get another answer each time: something is drawn at random, such as a dropout. "
                    "The patient has none; only one line is ill."
                )
            when = "" if mode else " in evaluation mode"
            logits = _stages(weights, images)[-1]
            if logits not in seen:
                _diagnose(weights, images, seen, when)
            yield Case(logits, output, weights[5], when)


def _output(network: nn.Module, images: Tensor) -> Tensor:
    try:
        output = call(network, images)
    except RuntimeError as error:
        if "shapes cannot be multiplied" not in str(error):
            raise
        rows, arrive, expected = (int(n) for n in re.findall(r"\d+", str(error))[-4:][:3])
        if rows != len(images):
            raise Wrong(
                f"The linear layer gets {rows} rows of {arrive} numbers for {len(images)} images: each image has to "
                "become one row first, `nn.Flatten()`."
            ) from None
        raise Wrong(
            f"Still the same complaint: {arrive} numbers per image arrive at a linear layer that expects {expected}. "
            "Walk through the layers: 28 → 26 → 13 → ? → ?, and then count channels × height × width."
        ) from None
    if not isinstance(output, Tensor) or output.shape != (len(images), 10):
        form = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        many = "1 digit" if len(images) == 1 else f"{len(images)} digits"
        raise Wrong(f"{many} should give ten logits each, shape ({len(images)}, 10); the network gives {form}.")
    return output


def _weights(network: nn.Module, size: int) -> list[Tensor]:
    """Weight and bias of both convolutions and of the linear layer, as far as the output depends on them."""
    output = _output(network, torch.rand(2, 1, 28, 28))
    parameters = list(network.parameters())
    if not parameters or not output.requires_grad:
        raise Wrong("Nothing in this network can learn: its output does not depend on weights that have a gradient.")
    found = torch.autograd.grad(output.sum(), parameters, allow_unused=True)
    used = [p for p, gradient in zip(parameters, found, strict=True) if gradient is not None]
    side = {5: 4, 3: 5}[size]
    last = [
        p for p in used if p.ndim == 2 or p.shape == (10, 32, side, side)
    ]  # the second is the same, as a convolution
    convolutions = [p for p in used if p.ndim == 4 and p.shape != (10, 32, side, side)]
    if sorted(tuple(p.shape) for p in convolutions) != [(16, 1, 3, 3), (32, 16, size, size)]:
        filters = (f"{len(p)} filter{'s' * (len(p) != 1)} of {'×'.join(map(str, p.shape[1:]))}" for p in convolutions)
        raise Wrong(
            f"You changed the patient's eyes: its convolutions have 16 filters of 1×3×3, then 32 filters of 16×{size}×"
            f"{size}. At work in yours: {', then '.join(filters) or 'none'}. Only one line is ill."
        )
    if len(last) != 1:
        raise Wrong(
            f"There are {len(last) or 'no'} linear layers at work: the patient has one, from its maps to the scores."
        )
    if last[0].numel() != 10 * 32 * side * side:
        raise Wrong(
            f"It runs, but {last[0].numel() // 10} numbers per image arrive at the linear layer, and the healthy maps "
            "hold another number. Padding, strides and poolings stay as they are: do not make the maps fit the linear "
            "layer, make the linear layer fit the maps."
        )
    biases = {len(p): p for p in used if p.ndim == 1}
    if sorted(len(p) for p in used if p.ndim == 1) != [10, 16, 32]:
        raise Wrong(
            "Both convolutions and the linear layer have a bias, and there are no other weights: yours has "
            f"{sum(p.numel() for p in used if p.ndim == 1)} numbers of that kind instead of 58. Only one line is ill."
        )
    one, two = sorted(convolutions, key=len)
    return [one, biases[16], two, biases[32], last[0], biases[10]]


def _draw(weights: list[Tensor], images: Tensor, spread: float) -> None:
    """Fresh weights with which about half of all responses are negative, and the logits have this spread."""
    with torch.no_grad():
        for weight, bias in zip(weights[::2], weights[1::2], strict=True):
            weight.normal_().mul_(2 * (len(weight) / weight.numel()) ** 0.5)
            bias.normal_()
        logits = _stages(weights, images)[-1]
        for last in weights[4:]:
            last.mul_(spread / logits.std())


def _stages(
    weights: list[Tensor],
    images: Tensor,
    relus: Sequence[Callable[[Tensor], Tensor]] = (F.relu, F.relu),
    pool: Callable[[Tensor, int], Tensor] = F.max_pool2d,
) -> list[Tensor]:
    """What a healthy network computes on its way: response and pooled map of both convolutions, and the logits."""
    one, bias1, two, bias2, last, bias3 = (w.detach() for w in weights)
    first = F.conv2d(images, one, bias1)
    second = pool(relus[0](first), 2)
    third = F.conv2d(second, two, bias2)
    fourth = pool(relus[1](third), 2)
    last = last.flatten(1) if len(last) == 10 else last.T
    return [first, second, third, fourth, F.linear(fourth.flatten(1), last, bias3)]


def _diagnose(weights: list[Tensor], images: Tensor, seen: _Seen, when: str) -> NoReturn:
    """Say what differs between the images and the last linear layer."""

    def nothing(x: Tensor) -> Tensor:
        return x

    missing = {"both convolutions": (nothing, nothing), "the first convolution": (nothing, F.relu),
               "the second convolution": (F.relu, nothing)}  # fmt: skip
    for where, relus in missing.items():
        if _stages(weights, images, relus)[-1] in seen:
            raise Wrong(
                f"You removed too much: the ReLU behind {where} is healthy, and{when} it is missing, or defined and "
                "not used. Without it two layers collapse into one. Only one line is ill."
            )
    for other in (F.leaky_relu, F.gelu, F.elu, F.silu, torch.tanh, torch.sigmoid, F.softplus):
        if _stages(weights, images, (other, other))[-1] in seen:
            raise Wrong("The patient has a ReLU behind each convolution; yours has another function there.")
    if _stages(weights, images, pool=F.avg_pool2d)[-1] in seen:
        raise Wrong("The patient takes the maximum of each window; yours takes the mean. Only one line is ill.")
    parts = ("the first convolution", "the ReLU and the pooling behind it", "the second convolution",
             "the ReLU and the pooling behind the second convolution",
             "the linear layer")  # fmt: skip
    where = next(part for part, stage in zip(parts, _stages(weights, images), strict=True) if stage not in seen)
    raise Wrong(
        f"It runs, but{when} it does not compute what the patient computes, and the first thing that differs is "
        f"{where}: compare it with the patient, the size, stride and padding too. Only one line is ill."
    )


def _nothing_behind(case: Case) -> None:
    """Demand that the network returns its logits."""
    z, output = case.logits, case.output
    if same(output, z, 1e-4):
        return
    for value, hint in (
        (z.relu(), "There is still a ReLU behind the last linear layer{when}: no score can be negative, and a score "
         "that is zero for every image gets no gradient, for ever."),
        (z.softmax(1), "There is a softmax at the end{when}, another illness: the loss brings its own softmax and "
         "wants the logits as they are."),
        (z.log_softmax(1), "There is a log-softmax at the end{when}: the logits should come out as they are, the "
         "loss does the rest."),
    ):  # fmt: skip
        if same(output, value, 1e-4) and not same(value, z, 1e-4):
            raise Wrong(hint.format(when=case.when))
    place = int((output - z).abs().argmax())
    raise Wrong(
        f"Something comes behind the last linear layer{case.when}: where it says {z.flatten()[place]:.2f} the network "
        f"returns {output.flatten()[place]:.2f}. A logit may be any number, large, small or negative: let nothing come "
        "after it."
    )
