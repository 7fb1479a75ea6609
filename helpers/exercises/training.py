"""Questions and checks of the lesson "Train a convolutional network"."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from helpers.exercises.core import Lesson, Option, Wrong, call

LESSON = Lesson("training")

LESSON.ask(
    "where-parameters",
    "225,034 numbers will be learned. Which layer holds most of them?",
    Option("conv1, the first convolution", "It has 32 filters of 3×3 and 32 biases: 320 numbers. It looks at every "
           "place of the image with the same few weights."),
    Option("conv2, the second convolution", "64 filters of 32×3×3 make 18,496. Sharing keeps that small, although it "
           "does most of the arithmetic."),
    Option("hidden, the first dense layer", "1,600 inputs times 128 units, plus 128 biases: 204,928, nine tenths of "
           "the network. Nothing is shared there.", right=True),
    Option("output, the second dense layer", "128 times 10, plus 10: 1,290. Few, since few go in and few come out."),
)  # fmt: skip

LESSON.ask(
    "untrained",
    "All weights are random. What does the network do with 10,000 test digits?",
    Option("It refuses: it has learned nothing yet", "A network never refuses. It multiplies and adds whatever its "
           "weights are, and some score is always the largest."),
    Option("It guesses, and each digit comes up about equally often", "The accuracy is that of a guess, but the "
           "answers are not spread evenly: random weights have a taste, and it hardly depends on the image."),
    Option("About 10 % right, and it says nearly always the same few digits", "All ten scores are nearly equal, "
           "and one or two of them happen to be a little larger for every image. They win again and "
           "again.", right=True),
    Option("0 % right", "To be always wrong it would have to know the right answers."),
)  # fmt: skip

LESSON.ask(
    "shift",
    "You add 100 to every logit. What happens to the probabilities?",
    Option("They all become 1", "They cannot: they are shares of one whole, and shares add up to 1."),
    Option("The largest one grows, the others shrink", "That is what multiplying does, or a low temperature. "
           "Adding the same to all leaves every difference as it was."),
    Option("Nothing", "exp(z + 100) = exp(z) · exp(100): every term grows by the same factor, and the division "
           "takes it out again. Only differences between logits count.", right=True),
)  # fmt: skip

LESSON.ask(
    "first-loss",
    "The untrained network gives every digit about 10 %. Which loss do you expect, averaged over many images?",
    Option("about 0.1", "0.1 is the probability. The loss is minus its logarithm."),
    Option("about 0.9", "0.9 is what is missing to certainty. The loss punishes more steeply: minus the logarithm."),
    Option("about 2.3", "−log(0.1) = log(10) = 2.303. If the first number on your screen is far from it, something is "
           "wrong before anything was learned.", right=True),
    Option("about 10", "A loss of 10 would mean a probability of 0.00005 for the right digit: sure and wrong. This "
           "network is merely clueless."),
)  # fmt: skip

LESSON.ask(
    "one-epoch",
    "The network sees each of the 50,000 training images once. Of 10,000 new digits, how many will it get wrong?",
    Option("about 3,000", "That is where it stands after a few dozen steps. There are more than 1,500 of them."),
    Option("about 1,000", "The small loop above came close to that with 6,000 images. Now there are eight times as "
           "many."),
    Option("about 100", "Around 99 % right, after one look at each image. The rest of this lesson is about "
           "these hundred.", right=True),
    Option("about 1", "Some of these digits no person can read with certainty. You will meet them."),
)  # fmt: skip

LESSON.ask(
    "scrambled",
    "All images are scrambled: the 784 pixels change places, in every image in the same way. Both networks are "
    "trained anew on the scrambled images. Who suffers?",
    Option("Both: nobody can read scrambled digits", "You cannot. But every pixel still tells what it told "
           "before, only from another place, and a dense network never knew where a pixel was."),
    Option("Only the dense network", "To a dense network the order of the inputs means nothing: its weights scramble "
           "along."),
    Option("Only the convolutional network", "It bets that neighbors belong together. Scrambling takes the neighbors "
           "apart, and the bet is lost.", right=True),
    Option("Neither: the information is all there", "The information is, the neighborhood is not. A 3×3 window now "
           "looks at nine pixels from anywhere."),
)  # fmt: skip


@LESSON.check("softmax")
def _softmax(function: Any) -> str:
    for rows, classes, temperature in ((4, 10, 1.0), (1, 3, 1.0), (7, 5, 0.5), (3, 10, 4.0)):
        logits = 3 * torch.randn(rows, classes)
        given = logits.clone()
        got = call(function, logits, temperature)
        if not torch.equal(given, logits):
            raise Wrong("Your function changes the logits it is given: compute with a new tensor, not in place.")
        _compare_softmax(got, logits, temperature)
    large = torch.tensor([[1000.0, 999.0, 0.0], [-1000.0, -1001.0, -1000.0]])
    got = call(function, large, 1.0)
    if not torch.isfinite(got).all():
        raise Wrong(
            "With a logit of 1000 or −1000 it gives nan: exp overflows or vanishes. Subtract the largest logit of "
            "each row first; the probabilities do not notice."
        )
    if not torch.allclose(got, torch.softmax(large, 1), atol=1e-5):
        raise Wrong(
            "With logits of ±1000 the rows are wrong: subtract the largest of each row, not of the whole table."
        )
    return (
        "Every row adds up to 1, whatever is added to its logits; a temperature below 1 sharpens, above 1 flattens, "
        "and the order of the classes never changes."
    )


def _compare_softmax(got: Any, logits: Tensor, temperature: float) -> None:
    if not isinstance(got, Tensor) or got.shape != logits.shape:
        shape = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
        raise Wrong(f"For logits of shape {tuple(logits.shape)} the probabilities have the same shape; yours: {shape}.")
    if torch.allclose(got, torch.softmax(logits / temperature, 1), atol=1e-5):
        return
    if temperature != 1 and torch.allclose(got, torch.softmax(logits * temperature, 1), atol=1e-5):
        raise Wrong("A high temperature should flatten, yours sharpens: divide the logits by it, do not multiply.")
    if temperature != 1 and torch.allclose(got, torch.softmax(logits, 1), atol=1e-5):
        raise Wrong("The temperature has no effect yet: divide the logits by it before the exponential.")
    if temperature != 1 and torch.allclose(got, torch.softmax(logits, 1) / temperature, atol=1e-5):
        raise Wrong("Divide the logits by the temperature, not the probabilities: those must still add up to 1.")
    if len(logits) > 1 and torch.allclose(got.sum(), torch.ones(()), atol=1e-4):
        raise Wrong(
            "The whole table adds up to 1. Every row has to: sum over dim=1, and keep that axis (keepdim=True)."
        )
    if len(logits) > 1 and torch.allclose(got.sum(0), torch.ones(logits.shape[1]), atol=1e-4):
        raise Wrong("Your columns add up to 1. A row is an image, so its classes have to: sum over dim=1.")
    if (got < 0).any():
        raise Wrong("Some of your probabilities are negative: take the exponential before you divide.")
    raise Wrong(
        f"The rows should add up to 1; the first of yours adds up to {got[0].sum().item():.3f}, and not all shares "
        "are right: exponentials, divided by the sum of the exponentials."
    )


@LESSON.check("training-step")
def _training_step(function: Any) -> str:
    start = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))
    batches = [(torch.rand(12, 1, 4, 4), torch.randint(4, (12,))) for _ in range(3)]
    ours, wanted = _copy(start), []
    for images, labels in batches:
        wanted.append(_reference_step(*ours, images, labels))
    theirs = _copy(start)
    try:
        got = [call(function, theirs[0], images, labels, theirs[1]) for images, labels in batches]
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        raise Wrong(
            "You step before you go backward: the weights change while the way back still needs the old ones, and the "
            "step uses the gradient of the batch before."
        ) from None
    if any(isinstance(value, Tensor) for value in got):
        raise Wrong("The loss you return is a tensor, and it keeps the whole computation in memory: `loss.item()`.")
    if _same(theirs[0], ours[0]):
        if not all(abs(a - b) < 1e-4 for a, b in zip(got, wanted, strict=True)):
            raise Wrong("The weights move as they should, but the number you return is not the loss of this batch.")
        return "Forward, loss, clear, backward, step: three steps with yours end on the very weights of the reference."
    _diagnose_step(start, batches, theirs[0])
    raise Wrong(
        "After three steps the weights are not where they should be: forward, cross entropy, zero_grad, backward, "
        "step, each once."
    )


def _diagnose_step(start: nn.Module, batches: list[tuple[Tensor, Tensor]], got: nn.Module) -> None:
    if _same(got, start):
        grads = [p.grad for p in got.parameters()]
        if all(g is None for g in grads) or not any(g.any() for g in grads if g is not None):
            raise Wrong(
                "The weights have not moved, and there are no gradients: call `loss.backward()`, and clear the "
                "gradients before it, not between it and the step."
            )
        raise Wrong("The gradients are there, but the weights have not moved: `optimizer.step()` is missing.")
    for kind, hint in {
        "piling": "The gradients of earlier batches are still in there: backward() adds to what it finds. Call "
        "`optimizer.zero_grad()` before it.",
        "softmax": "You give probabilities to the loss: cross entropy takes the logits and does the softmax itself.",
    }.items():
        model, optimizer = _copy(start)
        for images, labels in batches:
            _reference_step(model, optimizer, images, labels, kind)
        if _same(model, got):
            raise Wrong(hint)


def _copy(model: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer]:
    twin = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))
    twin.load_state_dict(model.state_dict())
    return twin, torch.optim.SGD(twin.parameters(), lr=0.5)


def _reference_step(model: nn.Module, optimizer: Any, images: Tensor, labels: Tensor, kind: str = "right") -> float:
    """The five lines, or one of the ways to get them wrong."""
    logits = model(images)
    loss = F.cross_entropy(logits.softmax(1) if kind == "softmax" else logits, labels)
    if kind != "piling":
        optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.allclose(p, q, atol=1e-5) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@LESSON.check("flatten-size")
def _flatten_size(network: Any) -> str:
    network = copy.deepcopy(network)
    layers = _layers(network)
    kernels = [m.kernel_size[0] for m in layers if isinstance(m, nn.Conv2d)]
    try:
        _run(network)
    except RuntimeError as error:
        if "shapes cannot be multiplied" in str(error):
            last = next(m for m in layers if isinstance(m, nn.Linear))
            raise Wrong(
                f"Still the same complaint: the linear layer expects {last.in_features} numbers per image. Walk "
                "through the layers: 28 → 26 → 13 → ? → ?, and then count channels × height × width."
            ) from None
        raise
    if kernels != [3, 5]:
        raise Wrong(
            "It runs, but you changed the patient's eyes: keep the convolutions (3×3, then 5×5) and mend the layer "
            "that counts wrong."
        )
    _whole(layers, relus=2)
    return (
        "28 → 26 → 13 → 9 → 4: Flatten delivers 32 maps of 4×4, which makes 512 numbers, and that is what Linear gets."
    )


@LESSON.check("relu-on-logits")
def _relu_on_logits(network: Any) -> str:
    network = copy.deepcopy(network)
    layers = _layers(network)
    _run(network)
    last = layers[-1]
    if isinstance(last, nn.ReLU):
        raise Wrong(
            "There is still a ReLU behind the last linear layer: no score can be negative, and a score that is zero "
            "for every image gets no gradient, for ever."
        )
    if isinstance(last, nn.Softmax | nn.LogSoftmax | nn.Softmin):
        raise Wrong(
            f"{type(last).__name__} at the end is another illness: the loss brings its own softmax and wants the "
            "logits as they are."
        )
    if not isinstance(last, nn.Linear):
        raise Wrong(
            f"The last layer is {type(last).__name__}. A logit may be any number, large, small or negative: let "
            "nothing come after the last linear layer."
        )
    _whole(layers, relus=2)
    return "The scores may be negative now: saying no to a digit is half of saying yes to another, and no class dies."


@LESSON.check("double-softmax")
def _double_softmax(network: Any, loss_function: Any) -> str:
    network = copy.deepcopy(network)
    layers = _layers(network)
    linear = [m for m in layers if isinstance(m, nn.Linear)]
    if isinstance(loss_function, type):
        raise Wrong(f"{loss_function.__name__} is a class: put parentheses behind it to make a loss function of it.")
    if not callable(loss_function):
        raise Wrong("The loss function should be callable, such as `nn.CrossEntropyLoss()` or `F.cross_entropy`.")
    labels = torch.randint(10, (64,))
    _run(network)
    seen = []
    linear[-1].register_forward_hook(lambda *parts: seen.append(parts[2]))
    with torch.no_grad():
        for parameter in linear[-1].parameters():  # larger scores, so that the candidates below differ clearly
            parameter.mul_(5)
        got = float(loss_function(network(torch.rand(64, 1, 28, 28)), labels))
    logits = seen[0]
    _whole(layers, relus=2)

    def like(value: Tensor) -> bool:
        return abs(got - float(value)) < 1e-4

    if like(F.cross_entropy(logits, labels)):
        if isinstance(layers[-1], nn.LogSoftmax):
            return (
                "One softmax, in the network, and its logarithm goes into the loss: the same number as logits with "
                "CrossEntropyLoss."
            )
        return "One softmax, inside the loss. The floor of 1.461 is gone: the loss can now fall to zero."
    if like(F.cross_entropy(logits.softmax(1), labels)):
        raise Wrong(
            "The softmax is still taken twice, once by the network and once by the loss: leave one of them out."
        )
    if like(F.nll_loss(logits.softmax(1), labels)):
        raise Wrong(
            "NLLLoss wants logarithms of probabilities and gets probabilities: the loss is even negative. Either "
            "LogSoftmax with NLLLoss, or plain logits with CrossEntropyLoss."
        )
    if like(F.nll_loss(logits, labels)):
        raise Wrong(
            "Now nobody takes the softmax: NLLLoss takes its input for logarithms of probabilities. Logits go to "
            "CrossEntropyLoss."
        )
    raise Wrong(
        f"For this batch the cross entropy of the logits is {float(F.cross_entropy(logits, labels)):.3f}; your pair "
        f"says {got:.3f}. Exactly one softmax, and its logarithm, must lie between logits and loss."
    )


def _layers(network: Any) -> list[nn.Module]:
    """The layers of a student's network in order, or a hint."""
    if isinstance(network, type) or not isinstance(network, nn.Module):
        raise Wrong("This should be a network, such as `nn.Sequential(...)`, with all its layers.")

    def leaves(module: nn.Module) -> Iterator[nn.Module]:
        children = list(module.children())
        for child in children:
            yield from leaves(child)
        if not children:
            yield module

    layers = list(leaves(network))
    if not any(isinstance(m, nn.Linear) for m in layers):
        raise Wrong("There is no linear layer left: the patient needs all its organs, only one line of it is ill.")
    return layers


def _run(network: nn.Module) -> None:
    network.eval()
    with torch.no_grad():
        shape = tuple(network(torch.rand(2, 1, 28, 28)).shape)
    if shape != (2, 10):
        raise Wrong(f"Two digits should give ten logits each, shape (2, 10); they give {shape}.")


def _whole(layers: list[nn.Module], relus: int) -> None:
    """The rest of the patient is as it was."""
    kept = sum(isinstance(m, nn.ReLU) for m in layers)
    if kept < relus:
        raise Wrong(
            f"You removed too much: the {relus} ReLUs between the layers are healthy, without them two layers "
            "collapse into one; only one line is ill."
        )
    if kept > relus:
        raise Wrong(f"There are {kept} ReLUs, the healthy network has {relus}: one behind each convolution.")
    if sum(isinstance(m, nn.Conv2d) for m in layers) != 2 or sum(isinstance(m, nn.MaxPool2d) for m in layers) != 2:
        raise Wrong("The patient has two convolutions and two poolings: keep them all, only one line is ill.")
