"""Plausible wrong answers and the hints they earn, and the claims its prose makes."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.exercises import check
from helpers.network import models


def patient(*end, size=3, flat=800, relu=nn.ReLU, width=10):
    """The network of the exercises with something wrong in it."""
    middle = [nn.MaxPool2d(2), nn.Conv2d(16, 32, size)]
    body = [nn.Conv2d(1, 16, 3), relu(), *middle, relu(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(flat, width)]
    return nn.Sequential(*body, *end)


def exponential_shares(dim=1, safe=False, temperature="divide"):
    """Softmax, with mistakes to choose."""

    def softmax(logits, t=1.0):
        z = {"divide": logits / t, "multiply": logits * t}.get(temperature, logits)
        powers = torch.exp(z - z.max() if safe else z)
        shares = powers / (powers.sum() if dim is None else powers.sum(dim=dim, keepdim=True))
        return shares / t if temperature == "after" else shares

    return softmax


def in_place(logits, temperature=1.0):
    logits /= temperature
    logits -= logits.max(dim=1, keepdim=True).values
    return torch.softmax(logits, 1)


def step(order, returns=lambda loss: loss.item(), probabilities=False):
    """A training step whose lines run in this order: z(ero_grad), b(ackward), s(tep)."""

    def train_step(model, images, labels, optimizer):
        logits = model(images)
        loss = F.cross_entropy(logits.softmax(1) if probabilities else logits, labels)
        for line in order:
            {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step}[line]()
        return returns(loss)

    return train_step


WRONG = {
    "training/softmax": [
        (lambda: (exponential_shares(dim=None),), "Every row has to"),
        (lambda: (exponential_shares(dim=0),), "Your columns add up to 1"),
        (lambda: (exponential_shares(temperature="multiply"),), "divide the logits by it, do not multiply"),
        (lambda: (exponential_shares(temperature="none"),), "no effect yet"),
        (lambda: (exponential_shares(temperature="after"),), "not the probabilities"),
        (lambda: (exponential_shares(),), "nan: exp overflows"),
        (lambda: (exponential_shares(safe=True),), "nan: exp overflows"),
        (lambda: (in_place,), "not in place"),
        (lambda: (lambda logits, t=1.0: logits / logits.sum(1, keepdim=True),), "exponential before you divide"),
        (lambda: (lambda logits, t=1.0: torch.log_softmax(logits / t, 1),), "exponential before you divide"),
        (lambda: (lambda logits, t=1.0: torch.exp(logits / t),), "should add up to 1"),
        (lambda: (lambda logits, t=1.0: torch.softmax(logits / t, 1)[0],), "the same shape"),
        (lambda: (lambda logits: torch.softmax(logits, 1),), "TypeError"),
        (lambda: (torch.rand(2, 10),), "should be a function"),
    ],
    "training/flatten-size": [
        (lambda: (patient(size=5, flat=32 * 7 * 7),), "Still the same complaint"),
        (lambda: (patient(size=5, flat=800),), "expects 800 numbers"),
        (lambda: (patient(size=5, flat=32),), "expects 32 numbers"),
        (lambda: (patient(size=3, flat=800),), "you changed the patient's eyes"),
        (lambda: (patient(size=5, flat=512, width=1),), "ten logits each"),
        (lambda: (patient(size=5, flat=512, relu=nn.Identity),), "removed too much"),
        (lambda: (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),), "you changed the patient's eyes"),
        (lambda: (512,), "should be a network"),
        (lambda: (nn.Sequential,), "should be a network"),
    ],
    "training/relu-on-logits": [
        (lambda: (patient(nn.ReLU()),), "still a ReLU behind the last"),
        (lambda: (patient(nn.Softmax(dim=1)),), "another illness"),
        (lambda: (patient(nn.LeakyReLU()),), "LeakyReLU"),
        (lambda: (patient(nn.Sigmoid()),), "any number"),
        (lambda: (patient(relu=nn.Identity),), "removed too much"),
        (lambda: (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),), "removed too much"),
        (lambda: (nn.Sequential(nn.Conv2d(1, 10, 28), nn.Flatten()),), "no linear layer left"),
        (lambda: (lambda: patient(),), "should be a network"),
    ],
    "training/training-step": [
        (lambda: (step("bs"),), "gradients of earlier batches"),
        (lambda: (step("zb"),), "`optimizer.step()` is missing"),
        (lambda: (step("zs"),), "call `loss.backward()`"),
        (lambda: (step("bzs"),), "not between it and the step"),
        (lambda: (step("szb"),), "You step before you go backward"),
        (lambda: (step("zbs", probabilities=True),), "takes the logits"),
        (lambda: (step("zbs", returns=lambda loss: loss),), "`loss.item()`"),
        (lambda: (step("zbs", returns=lambda loss: 0.0),), "not the loss of this batch"),
        (lambda: (step("zbss"),), "each once"),
        (lambda: (lambda model, images, labels, optimizer: model(labels),), "stopped with"),
    ],
    "training/double-softmax": [
        (lambda: (patient(nn.Softmax(dim=1)), nn.CrossEntropyLoss()), "still taken twice"),
        (lambda: (patient(nn.Softmax(dim=1)), nn.NLLLoss()), "loss is even negative"),
        (lambda: (patient(), nn.NLLLoss()), "nobody takes the softmax"),
        (lambda: (patient(), nn.CrossEntropyLoss), "put parentheses"),
        (lambda: (patient(), "cross entropy"), "should be callable"),
        (lambda: (patient(nn.Sigmoid()), nn.CrossEntropyLoss()), "Exactly one softmax"),
        (lambda: (patient(nn.ReLU()), nn.CrossEntropyLoss()), "There are 3 ReLUs"),
        (lambda: (patient(relu=nn.Identity), nn.CrossEntropyLoss()), "removed too much"),
        (lambda: (patient(), nn.MSELoss()), "RuntimeError"),
        (lambda: (nn.CrossEntropyLoss(), patient()), "no linear layer left"),
    ],
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(("key", "answers", "words"), [(k, a, w) for k, cases in WRONG.items() for a, w in cases])
def test_a_mistake_gets_its_hint(key, answers, words):
    verdict = check(key, *answers())
    assert verdict.status == "wrong", verdict
    assert words in verdict.message


@pytest.mark.parametrize(
    ("key", "answers"),
    [
        ("training/softmax", lambda: (lambda logits, t=1.0: torch.softmax(logits / t, dim=1),)),
        ("training/flatten-size", lambda: (patient(size=5, flat=512),)),
        ("training/flatten-size", lambda: (nn.Sequential(patient(size=5, flat=512)[:-1], nn.LazyLinear(10)),)),
        ("training/relu-on-logits", lambda: (patient(),)),
        ("training/training-step", lambda: (step("zbs"),)),
        ("training/double-softmax", lambda: (patient(), nn.CrossEntropyLoss())),
        ("training/double-softmax", lambda: (patient(), F.cross_entropy)),
        ("training/double-softmax", lambda: (patient(nn.LogSoftmax(dim=1)), nn.NLLLoss())),
    ],
)
def test_every_right_way_is_accepted(key, answers):
    for _ in range(5):  # the checks draw fresh numbers
        verdict = check(key, *answers())
        assert verdict.status == "right", verdict


def test_a_check_leaves_the_students_network_alone():
    mended = patient()
    before = {name: value.clone() for name, value in mended.state_dict().items()}
    check("training/relu-on-logits", mended)
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
    table = {x.name: x.parameters for x in models.layer_table(models.ConvNet(), (1, 28, 28))}
    assert sum(table.values()) == 225_034
    assert table["classifier.hidden"] == 204_928 > 0.9 * 225_034
    assert models.count_parameters(models.DenseNet()) == 224_995


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
