"""Running a network or looking into it leaves no trace: modes, weights, gradients, hooks, images, random numbers."""

import random

import numpy as np
import pytest
import torch

from helpers.inside import attribution, bribery, faithfulness, features, maximize, occlusion
from helpers.network import hooks, models, running, training

CALLS = {
    "predict": running.predict,
    "accuracy": lambda model, x: running.accuracy(model, (x, torch.zeros(len(x)).long())),
    "layer_table": lambda model, x: models.layer_table(model, tuple(x.shape[1:])),
    "map_layers": hooks.map_layers,
    "saliency": attribution.saliency,
    **{name: lambda model, x, method=method: method(model, x, 3) for name, method in attribution.METHODS.items()},
    "occlusion, plain": lambda model, x: occlusion.occlusion(model, x[0], 7, 7, 0.5, incremental=False),
    "occlusion, incremental": lambda model, x: occlusion.occlusion(model, x[0], 7, 7, 0.5, incremental=True),
    "completeness": lambda model, x: attribution.completeness(model, x, x, 3),
    "deletion": lambda model, x: faithfulness.deletion(model, x, x, steps=2),
    "randomize": lambda model, x: faithfulness.randomize(model, "classifier" if x.shape[-1] == 28 else "top"),
    "bribe": lambda model, x: bribery.bribe(model, x, torch.ones(x.shape[2:]), steps=1, batch_size=2, bar=False),
    "vectors": features.vectors,
    "class_images": lambda model, x: maximize.class_images(model, [1, 2], start=x, steps=2, jitter=1, clamp=None),
    "class_images from noise": lambda model, x: maximize.class_images(model, [1], size=x.shape[-1], steps=1),
    "filter_images": lambda model, x: maximize.filter_images(model, "features.conv2", [4, 5], start=x, steps=2),
    "dream": lambda model, x: maximize.dream(model.features, x if x.shape[-1] == 28 else x[..., :4], "conv2", steps=2),
    "fgsm": lambda model, x: maximize.fgsm(model, x, 3, 0.1),
    "smallest_epsilon": lambda model, x: maximize.smallest_epsilon(model, x, 3, steps=4),
}


def random_states():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 (the caller's)
    return random.getstate(), (kind, keys.tolist(), *rest), torch.get_rng_state().tolist()


@pytest.mark.parametrize("fails", [False, True], ids=["success", "error"])
@pytest.mark.parametrize("frozen", [True, False], ids=["dropout off in training", "dropout on in evaluation"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_everything_is_as_it_was(call, frozen, fails):
    torch.manual_seed(0)
    model = models.ConvNet(dropout=0.5).train(frozen)
    model.classifier.dropout.train(not frozen)
    model.features.relu1.inplace = True
    model.features.conv1.weight.grad = torch.ones_like(model.features.conv1.weight)
    model.classifier.output.bias.requires_grad_(False)
    x = torch.rand(2, 1, *((20, 20) if fails else (28, 28)), requires_grad=True)
    weights = {name: (value.clone(), value.stride()) for name, value in model.state_dict().items()}
    flags, pixels, states = [m.training for m in model.modules()], x.detach().clone(), random_states()
    if fails:
        with pytest.raises((ValueError, RuntimeError)):
            call(model, x)
    else:
        call(model, x)
    assert random_states() == states
    assert [m.training for m in model.modules()] == flags
    assert model.features.relu1.inplace
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
    assert all(torch.equal(v, weights[k][0]) and v.stride() == weights[k][1] for k, v in model.state_dict().items())
    assert torch.equal(model.features.conv1.weight.grad, torch.ones_like(model.features.conv1.weight))
    assert all(p.grad is None for p in [*model.parameters()][1:])
    assert [p.requires_grad for p in model.parameters()] == [True] * 7 + [False]
    assert x.requires_grad
    assert x.grad is None
    assert torch.equal(x.detach(), pixels)


@pytest.mark.parametrize("method", [*attribution.METHODS.values()], ids=[*attribution.METHODS])
def test_a_network_in_training_mode_is_explained_without_its_dropout(method):
    torch.manual_seed(0)
    model, x = models.ConvNet(dropout=0.5), torch.rand(1, 1, 28, 28)
    in_training = method(model.train(), x, 3)
    assert torch.equal(in_training, method(model.eval(), x, 3))


@pytest.mark.parametrize("fails", [False, True], ids=["success", "error"])
def test_training_leaves_the_random_numbers_of_the_caller_alone(fails):
    def watch(_):
        if fails:
            raise ZeroDivisionError

    torch.manual_seed(5)
    model, x = models.ConvNet(dropout=0.5), torch.rand(8, 1, 28, 28)
    states = random_states()
    labels = torch.zeros(8).long()
    options = {"seed": 3, "each": True, "flip": True, "bar": False, "device": "cpu", "watch": watch}
    if fails:
        with pytest.raises(ZeroDivisionError):
            training.fit(model, (x, labels), **options)
    else:
        training.fit(model, (x, labels), (x, labels), **options)
    assert random_states() == states
    assert not any(m.training for m in model.modules())


def test_seeded_repeats_the_block_and_goes_on_behind_it():
    torch.manual_seed(1)
    wanted = torch.rand(2)
    torch.manual_seed(1)
    with running.seeded(7):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(2), wanted)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(3), inside)
