"""Training as a lesson relies on it: it learns, it can be stopped, it says what is wrong, and it leaves no trace."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers import plots
from helpers.data import Split
from helpers.network import device, running, training
from helpers.network.history import Diverged
from helpers.network.models import ConvNet, DenseNet


def quadrants(n=256, size=12, channels=1, seed=0):
    """Noise with one bright quarter; which one is the class: learned in seconds by anything that learns."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.rand(n, channels, size, size, generator=generator)
    labels = torch.randint(4, (n,), generator=generator)
    half = size // 2
    for image, label in zip(images, labels.tolist(), strict=True):
        y, x = divmod(label, 2)
        image[:, y * half : (y + 1) * half, x * half : (x + 1) * half] += 0.6
    return Split(images, labels)


def small(size=12, channels=1, classes=4, dropout=0.0, seed=0):
    torch.manual_seed(seed)
    return ConvNet(classes=classes, channels=channels, size=size, filters=(8, 16), hidden=64, dropout=dropout)


def fit(model, train, validation=None, **options):
    return training.fit(model, train, validation, **{"device": "cpu", "bar": False} | options)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


# -- it learns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda: small(),
        lambda: DenseNet(classes=4, size=12, hidden=16),
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(144, 4)),
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(400, 4)),
    ],
    ids=["conv", "dense", "linear", "batchnorm"],
)
def test_any_classifier_learns(make, fast):
    torch.manual_seed(0)
    model = make()
    history = fit(model, quadrants(512), quadrants(200, seed=1), epochs=12, fast=fast)
    assert history.epochs[-1].validation_accuracy > 0.95
    assert history.losses[0] > 1.0 > history.losses[-1]


@pytest.mark.parametrize(("size", "channels"), [(10, 1), (17, 3), (28, 1), (32, 3)])
def test_any_image_size_and_depth(size, channels):
    model = small(size, channels)
    history = fit(model, quadrants(256, size, channels), epochs=15, lr=0.03)
    assert running.accuracy(model, quadrants(200, size, channels, seed=1)) > 0.9
    assert len(history.losses) == history.total_steps == 15 * 8


def test_images_that_are_not_square():
    train = Split(torch.rand(64, 1, 6, 20), torch.randint(3, (64,)))
    model = nn.Sequential(nn.Flatten(), nn.Linear(120, 3))
    assert len(fit(model, train, optimizer="adam", lr=0.003).losses) == 2


def test_fast_and_plain_reach_the_same_quality():
    scores = []
    for fast in (True, False):
        model = small()
        fit(model, quadrants(512), epochs=12, fast=fast)
        scores.append(running.accuracy(model, quadrants(400, seed=1)))
    assert min(scores) > 0.97
    assert abs(scores[0] - scores[1]) < 0.02


def test_without_extras_it_is_the_loop_of_the_lesson():
    train, ours, theirs = quadrants(96), small(), small()
    fit(ours, train, one_cycle=False, shift=0, weight_decay=0, momentum=0, lr=0.1, fast=False, seed=3)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for rows in torch.randperm(96, generator=torch.Generator().manual_seed(3)).split(32):
        loss = F.cross_entropy(theirs(train.images[rows]), train.labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, msg=name)


def batches_seen(train, **options):
    """The batches that a network is given in training."""
    seen, model = [], nn.Sequential(nn.Flatten(), nn.Linear(train.images[0].numel(), 4))
    model.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0].clone()) if m.training else None)
    fit(model, train, batch_size=len(train.images), lr=0.001, **options)
    return seen


def in_order(train, seed):
    return train.images[torch.randperm(len(train.images), generator=torch.Generator().manual_seed(seed))]


def test_shift_moves_a_whole_batch():
    train = Split(torch.rand(3, 1, 8, 9), torch.arange(3))
    moves = set()
    for seed in range(30):
        (batch,) = batches_seen(train, shift=1, seed=seed)
        moves |= {
            (y, x)
            for y in (-1, 0, 1)
            for x in (-1, 0, 1)
            if torch.equal(batch, in_order(train, seed).roll((y, x), (2, 3)))
        }
    assert len(moves) > 5


def test_flip_mirrors_about_every_second_image():
    train = Split(torch.rand(200, 1, 8, 9), torch.arange(200) % 4)
    (batch,) = batches_seen(train, shift=0, flip=True, seed=2)
    mirrored = 0
    for one, original in zip(batch, in_order(train, 2), strict=True):
        assert torch.equal(one, original) or torch.equal(one, original.flip(2))
        mirrored += torch.equal(one, original.flip(2))
    assert 70 < mirrored < 130


def test_each_image_draws_its_own_shift_and_black_enters():
    train = Split(torch.rand(400, 1, 8, 9), torch.arange(400) % 4)
    (batch,) = batches_seen(train, shift=1, flip=True, each=True, seed=2)
    moves = set()
    for one, wide in zip(batch, F.pad(in_order(train, 2), (1,) * 4), strict=True):
        windows = {(y, x): wide[:, y : y + 8, x : x + 9] for y in range(3) for x in range(3)}
        own = {
            (place, m) for place, w in windows.items() for m in (False, True) if torch.equal(one, w.flip(2) if m else w)
        }
        assert own
        moves |= own
    assert len(moves) == 18  # nine places, mirrored or not


@pytest.mark.parametrize("one_cycle", [True, False])
def test_the_learning_rate_rises_and_falls_or_stays(monkeypatch, one_cycle):
    made, rates = [], []

    class Spy(torch.optim.SGD):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr(torch.optim, "SGD", Spy)
    options = {"lr": 0.1, "one_cycle": one_cycle, "watch": lambda _: rates.append(made[0].param_groups[0]["lr"])}
    fit(small(), quadrants(320), **options)
    if one_cycle:
        assert rates[0] < max(rates) > 20 * rates[-1]
        assert max(rates) == pytest.approx(0.1, rel=0.1)
    else:
        assert set(rates) == {0.1}


def test_fewer_images_than_one_batch():
    history = fit(small(), quadrants(5), epochs=2)
    assert len(history.losses) == 2
    assert history.steps_per_epoch == 1


# -- history ------------------------------------------------------------------------------------------------------


def test_history_agrees_with_the_network_it_describes():
    model, validation = small(), quadrants(150, seed=1)
    history = fit(model, quadrants(200), validation, epochs=2)
    assert len(history.losses) == len(history.accuracies) == history.total_steps == 14
    assert len(history.epochs) == 2
    last = history.epochs[-1]
    assert last.loss == pytest.approx(np.mean(history.losses[7:]))
    assert last.accuracy == pytest.approx(np.mean(history.accuracies[7:]))
    assert last.validation_accuracy == pytest.approx(running.accuracy(model, validation))
    logits = running.predict(model, validation.images)
    assert last.validation_loss == pytest.approx(F.cross_entropy(logits, validation.labels).item(), rel=1e-4)
    assert history.seconds == pytest.approx(sum(e.seconds for e in history.epochs))
    assert history.seconds > 0
    assert "14 of 14 steps" in repr(history)
    assert f"{last.validation_accuracy:.2%}" in repr(history)
    assert not history.interrupted


def test_watch_is_called_after_every_step_and_closed_once():
    class Watcher:
        def __init__(self):
            self.steps, self.closed = [], 0

        def __call__(self, history):
            self.steps.append(len(history.losses))

        def close(self, history):
            self.closed += 1
            assert len(history.epochs) == 2  # the last epoch is already judged

    watcher = Watcher()
    fit(small(), quadrants(96), quadrants(20), epochs=2, watch=watcher)
    assert watcher.steps == [1, 2, 3, 4, 5, 6]
    assert watcher.closed == 1


def test_several_watchers_at_once():
    first, second = [], []
    fit(
        small(),
        quadrants(96),
        watch=[lambda h: first.append(len(h.losses)), lambda h: second.append(h.losses[-1])],
    )
    assert first[:3] == [1, 2, 3]
    assert len(first) == len(second) == 4  # three steps, and the end


# -- the stop button ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 5, 11])
def test_the_stop_button_keeps_what_was_learned(stop):
    def press(history):
        if len(history.losses) == stop:
            raise KeyboardInterrupt

    model, before, validation = small(), weights(small()), quadrants(100, seed=1)
    history = fit(model, quadrants(256), validation, epochs=2, watch=press)
    assert history.interrupted
    assert len(history.losses) == stop
    assert "interrupted" in repr(history)
    assert not same(before, weights(model))
    assert not model.training
    assert len(history.epochs) == math.ceil(stop / 8)
    assert history.epochs[-1].validation_accuracy == pytest.approx(running.accuracy(model, validation))
    assert plots.history(history).png()
    again = fit(model, quadrants(256), epochs=15)
    assert not again.interrupted
    assert running.accuracy(model, validation) > 0.9


def test_the_stop_button_before_the_first_step():
    class Never(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(144, 4)

        def forward(self, x):
            if self.training:
                raise KeyboardInterrupt
            return self.layer(x.flatten(1))

    history = fit(Never(), quadrants(64), quadrants(8))
    assert history.interrupted
    assert history.losses == history.epochs == []
    assert repr(history) == "History: no step was taken"


# -- what goes wrong is a sentence --------------------------------------------------------------------------------


def test_a_learning_rate_that_is_too_large_is_named_and_the_record_kept():
    with pytest.raises(Diverged, match=r"learning rate lr=1e\+06 is most likely too large.*lr=100000") as info:
        fit(small(), quadrants(512), lr=1e6, epochs=4, one_cycle=False)
    assert info.value.history.losses
    assert not math.isfinite(info.value.history.losses[-1])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_broken_pixels_are_named(value):
    train = quadrants(64)
    train.images[40, 0, 3, 3] = value
    model = small()
    with pytest.raises(Diverged, match="some pixels are"):
        fit(model, train, epochs=2)
    assert not model.training


@pytest.mark.parametrize(
    ("split", "error", "words"),
    [
        ((torch.rand(8, 12, 12), torch.zeros(8).long()), ValueError, r"shape \(N, channels, height, width\)"),
        ((torch.zeros(8, 1, 12, 12).byte(), torch.zeros(8).long()), TypeError, "divide by 255"),
        ((torch.rand(8, 1, 12, 12), torch.zeros(7).long()), ValueError, "8 images and 7 labels"),
        ((torch.rand(0, 1, 12, 12), torch.zeros(0).long()), ValueError, "0 images"),
        ((torch.rand(8, 1, 12, 12), torch.arange(8)), ValueError, "labels run from 0 to 7.*4 outputs.*classes=8"),
        ((torch.rand(8, 1, 12, 12), torch.full((8,), -1)), ValueError, "labels run from -1"),
        ((torch.rand(8, 1, 12, 12), torch.rand(8)), TypeError, "Labels are class numbers"),
        ((torch.rand(8, 1, 12, 12), torch.eye(8)), ValueError, r"One label per image.*argmax"),
        (
            (torch.rand(8, 1, 14, 14), torch.zeros(8).long()),
            ValueError,
            r"does not accept .* \(1, 14, 14\)",
        ),
        (
            (torch.rand(8, 3, 12, 12), torch.zeros(8).long()),
            ValueError,
            r"does not accept .* \(3, 12, 12\)",
        ),
    ],
)
def test_data_that_does_not_fit_is_explained_before_anything_is_trained(split, error, words):
    model = small()
    before = weights(model)
    with pytest.raises(error, match=words) as info:
        fit(model, split)
    assert "\n" not in str(info.value).strip()
    assert same(before, weights(model))


@pytest.mark.parametrize("images", [torch.float64, torch.float16])
@pytest.mark.parametrize("labels", [torch.int32, torch.uint8])
def test_other_number_formats_are_taken_as_they_are_meant(images, labels):
    train, model, reference = quadrants(64), small(), small()
    fit(model, (train.images.to(images), train.labels.to(labels)), fast=False)
    fit(reference, (train.images.to(images).float(), train.labels), fast=False)
    assert same(weights(model), weights(reference))


def test_numpy_arrays_and_strided_views():
    train = quadrants(64)
    pair = (train.images.numpy()[::2].copy()[::-1], train.labels.numpy()[::2][::-1])
    history = fit(small(), pair, Split(train.images.numpy(), train.labels.numpy()))
    assert history.epochs[-1].validation_accuracy is not None


# -- it leaves no trace -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [True, False])
def test_the_same_seed_repeats_and_another_does_not(fast):
    runs = []
    for seed in (4, 4, 5):
        model = small(dropout=0.5)
        runs.append((fit(model, quadrants(160), seed=seed, fast=fast).losses, weights(model)))
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])
    assert runs[0][0] != runs[2][0]


def test_state_afterwards():
    model, train = small(dropout=0.5), quadrants(64)
    model.train()
    kept = train.images.clone(), train.labels.clone()
    fit(model, train, quadrants(16))
    assert not any(m.training for m in model.modules())
    for parameter in model.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.device.type == "cpu"
        assert parameter.is_contiguous()
        assert parameter.requires_grad
        assert parameter.grad is None
    assert torch.equal(train.images, kept[0])
    assert torch.equal(train.labels, kept[1])


def test_state_after_an_error_in_watch():
    model = small()

    def break_down(history):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fit(model, quadrants(64), watch=break_down)
    assert not model.training
    assert all(p.grad is None and p.is_contiguous() for p in model.parameters())


def test_nothing_is_printed_or_warned(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(small(), quadrants(64), quadrants(16), watch=plots.LiveCurves(every=0))
    assert capfd.readouterr() == ("", "")


def test_the_bar_writes_only_to_stderr_and_goes_away(capfd):
    training.fit(small(), quadrants(64), device="cpu")
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err


# -- pictures of a run --------------------------------------------------------------------------------------------


def test_live_curves_in_a_notebook_draw_once_and_then_move(monkeypatch):
    shown, moved = [], []

    class Handle:
        def update(self, picture):
            moved.append(picture)

    def display(picture, display_id=None):
        shown.append(picture)
        return Handle()

    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("helpers.plots.live.time", SimpleNamespace(perf_counter=lambda: 0.0))  # drawing takes no time
    history = fit(small(), quadrants(96), quadrants(16), watch=plots.LiveCurves(every=0))
    assert len(shown) == 1
    assert len(moved) == 3  # two more steps, and the end
    assert f"{history.epochs[-1].validation_accuracy:.2%}" in moved[-1].alt


def test_precision_is_recorded(monkeypatch):
    for has in (True, False):
        monkeypatch.setattr(training, "fast_bfloat16", lambda kind, has=has: has)
        history = fit(small(), quadrants(64))
        assert (history.precision, history.device) == ("bfloat16" if has else "float32", "cpu")
    assert fit(small(), quadrants(64), fast=False).precision == "float32"


@pytest.mark.skipif(device.best_device() == "cpu", reason="this computer has no accelerator")
def test_on_an_accelerator_the_network_comes_home():
    model = small()
    history = training.fit(model, quadrants(256), epochs=15, bar=False)
    assert history.device == device.best_device()
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert running.accuracy(model, quadrants(200, seed=1)) > 0.9


def test_smoothed_labels_keep_the_network_from_certainty():
    train = quadrants(64)
    sure = {}
    for smooth in (0.0, 0.3):
        torch.manual_seed(0)
        model = small()
        fit(model, train, epochs=30, smooth=smooth, shift=0, batch_size=32, bar=False, device="cpu")
        sure[smooth] = torch.softmax(running.predict(model, train.images), 1).max(1).values.mean()
    assert sure[0.3] < sure[0.0] - 0.05
    with pytest.raises(ValueError, match="smooth"):
        fit(small(), train, smooth=1.0)
