"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import inspect
import json
import math
import re

import numpy as np
import pytest
import torch
from scipy import special
from torch import nn
from torch.nn import functional as F

from helpers.exercises import check
from helpers.exercises.training import LESSON
from helpers.network import models, training
from tests.lessons.common import endless
from tools import ROOT, lessons


def patient(*end, size=3, flat=800, relu=nn.ReLU, width=10):
    """The network of the exercises with something wrong in it."""
    middle = [nn.MaxPool2d(2), nn.Conv2d(16, 32, size)]
    body = [nn.Conv2d(1, 16, 3), relu(), *middle, relu(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(flat, width)]
    return nn.Sequential(*body, *end)


class Net(nn.Module):
    """The patients as a class that defines its layers in another order than it uses them."""

    def __init__(self, size=3, end=lambda x: x, relus=(F.relu, F.relu), pool_first=False, mode=None, **second):
        super().__init__()
        self.fc = nn.Linear(512 if size == 5 else 800, 10)
        self.pool = nn.MaxPool2d(2)
        self.relu = nn.ReLU()  # defined, and used only where `relus` says so
        self.conv2 = nn.Conv2d(16, 32, size, **second)
        self.conv1 = nn.Conv2d(1, 16, 3)
        self.end, self.relus, self.pool_first, self.mode = end, relus, pool_first, mode

    def forward(self, x):
        """The scores."""
        for conv, relu in zip((self.conv1, self.conv2), self.relus, strict=True):
            x = relu(self.pool(conv(x))) if self.pool_first else self.pool(relu(conv(x)))
        x = self.end(self.fc(x.flatten(1)))
        return x if self.mode is None else self.mode(self, x)


class Shared(Net):
    """The patients with one shared ReLU, wherever `ill` also at the end."""

    def __init__(self, size=3, ill=False):
        super().__init__(size)
        self.ill = ill

    def forward(self, x):
        """The scores."""
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = self.fc(torch.flatten(x, 1))
        return self.relu(x) if self.ill else x


class ByHand(nn.Module):
    """The patients without a single module: weights and functions."""

    def __init__(self, size=3):
        super().__init__()
        side = {3: 5, 5: 4}[size]
        shapes = {"a": (16, 1, 3, 3), "b": (32, 16, size, size), "c": (32 * side**2, 10)}
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.randn(shape)))
            setattr(self, name + "0", nn.Parameter(torch.zeros(shape[1] if name == "c" else shape[0])))

    def forward(self, x):
        """The scores."""
        x = F.conv2d(x, self.a, self.a0).clamp(min=0)
        x = F.conv2d(F.max_pool2d(x, 2), self.b, self.b0)
        x = torch.maximum(F.max_pool2d(x, 2), torch.zeros(()))
        return x.reshape(len(x), -1) @ self.c + self.c0


def shared_modules(size=3, *end):
    """A Sequential in which one ReLU and one pooling stand twice."""
    relu, pool = nn.ReLU(inplace=True), nn.MaxPool2d(2)
    flat = 512 if size == 5 else 800
    return nn.Sequential(
        nn.Conv2d(1, 16, 3), relu, pool, nn.Conv2d(16, 32, size), relu, pool, nn.Flatten(), nn.Linear(flat, 10), *end
    )


def layers(*middle, size=3, flat=800):
    """The patient with other layers between the first pooling and the linear layer."""
    first = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*first, *middle, nn.Flatten(), nn.Linear(flat, 10))


def second(size, pool=None, **options):
    """The second convolution, its ReLU and its pooling."""
    return nn.Conv2d(16, 32, size, **options), nn.ReLU(), nn.MaxPool2d(2) if pool is None else pool


def fully_convolutional(size, side):
    """A linear layer can be written as a convolution over the whole map."""
    return nn.Sequential(patient(size=size)[:-2], nn.Conv2d(32, 10, side), nn.Flatten())


def no_bias(size=3):
    """The patient whose second convolution has no bias."""
    return Net(size, bias=False)


def frozen_output():
    """A patient whose scores have no way back."""
    return Net(end=lambda x: x.detach())


def exponential_shares(dim=1, safe=False, temperature="divide"):
    """Softmax, with mistakes to choose."""

    def softmax(logits, t=1.0):
        z = {"divide": logits / t, "multiply": logits * t}.get(temperature, logits)
        powers = torch.exp(z - z.max() if safe else z)
        shares = powers / (powers.sum() if dim is None else powers.sum(dim=dim, keepdim=True))
        return shares / t if temperature == "after" else shares

    return softmax


def shifted(by, kind=torch.float64):
    """Softmax with another number than the largest of each row subtracted."""

    def softmax(logits, t=1.0):
        z = logits.to(kind) / t
        powers = torch.exp(z - by(z))
        return powers / powers.sum(dim=1, keepdim=True)

    return softmax


def stable(dim=1, base=math.e):
    """Softmax that survives large logits, over this dimension and to this base."""

    def softmax(logits, t=1.0):
        z = logits / t
        powers = base ** (z - z.max(dim=dim, keepdim=True).values)
        return powers / powers.sum(dim=dim, keepdim=True)

    return softmax


def in_place(logits, temperature=1.0):
    """Softmax that writes into its argument."""
    logits /= temperature
    logits -= logits.max(dim=1, keepdim=True).values
    return torch.softmax(logits, 1)


def looped(logits, temperature=1.0):
    """Softmax in plain Python, number by number."""
    table = []
    for row in logits.tolist():
        highest = max(row)
        powers = [math.exp((z - highest) / temperature) for z in row]
        table.append([power / sum(powers) for power in powers])
    return table


def numpy_softmax(logits, temperature=1.0):
    """Softmax in NumPy, in double precision."""
    z = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def printed(logits, temperature=1.0):
    """Softmax that prints."""
    print(torch.softmax(logits / temperature, 1))


def step(order, returns=lambda loss: loss.item(), price=F.cross_entropy, before=None):
    """A training step whose lines run in this order: z(ero_grad), b(ackward), s(tep)."""

    def train_step(model, images, labels, optimizer):
        if before is not None:
            before(model)
        loss = price(model(images), labels)
        for line in order:
            {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step}[line]()
        return returns(loss)

    return train_step


def step_by_forward(model, images, labels, optimizer):
    """The step that calls the method by its name."""
    loss = F.cross_entropy(model.forward(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def step_by_closure(model, images, labels, optimizer):
    """The step in which the optimizer itself asks for the loss."""

    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = nn.CrossEntropyLoss()(model(images), labels)
        loss.backward()
        return loss

    return float(optimizer.step(closure))


def step_by_gradients(model, images, labels, optimizer):
    """The step with gradients asked for and set by hand."""
    loss = -torch.log_softmax(model(images), 1)[torch.arange(len(labels)), labels].mean()
    weights = list(model.parameters())
    for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = gradient
        weight.register_hook  # noqa: B018 - only looked at
    optimizer.step()
    return loss.detach().numpy().item()


def step_by_hand(model, images, labels, optimizer):
    """A step that knows the learning rate, not the optimizer."""
    loss = F.cross_entropy(model(images), labels)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for weight in model.parameters():
            weight -= optimizer.param_groups[0]["lr"] * weight.grad
    return loss.item()


def loss_after(model, images, labels, optimizer):
    """A step that returns the loss after it."""
    step("zbs")(model, images, labels, optimizer)
    return F.cross_entropy(model(images), labels).item()


def with_accuracy(model, images, labels, optimizer):
    """A step that returns two numbers."""
    right = (model(images).argmax(1) == labels).float().mean().item()
    return step("zbs")(model, images, labels, optimizer), right


def twice_the_step(model, images, labels, optimizer):
    """Two steps for one batch."""
    step("zbs")(model, images, labels, optimizer)
    return step("zbs")(model, images, labels, optimizer)


def another_network(_, images, labels, optimizer):
    """A step that trains a network of its own."""
    net = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
    return step("zbs")(net, images, labels, optimizer)


def other_images(model, images, labels, optimizer):
    """A step on images of its own."""
    return step("zbs")(model, torch.ones_like(images), labels, optimizer)


def first_half(model, images, labels, optimizer):
    """A step on the first half of the batch."""
    return step("zbs")(model, images[:4], labels[:4], optimizer)


def stale_loss(model, images, labels, optimizer):
    """No step at all."""
    return F.cross_entropy(model(images), labels).item()


def typo(model, images, labels, optimizer):
    """A step with a misspelled name."""
    return F.cross_entropy(model(imges), labels)  # noqa: F821


def squares(logits, labels):
    """The mean squared error."""
    return F.mse_loss(logits, F.one_hot(labels, logits.shape[1]).float())


def nll_of_softmax(shares, labels):
    """Minus the logarithm of the right share, from probabilities."""
    return -torch.log(shares[torch.arange(len(labels)), labels]).mean()


def ce_by_hand(logits, labels):
    """Cross entropy as a formula."""
    return (logits.logsumexp(1) - logits.gather(1, labels[:, None])[:, 0]).mean()


RIGHT = {
    "training/softmax": [
        lambda: (lambda logits, t=1.0: torch.softmax(logits / t, dim=1),),
        lambda: (lambda logits, t=1.0: torch.softmax(logits.double() / t, dim=1),),
        lambda: (lambda logits, t=1.0: torch.exp(logits / t - torch.logsumexp(logits / t, 1, keepdim=True)),),
        lambda: (lambda logits, temperature: F.log_softmax(logits / temperature, -1).exp(),),
        lambda: (lambda logits, t=1: special.softmax(logits.numpy() / t, axis=1),),
        lambda: (looped,),
        lambda: (numpy_softmax,),
        lambda: (stable(),),
        lambda: (lambda logits, t=1.0: torch.stack([torch.softmax(row / t, 0) for row in logits]),),
        lambda: (lambda logits, t=1.0: nn.Softmax(dim=1)(logits.requires_grad_(False) / t),),
    ],
    "training/flatten-size": [
        lambda: (patient(size=5, flat=512),),
        lambda: (nn.Sequential(patient(size=5, flat=512)[:-1], nn.LazyLinear(10)),),
        lambda: (Net(5),),
        lambda: (Shared(5),),
        lambda: (ByHand(5),),
        lambda: (shared_modules(5),),
        lambda: (shared_modules(5, nn.Identity()),),
        lambda: (Net(5, pool_first=True),),
        lambda: (patient(size=5, flat=512).double().eval(),),
        lambda: (patient(size=5, flat=512).requires_grad_(False),),
        lambda: (fully_convolutional(5, 4),),
    ],
    "training/training-step": [
        lambda: (step("zbs"),),
        lambda: (step("bsz"),),
        lambda: (step("zbs", price=ce_by_hand),),
        lambda: (step("zbs", returns=lambda loss: float(loss)),),
        lambda: (step("zbs", returns=lambda loss: loss.detach().numpy()),),
        lambda: (step("zbs", before=lambda model: model.train()),),
        lambda: (step("bs", before=lambda model: model.zero_grad()),),
        lambda: (step_by_closure,),
        lambda: (step_by_forward,),
        lambda: (step_by_gradients,),
    ],
    "training/double-softmax": [
        lambda: (patient(), nn.CrossEntropyLoss()),
        lambda: (patient(), F.cross_entropy),
        lambda: (patient(nn.LogSoftmax(dim=1)), nn.NLLLoss()),
        lambda: (patient(nn.LogSoftmax(dim=-1)), F.nll_loss),
        lambda: (patient(nn.Softmax(dim=1)), nll_of_softmax),
        lambda: (patient(), ce_by_hand),
        lambda: (patient(), lambda z, y: F.nll_loss(F.log_softmax(z, 1), y)),
        lambda: (Net(), nn.CrossEntropyLoss()),
        lambda: (Shared(), nn.CrossEntropyLoss()),
        lambda: (ByHand(), nn.CrossEntropyLoss()),
        lambda: (shared_modules(3, nn.LogSoftmax(1)), nn.NLLLoss()),
        lambda: (Net(end=lambda x: x.softmax(1).log()), nn.NLLLoss()),
        lambda: (patient(), nn.CrossEntropyLoss(weight=torch.ones(10))),
        lambda: (patient(nn.LogSoftmax(dim=1)), nn.CrossEntropyLoss()),
    ],
}

WRONG = {
    "training/softmax": [
        (lambda: (exponential_shares(dim=None),), "Every row has to"),
        (lambda: (exponential_shares(dim=0),), "Your columns add up to 1"),
        (lambda: (stable(dim=0),), "Your columns add up to 1"),
        (lambda: (exponential_shares(temperature="multiply"),), "divide the logits by it, do not multiply"),
        (lambda: (exponential_shares(temperature="none"),), "no effect yet"),
        (lambda: (exponential_shares(temperature="after"),), "not the probabilities"),
        (lambda: (exponential_shares(),), "nan: exp overflows"),
        (lambda: (exponential_shares(safe=True),), "nan: exp overflows"),
        (lambda: (shifted(lambda z: z.mean(1, keepdim=True)),), "nan: exp overflows"),
        (lambda: (shifted(lambda z: z.median(1, keepdim=True).values),), "nan: exp overflows"),
        (lambda: (shifted(lambda z: z[:, :1], torch.float32),), "nan: exp overflows"),
        (lambda: (lambda z, t=1.0: torch.softmax((z / t).clamp(-80, 80), 1),), "Small logits come out right"),
        (lambda: (lambda z, t=1.0: exponential_shares()(z, t).nan_to_num(0),), "Small logits come out right"),
        (lambda: (lambda z, t=1.0: torch.exp(z / t) / torch.exp(z / t).sum(1),), "has lost that axis"),
        (lambda: (lambda z, t=1.0: torch.exp((z - z.max(1, keepdim=True)) / t),), "add `.values`"),
        (lambda: (in_place,), "changed its argument `logits`"),
        (lambda: (printed,), "is there a `return`"),
        (lambda: (endless,), "still running after"),
        (lambda: (lambda z, t=1.0: z / z.sum(1, keepdim=True) / t,), "exponential before you divide"),
        (lambda: (lambda z, t=1.0: z / t / (z / t).sum(1, keepdim=True),), "exponential before you divide"),
        (lambda: (lambda z, t=1.0: torch.log_softmax(z / t, 1),), "logarithms of the probabilities"),
        (lambda: (lambda z, t=1.0: torch.softmax(-z / t, 1),), "a minus too many"),
        (lambda: (lambda z, t=1.0: F.one_hot(z.argmax(1), z.shape[1]),), "The winner takes all"),
        (lambda: (lambda z, t=1.0: torch.sigmoid(z / t),), "That is a sigmoid"),
        (lambda: (stable(base=2),), "the shares are not right"),
        (lambda: (lambda z, t=1.0: torch.exp(z / t),), "These are the exponentials"),
        (lambda: (lambda z, t=1.0: 2 * torch.softmax(z / t, 1),), "Every row should add up to 1"),
        (lambda: (lambda z, t=1.0: torch.softmax(z / t, 1)[0],), "The shape should be"),
        (lambda: (lambda z, t=1.0: torch.softmax(z / t, 1).T,), "The shape should be"),
        (lambda: (lambda z, t=1.0: torch.full(z.shape, torch.nan),), "NaN"),
        (lambda: (lambda z, t=2.0: torch.softmax(z / t, 1),), "the default of `temperature` is 1"),
        (lambda: (lambda logits: torch.softmax(logits, 1),), "cannot be called with 2 arguments"),
        (lambda: (torch.rand(2, 10),), "should be a function"),
    ],
    "training/flatten-size": [
        (lambda: (patient(size=5, flat=32 * 7 * 7),), "a linear layer that expects 1568"),
        (lambda: (patient(size=5, flat=800),), "expects 800"),
        (lambda: (patient(size=5, flat=32),), "512 numbers per image arrive"),
        (lambda: (patient(size=5, flat=512)[:-1],), "should give ten logits each"),
        (lambda: (nn.Sequential(*patient(size=5, flat=512)[:-2], nn.Linear(512, 10)),), "has to become one row"),
        (lambda: (patient(size=3, flat=800),), "You changed the patient's eyes"),
        (lambda: (layers(*second(5, padding=1), flat=32 * 5 * 5),), "make the maps fit"),
        (lambda: (layers(*second(5, padding=2), flat=32 * 6 * 6),), "make the maps fit"),
        (lambda: (nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), *second(5, padding=2),
                                nn.Flatten(), nn.Linear(32 * 7 * 7, 10)),), "make the maps fit"),
        (lambda: (layers(*second(5, nn.AdaptiveAvgPool2d(7)), flat=32 * 7 * 7),), "make the maps fit"),
        (lambda: (layers(*second(5, nn.AdaptiveAvgPool2d(4)), flat=512),), "the first thing that differs is the ReLU"),
        (lambda: (layers(*second(5, nn.AvgPool2d(2)), flat=512),), "the first thing that differs is the ReLU"),
        (lambda: (layers(*second(5, nn.MaxPool2d(2, 1)), flat=32 * 64),), "make the maps fit"),
        (lambda: (layers(*second(5, nn.Identity(), stride=2), flat=32 * 25),), "make the maps fit"),
        (lambda: (layers(nn.Conv2d(16, 98, 5), nn.ReLU(), nn.MaxPool2d(2), flat=98 * 16),), "98 filters of 16×5×5"),
        (lambda: (layers(*second(5), nn.BatchNorm2d(32), flat=512),), "there are no other weights"),
        (lambda: (no_bias(5),), "there are no other weights"),
        (lambda: (patient(nn.ReLU(), nn.Linear(10, 10), size=5, flat=512),), "There are 2 linear layers"),
        (lambda: (patient(size=5, flat=512, width=1),), "ten logits each"),
        (lambda: (patient(size=5, flat=512, relu=nn.Identity),), "the ReLU behind both convolutions"),
        (lambda: (Net(5, relus=(F.relu, lambda x: x)),), "the ReLU behind the second convolution"),
        (lambda: (patient(size=5, flat=512, relu=nn.Tanh),), "another function there"),
        (lambda: (patient(nn.Softmax(1), size=5, flat=512),), "a softmax at the end"),
        (lambda: (patient(nn.LogSoftmax(1), size=5, flat=512),), "a log-softmax at the end"),
        (lambda: (patient(nn.Dropout(0.5), size=5, flat=512),), "drawn at random"),
        (lambda: (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),), "At work in yours: none"),
        (lambda: (nn.Sequential(nn.Conv2d(1, 16, 3), nn.Conv2d(8, 32, 5)),), "RuntimeError"),
        (lambda: (512,), "should be a network"),
        (lambda: (nn.Sequential,), "should be a network"),
    ],
    "training/training-step": [
        (lambda: (step("bs"),), "gradients of earlier batches"),
        (lambda: (lambda model, *rest: step("bs")(model.forward, *rest),), "gradients of earlier batches"),
        (lambda: (step("bs", before=lambda model: model.zero_grad),), "with its parentheses"),
        (lambda: (step("zbs", price=lambda z, y: F.cross_entropy(y, z)),), "The logits come first"),
        (lambda: (step("zbs", price=lambda z, y: nn.CrossEntropyLoss()(y, z)),), "The logits come first"),
        (lambda: (step("zb"),), "`optimizer.step()` is missing"),
        (lambda: (step("zs"),), "call `loss.backward()`"),
        (lambda: (stale_loss,), "call `loss.backward()`"),
        (lambda: (step("bzs"),), "cleared between the two"),
        (lambda: (step("szb"),), "You step before you go backward"),
        (lambda: (step("zsb"),), "You step before you go backward"),
        (lambda: (step("zbs", price=lambda z, y: F.cross_entropy(z.softmax(1), y)),), "takes the logits"),
        (lambda: (step("zbs", price=lambda z, y: F.cross_entropy(z, y, reduction="sum")),), "summed over the images"),
        (lambda: (step("zbs", price=lambda z, y: -F.cross_entropy(z, y)),), "uphill"),
        (lambda: (step("zbs", price=squares),), "squared errors"),
        (lambda: (step("zbs", price=lambda z, y: 2 * F.cross_entropy(z, y)),), "each once"),
        (lambda: (step("zbs", price=lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1)),), "each once"),
        (lambda: (step("zbs", returns=lambda loss: loss),), "whole computation in memory: `loss.item()`"),
        (lambda: (step("zbs", returns=lambda loss: loss.detach()),), "not a plain number: `loss.item()`"),
        (lambda: (step("zbs", returns=lambda loss: 0.0),), "not the loss of this batch"),
        (lambda: (step("zbs", returns=lambda loss: float("nan")),), "NaN"),
        (lambda: (step("zbs", returns=lambda loss: None),), "is there a `return`"),
        (lambda: (step("zbs", returns=lambda loss: str(loss.item())),), "one number"),
        (lambda: (loss_after,), "the loss after the step"),
        (lambda: (with_accuracy,), "a tuple of 2: it asks for the loss"),
        (lambda: (step("zbss"),), "`optimizer.step()` twice"),
        (lambda: (twice_the_step,), "two whole steps"),
        (lambda: (step_by_hand,), "`optimizer.step()`"),
        (lambda: (another_network,), "by another name"),
        (lambda: (other_images,), "other images"),
        (lambda: (first_half,), "other images"),
        (lambda: (step("zbs", before=lambda model: model.eval()),), "evaluation mode"),
        (lambda: (typo,), "name 'imges' is not defined"),
        (lambda: (lambda model, images, labels, optimizer: model(labels),), "Your code stopped"),
    ],
    "training/double-softmax": [
        (lambda: (patient(nn.Softmax(dim=1)), nn.CrossEntropyLoss()), "still taken twice"),
        (lambda: (Net(end=lambda x: x.softmax(1)), F.cross_entropy), "still taken twice"),
        (lambda: (patient(), lambda z, y: F.cross_entropy(z.softmax(1), y)), "still taken twice"),
        (lambda: (patient(nn.Softmax(dim=1)), nn.NLLLoss()), "loss is even negative"),
        (lambda: (patient(), nn.NLLLoss()), "nobody takes the softmax"),
        (lambda: (patient(), nn.CrossEntropyLoss), "put parentheses"),
        (lambda: (patient(), "cross entropy"), "should be callable"),
        (lambda: (patient(nn.Sigmoid()), nn.CrossEntropyLoss()), "Exactly one softmax"),
        (lambda: (patient(nn.LogSoftmax(dim=0)), nn.NLLLoss()), "Exactly one softmax"),
        (lambda: (patient(nn.ReLU()), nn.CrossEntropyLoss()), "Patient B's illness"),
        (lambda: (Shared(ill=True), nn.CrossEntropyLoss()), "Patient B's illness"),
        (lambda: (patient(relu=nn.Identity), nn.CrossEntropyLoss()), "You removed too much"),
        (lambda: (patient(), nn.CrossEntropyLoss(label_smoothing=0.1)), "or a batch"),
        (lambda: (patient(), nn.CrossEntropyLoss(label_smoothing=0.01)), "or a batch"),
        (lambda: (patient(), nn.CrossEntropyLoss(reduction="sum")), "sum over the images"),
        (lambda: (patient(), nn.CrossEntropyLoss(reduction="none")), "one for each image"),
        (lambda: (patient(), lambda z, y: F.cross_entropy(z, y).item()), "without a way back"),
        (lambda: (patient(), lambda z, y: F.cross_entropy(z, y).detach()), "without a way back"),
        (lambda: (patient(), lambda z, y: -F.cross_entropy(z, y)), "sign of the loss"),
        (lambda: (Net(), nn.MSELoss()), "The mean squared error compares"),
        (lambda: (Net(), F.mse_loss), "The mean squared error compares"),
        (lambda: (patient(), nn.BCELoss()), "does not take the network's output"),
        (lambda: (patient(), lambda z, y: torch.tensor(torch.nan)), "NaN"),
        (lambda: (patient(), nll_of_softmax), "NaN"),
        (lambda: (patient(size=5, flat=512), nn.CrossEntropyLoss()), "You changed the patient's eyes"),
        (lambda: (nn.CrossEntropyLoss(), patient()), "The network comes first"),
    ],
}  # fmt: skip


def test_a_check_leaves_the_students_network_alone():
    mended = patient()
    before = {name: value.clone() for name, value in mended.state_dict().items()}
    check("training/double-softmax", mended, nn.CrossEntropyLoss())
    assert mended.training
    assert not any(m._forward_hooks for m in mended.modules())
    assert all(torch.equal(before[name], value) for name, value in mended.state_dict().items())


# -- claims of the lesson -----------------------------------------------------------------------------------------


def test_the_floor_of_patient_c():
    perfect = F.one_hot(torch.arange(10), 10).float()
    assert F.cross_entropy(perfect, torch.arange(10)).item() == pytest.approx(1.461, abs=5e-4)
    assert -math.log(math.e / (math.e + 9)) == pytest.approx(1.461, abs=5e-4)


def test_a_dead_class_of_patient_b_gets_no_gradient():
    torch.manual_seed(0)
    model = patient(nn.ReLU())
    with torch.no_grad():
        model[-2].bias[3] = -100.0
    F.cross_entropy(model(torch.rand(40, 1, 28, 28)), torch.full((40,), 3)).backward()
    assert not model[-2].weight.grad[3].any()
    assert model[-2].bias.grad[3] == 0


@pytest.mark.parametrize("seed", range(5))
def test_an_untrained_network_pays_log_ten_and_has_a_favorite(seed):
    torch.manual_seed(seed)
    model = models.ConvNet()
    images, labels = torch.rand(300, 1, 28, 28), torch.randint(10, (300,))
    with torch.no_grad():
        logits = model(images)
    assert F.cross_entropy(logits, labels).item() == pytest.approx(math.log(10), abs=0.05)
    assert torch.bincount(logits.argmax(1)).max() > 150


def test_the_numbers_in_the_prose():
    assert models.count_parameters(models.ConvNet()) == 225_034
    assert models.count_parameters(models.DenseNet()) == 224_995
    assert math.log(1 / 0.417) == pytest.approx(0.87, abs=0.005)
    assert math.log(100) == pytest.approx(4.6, abs=0.01)


def test_the_patients_have_one_fault_each():
    healthy, b, c = (list(models.patient(name)) for name in ("healthy", "patient B", "patient C"))
    assert [str(layer) for layer in healthy] == [str(layer) for layer in patient()]
    assert [str(layer) for layer in b[:-1]] == [str(layer) for layer in c[:-1]] == [str(layer) for layer in healthy]
    images = torch.rand(20, 1, 28, 28) * 20
    assert nn.Sequential(*b)(images).min() == 0
    torch.testing.assert_close(nn.Sequential(*c)(images).sum(1), torch.ones(20))


def learned(model, clear=True, images=32, steps=100):
    """The losses of a network that is shown the same random images again and again, with the lesson's optimizer."""
    torch.manual_seed(1)
    x, labels = torch.rand(images, 1, 28, 28), torch.randint(10, (images,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), labels)
        if clear:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("seed", range(3))
def test_without_zero_grad_the_loss_climbs_far_above_its_start(seed):
    torch.manual_seed(seed)
    assert max(learned(models.patient("healthy"), clear=False)) > 3 * math.log(10)


def why(key, option):
    """The text of an option of a prediction, and its explanation."""
    chosen = LESSON.questions[f"training/{key}"].options["abcd".index(option)]
    return f"{chosen.text}: {chosen.why}"


def test_the_numbers_in_the_options_are_those_of_the_network():
    assert "0.1" in why("first-loss", "a")
    assert f"{math.log(10):.3f}" in why("first-loss", "c")
    assert f"{math.exp(-10):.5f}" in why("first-loss", "d")


def test_the_validation_table_is_what_was_measured():
    stored = json.loads((ROOT / "benchmarks" / "results" / "settings.json").read_text(encoding="utf-8"))
    means = {tuple(row["setting"].items()): f"{100 * sum(row['accuracy']) / 3:.2f}%" for row in stored}
    assert all(len(row["accuracy"]) == 3 for row in stored)
    default = means.pop(())
    assert all(other <= default for other in means.values()), "No neighbor does better"
    names = {"highest learning rate": "lr", "shift in pixels": "shift", "images in a batch": "batch_size"}
    text = "\n".join(cell.source for cell in lessons.cells(lessons.chosen(["training"])[0]))
    for line, name in names.items():
        lower, own, higher = re.search(rf"^\|{line}\|(.+)\|$", text, re.MULTILINE)[1].split("|")
        assert own.endswith(f" **{default}**")
        assert float(own.split(":")[0]) == inspect.signature(training.fit).parameters[name].default
        for cell in (lower, higher):
            value, accuracy = cell.split(": ")
            assert means[((name, float(value) if "." in value else int(value)),)] == accuracy


def stated(pattern, near):
    """A number that the notebook shows where it says `near`."""
    return float(re.search(pattern, lessons.stored("training", near))[1].replace(",", ""))


def test_the_options_agree_with_what_the_notebook_shows():
    assert "2,000 digits" in LESSON.questions["training/untrained"].text
    assert 8 < stated(r"([\d.]+)% right; it says", "% right; it says") < 12
    assert stated(r"in ([\d.]+)% of the cases", "% right; it says") > 90
    assert 1500 < stated(r"over ([\d,]+) steps", "validation accuracy") < 1600
    assert "more than 1,500" in why("one-epoch", "a")
    small = stated(r"([\d.]+)% right on validation", "right on validation images")
    assert round(100 * (100 - small), -2) == 600
    assert "some 600 wrong" in why("one-epoch", "b")
    assert 50_000 // 6_000 == 8
    assert 80 <= stated(r"(\d+) wrong", "of the test digits right") <= 130
    assert stated(r"and on (\d+)% of all", "the reference is right on") > 50
    assert stated(r"right on (\d+) of these ten", "the reference is right on") <= 5
    assert stated(r"highest loss ([\d,]+)", "highest loss") > 100


def test_scrambling_is_nothing_to_a_dense_network_and_something_to_a_convolution():
    places = torch.randperm(784, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    dense, conv = models.DenseNet(), models.ConvNet()
    images = torch.rand(5, 1, 28, 28)
    scrambled = images.flatten(1)[:, places].view(-1, 1, 28, 28)
    wanted = dense(images)
    with torch.no_grad():
        dense.classifier.hidden.weight.copy_(dense.classifier.hidden.weight[:, places])
    torch.testing.assert_close(dense(scrambled), wanted, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(conv(scrambled), conv(images), atol=1e-3)
