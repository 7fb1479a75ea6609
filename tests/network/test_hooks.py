"""Recorded activations: the right numbers, and no trace left behind."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from helpers.network.hooks import activations, find_layer, hooked, layer_names, record
from helpers.network.models import ConvNet


def hooks_of(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ConvNet().eval()


@pytest.fixture
def x():
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def test_every_layer_of_the_network_as_if_computed_by_hand(model, x):
    got = activations(model, x, layer_names(model))
    with torch.no_grad():
        y = x
        for half in ("features", "classifier"):
            for name, layer in getattr(model, half).named_children():
                y = layer(y)
                assert torch.equal(got[f"{half}.{name}"], y), name
    assert list(got) == layer_names(model)
    assert got["features.conv1"].shape == (3, 32, 26, 26)
    assert not any(t.requires_grad for t in got.values())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_equals_captum(model, x, layout):
    from captum.attr import LayerActivation

    for name in ("features.conv1", "features.pool2", "classifier.output"):
        ours = activations(model, x.to(memory_format=layout), name)[name]
        theirs = LayerActivation(model, find_layer(model, name)[1]).attribute(x)
        if layout is torch.contiguous_format:
            assert torch.equal(ours, theirs)
        else:
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_a_layer_by_name_as_module_and_alone(model, x):
    by_name = activations(model, x, "features.conv2")
    by_module = activations(model, x, [model.features.conv2])
    assert list(by_name) == list(by_module) == ["features.conv2"]
    assert torch.equal(by_name["features.conv2"], by_module["features.conv2"])
    assert torch.equal(activations(model, x.numpy(), "features.conv2")["features.conv2"], by_name["features.conv2"])
    with record(model, [model.features.conv2]) as store:
        model(x)
    assert torch.equal(store[model.features.conv2], by_name["features.conv2"])


def test_gradients_flow_through_a_recorded_network_unchanged(model, x):
    with record(model, layer_names(model)):
        model(x).sum().backward()
    with_hooks = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    model(x).sum().backward()
    assert all(torch.equal(a, p.grad) for a, p in zip(with_hooks, model.parameters(), strict=True))


@pytest.mark.parametrize("detach", [True, False])
def test_an_in_place_relu_does_not_overwrite_what_was_recorded(x, detach):
    torch.manual_seed(0)
    conv, head = nn.Conv2d(1, 4, 3), nn.Sequential(nn.Flatten(), nn.Linear(4 * 26 * 26, 2))
    model = nn.Sequential(conv, nn.ReLU(inplace=True), head)
    with record(model, ["0", "1"], detach=detach) as store:
        logits = model(x)
    assert torch.equal(store["0"], conv(x))
    assert (store["0"] < 0).any()
    assert torch.equal(store["1"], conv(x).relu())
    assert torch.equal(logits, head(conv(x).relu()))
    if not detach:
        (gradient,) = torch.autograd.grad(logits.sum(), store["0"])
        plain = conv(x).detach().requires_grad_()
        assert torch.equal(gradient, torch.autograd.grad(head(plain.relu()).sum(), plain)[0])


def test_a_shared_module_keeps_each_of_its_calls(x):
    relu = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(1, 2, 3), relu, nn.Conv2d(2, 2, 3), relu)
    first = model[1](model[0](x)).detach()
    with record(model, ["1", "3"]) as store:
        model(x)
        out = model(x)
    for name in ("1", "3"):
        assert len(store.calls[name]) == 2, "only the last pass is kept"
        assert torch.equal(store.calls[name][0], first)
        assert torch.equal(store[name], out)


def test_hooks_go_away_on_success_and_when_the_model_raises(model, x):
    before = hooks_of(model)
    with record(model, layer_names(model)):
        assert hooks_of(model) > before
        model(x)
    assert hooks_of(model) == before
    with pytest.raises(ValueError, match=r"does not accept images of shape \(2, 28, 28\)"):
        activations(model, torch.rand(1, 2, 28, 28), ["features.conv1"])
    assert hooks_of(model) == before

    def fail(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), hooked([(model.features.conv2, fail)], before=[(model, lambda *_: None)]):
        model(x)
    assert hooks_of(model) == before


def test_a_hook_of_somebody_else_survives(model, x):
    seen = []
    handle = model.features.conv1.register_forward_hook(lambda *_: seen.append(1))
    activations(model, x, "features.conv1")
    model(x)
    handle.remove()
    assert len(seen) == 2


def test_a_pass_in_another_thread_is_neither_recorded_nor_changed(model, x):
    """As when a slider is moved while a cell runs."""
    plain = model(x)
    doubled = [(model.features.relu1, lambda module, inputs, output: 2 * output)]
    with hooked(doubled), record(model, "features.conv1") as store, ThreadPoolExecutor(1) as other:
        assert torch.equal(other.submit(model, x).result(), plain)
        assert not store
        assert not torch.equal(model(x), plain)
        mine = store["features.conv1"]
        other.submit(model, 0 * x).result()
        assert store["features.conv1"] is mine


def test_an_unknown_layer_is_answered_with_the_layers_there_are(model, x):
    with pytest.raises(ValueError, match=r"'conv1'; its layers are features\.conv1, features\.relu1"):
        activations(model, x, "conv1")
    with pytest.raises(ValueError, match="this Conv2d among its layers"):
        activations(model, x, nn.Conv2d(1, 1, 3))
    with pytest.raises(TypeError, match="dotted name"):
        activations(model, x, [3])
    assert hooks_of(model) == 0


def test_layers_that_did_not_run_or_were_not_asked_for_say_so(model, x):
    model.spare = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="did not use its layer spare"):
        activations(model, x, "spare")
    with record(model, "features.conv1") as store:
        with pytest.raises(KeyError, match="has not run yet"):
            store["features.conv1"]
        model(x)
        with pytest.raises(KeyError, match="was not asked for"):
            store["features.conv2"]


def test_a_layer_that_answers_with_a_tuple_is_named():
    model = nn.Sequential(nn.LSTM(4, 3))
    with pytest.raises(TypeError, match="Layer 0 answers with a tuple"):
        activations(model, torch.rand(2, 5, 4), "0")
