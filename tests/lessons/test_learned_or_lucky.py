"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import numpy as np
import pytest
import torch
from torch import nn

from helpers import data
from helpers.filters import kernels
from helpers.inside import growth, transplant
from helpers.network import checkpoints, running
from helpers.network.hooks import hooked
from helpers.network.models import ConvNet
from tests.lessons.common import printing

BANK = np.stack([kernels.get(name) for name in kernels.NAMES])


def start():
    """The reference network before its training."""
    with running.seeded(0):
        return ConvNet(dropout=0.25).eval()


def rows(filters):
    return filters.flatten(1)


def units(filters):
    return rows(filters) / rows(filters).norm(dim=1, keepdim=True)


def best(filters, bank):
    along = rows(filters) @ units(bank).T
    index = along.abs().argmax(1)
    return index, along[torch.arange(len(filters)), index]


def grafted(filters, bank):
    index, along = best(filters, bank)
    return (units(bank)[index] * along[:, None]).view_as(filters)


def looped(filters, bank):
    out = []
    for w in filters:
        lines = [b / b.norm() for b in bank]
        u = max(lines, key=lambda u: abs((w * u).sum()))
        out.append(u * (w * u).sum())
    return out


def least_squares(filters, bank):
    multiples = [(w * b).sum() / (b * b).sum() * b for w in filters for b in bank]
    multiples = torch.stack(multiples).view(len(filters), len(bank), 3, 3)
    chosen = ((multiples - filters[:, None]) ** 2).sum((2, 3)).argmin(1)
    return multiples[torch.arange(len(filters)), chosen]


def peaks(maps):
    """The highest response of each channel."""
    return maps.amax(dim=(0, 2, 3))


def overwritten(maps):
    """A loop over the images that keeps what the last one says."""
    for image in maps:
        found = [c for c in range(len(image)) if not image[c].any()]
    return found


def in_any_image(maps):
    """Channels that are silent in at least one image."""
    return sorted({c for image in maps for c in range(len(image)) if not image[c].any()})


def zeroed(maps):
    """The right channels, after writing into the maps."""
    maps[maps < 0.5] = 0
    return (peaks(maps) == 0).nonzero()


RIGHT = {
    "learned_or_lucky/likeness": [
        lambda: (lambda a, b: abs((a * b).sum()) / a.norm() / b.norm(),),
        lambda: (lambda a, b: nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0).abs(),),
        lambda: (lambda a, b: abs(float(np.vdot(a, b))) / np.sqrt(float((a**2).sum() * (b**2).sum())),),
    ],
    "learned_or_lucky/dead": [
        lambda: (lambda maps: (peaks(maps) == 0).nonzero().ravel().tolist(),),
        lambda: (lambda maps: (peaks(maps) == 0).nonzero(),),
        lambda: (lambda maps: (peaks(maps) == 0).nonzero().squeeze(),),
        lambda: (lambda maps: (peaks(maps) == 0).nonzero().squeeze().tolist(),),
        lambda: (lambda maps: torch.where(peaks(maps.double()) == 0),),
        lambda: (lambda maps: np.flatnonzero(maps.numpy().max(axis=(0, 2, 3)) == 0),),
        lambda: (lambda maps: np.nonzero(~maps.numpy().any(axis=(0, 2, 3))),),
        lambda: (lambda maps: [c for c in range(maps.shape[1]) if not maps[:, c].any()],),
        lambda: (lambda maps: {c for c in range(maps.shape[1]) if not maps[:, c].any()},),
        lambda: (lambda maps: tuple(reversed([c for c in range(maps.shape[1]) if maps[:, c].sum() == 0])),),
        lambda: (lambda maps: [torch.tensor(c) for c in range(maps.shape[1]) if not maps[:, c].any()],),
    ],
    "learned_or_lucky/graft": [
        lambda: (grafted,),
        lambda: (looped,),
        lambda: (least_squares,),
        lambda: (lambda filters, bank: transplant.projected(filters, bank).numpy(),),
    ],
}

WRONG = {
    "learned_or_lucky/likeness": [
        (lambda: (lambda a, b: -(a * b).sum() / a.norm() / b.norm(),), "drop the sign"),
        (lambda: (lambda a, b: (a * b).sum() / a.norm() / b.norm(),), "sign should not count"),
        (lambda: (lambda a, b: (a * b).sum(),), "sum of the products"),
        (lambda: (lambda a, b: (a * b).sum().abs(),), "sum of the products"),
        (lambda: (lambda a, b: abs((a * b).sum()) / a.norm(),), "both lengths"),
        (lambda: (lambda a, b: abs((a * b).sum()) / b.norm(),), "both lengths"),
        (lambda: (lambda a, b: abs((a * b).sum()) / (a**2).sum() / (b**2).sum(),), "ROOT"),
        (lambda: (lambda a, b: abs(np.corrcoef(a.numpy().ravel(), b.numpy().ravel())[0, 1]),), "correlation"),
        (lambda: (lambda a, b: (a - b).norm(),), "distance"),
        (lambda: (lambda a, b: torch.tensor(1.0),), "drop the sign"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "learned_or_lucky/dead": [
        (lambda: (lambda maps: [c for c in range(1, maps.shape[1]) if not maps[:, c].any()],), "Mind the axes"),
        (lambda: (lambda maps: [c for c in range(maps.shape[1] - 1) if not maps[:, c].any()],), "Mind the axes"),
        (lambda: (lambda maps: (maps[0].amax(dim=(1, 2)) == 0).nonzero().ravel(),), "first image only"),
        (lambda: (lambda maps: (maps[-1].amax(dim=(1, 2)) == 0).nonzero().ravel(),), "last image only"),
        (lambda: (overwritten,), "last image only"),
        (lambda: (in_any_image,), "silent on some images only"),
        (lambda: (lambda maps: (peaks(maps) < 0.01).nonzero().ravel(),), "Faint is not dead"),
        (lambda: (lambda maps: (maps.mean((0, 2, 3)) < 1e-3).nonzero().ravel(),), "Faint is not dead"),
        (lambda: (lambda maps: (maps.amin(dim=(0, 2, 3)) == 0).nonzero().ravel(),), "zero at every place"),
        (lambda: (lambda maps: (maps[:, :, 0, 0].amax(0) == 0).nonzero().ravel(),), "zero at every place, for ALL"),
        (lambda: (lambda maps: (maps.median(0).values.amax((1, 2)) == 0).nonzero(),), "silent on some images only"),
        (lambda: (lambda maps: (peaks(maps) > 0).nonzero().ravel(),), "These are the living"),
        (lambda: (lambda maps: peaks(maps) == 0,), "not a mask"),
        (lambda: (lambda maps: (peaks(maps) == 0).tolist(),), "not a mask"),
        (lambda: (lambda maps: int((peaks(maps) == 0).sum()),), "not how many"),
        (lambda: (lambda maps: [],), "Mind the axes"),
        (lambda: (lambda maps: (maps.amax(dim=(1, 2, 3)) == 0).nonzero().ravel(),), "Mind the axes"),
        (lambda: (lambda maps: (peaks(maps) == 0).nonzero().ravel() + 1,), "Mind the axes"),
        (lambda: (lambda maps: (peaks(maps) == 0).nonzero().ravel()[:1],), "Mind the axes"),
        (lambda: (lambda maps: (peaks(maps) == 0).nonzero().repeat(2, 1),), "several times"),
        (lambda: (lambda maps: (maps.amin(dim=(0, 2, 3)) == 0).nonzero().ravel()[::-1],), "ValueError"),
        (lambda: (lambda maps: [float("nan")],), "NaN"),
        (lambda: (lambda maps: "none",), "the numbers of the dead channels"),
        (lambda: (zeroed,), "changed its argument `maps`"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (3,), "should be a function"),
    ],
    "learned_or_lucky/graft": [
        (lambda: (lambda f, b: units(b)[(rows(f) @ units(b).T).argmax(1)].view_as(f),), "u of the bank"),
        (lambda: (lambda f, b: b[best(f, b)[0]],), "at the strength of the bank"),
        (lambda: (lambda f, b: units(b)[best(f, b)[0]].view_as(f),), "length one"),
        (lambda: (lambda f, b: (units(b)[best(f, b)[0]] * best(f, b)[1].abs()[:, None]).view_as(f),), "sign is lost"),
        (lambda: (lambda f, b: (units(b)[best(f, b)[0]] * rows(f).norm(dim=1)[:, None]).view_as(f),), "sign is lost"),
        (lambda: (lambda f, b: f,), "filters themselves"),
        (lambda: (lambda f, b: f * 0,), "the unit filter u"),
        (lambda: (lambda f, b: b,), ""),
        (lambda: (printing,), "is there a `return`"),
    ],
}


# -- what the prose says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number", "before", "after"),
    [
        ("vertical edges", 9, 0.54, 0.98),
        ("horizontal edges", 4, 0.50, 0.93),
        ("falling diagonal", 21, 0.60, 0.90),
        ("rising diagonal", 13, 0.76, 0.86),
        ("box blur", 3, -0.66, -0.97),
    ],
)
def test_what_training_added_to_a_filter(name, number, before, after):
    kernel = kernels.get(name)[None]
    for network, wanted in ((start(), before), (checkpoints.load("mnist"), after)):
        found = transplant.cosines(network.features.conv1.weight[[number], 0], kernel)
        assert float(found) == pytest.approx(wanted, abs=0.01)


def test_filter_22_never_turned_and_only_faded():
    first, last = (n.features.conv1.weight[22].detach() for n in (start(), checkpoints.load("mnist")))
    assert float(transplant.cosines(first[None], last[None])) > 0.999
    assert float(last.norm() / first.norm()) == pytest.approx(np.exp(-0.05 * 9380 * 5e-4 / 0.1), abs=0.01)


def test_nobody_listens_to_dead_maps_and_hardly_to_6_and_28():
    network = checkpoints.load("mnist")
    weight = network.features.conv2.weight.detach()
    assert sorted(weight.norm(dim=(2, 3)).mean(0).argsort()[:3].tolist()) == [22, 28, 29]
    listened_to = weight.square().sum((0, 2, 3)).sqrt()
    assert (listened_to[[6, 28]] < 0.5 * listened_to.median()).all()  # "the next layer gives them little weight"
    with torch.no_grad():
        loudest = network.features[:2](data.load("mnist").test[:500].torch().images).amax((0, 2, 3))
    assert (loudest[[6, 28]] < 0.5 * loudest.median()).all()  # "They respond weakly"


def test_dead_channels_cost_nothing_and_most_lively_ones_are_missed():
    test, network = data.load("mnist").test[:2000], checkpoints.load("mnist")
    if not data.load("mnist").real:
        pytest.skip("a sentence about the real digits")
    images, labels = running.tensors_of(test)

    def losses(channels):
        def silence(module, inputs, output):
            return output.index_fill(1, torch.tensor(channels, dtype=torch.long), 0.0)

        with hooked([(network.features.relu1, silence)]):
            return nn.functional.cross_entropy(running.predict(network, images), labels, reduction="none")

    whole = losses([])
    assert (losses([22, 29]) - whole).abs().max() < 0.01, "not one image is read differently"
    alone = {c: float((losses([c]) - whole).mean()) for c in range(32) if c not in (22, 29)}
    assert sum(loss > 1e-4 for loss in alone.values()) > 20  # most of thirty, and not those two
    assert max(abs(alone[6]), abs(alone[28])) < 1e-4
    assert losses([9, 24]).mean() > whole.mean() + 0.005


def test_hand_made_filters_do_nearly_as_well_without_training_and_random_ones_do_not():
    test = data.load("mnist").test
    if not test.torch().images.shape[0] >= 10_000 or not data.load("mnist").real:
        pytest.skip("a sentence about the real digits")
    network = checkpoints.load("mnist")
    assert running.accuracy(transplant.transplant(network, BANK), test) == pytest.approx(0.9719, abs=0.002)
    images, labels = running.tensors_of(test)
    some = (images[:2000], labels[:2000])
    scores = []
    for seed in range(12):
        bank = torch.randn(13, 3, 3, generator=torch.Generator().manual_seed(seed))
        scores.append(running.accuracy(transplant.transplant(network, bank), some))
    assert max(scores) < 0.95
    assert 0.5 < np.median(scores) < 0.85
    smooth = []  # other draws than the lesson's
    for seed in range(20, 28):
        two = torch.randn(13, 1, 2, 2, generator=torch.Generator().manual_seed(seed))
        bank = torch.nn.functional.conv_transpose2d(two, torch.ones(1, 1, 2, 2))[:, 0]
        smooth.append(running.accuracy(transplant.transplant(network, bank), some))
    assert np.median(scores) < np.median(smooth) < 0.96
    assert max(smooth) > 0.9


def test_what_the_stored_run_shows():
    run = growth.load()
    accuracy = dict(zip(run.steps.tolist(), run.accuracy, strict=True))
    turned = dict(zip(run.steps.tolist(), run.turned.mean(1), strict=True))
    assert accuracy[49] == pytest.approx(0.20, abs=0.01)
    assert accuracy[506] == pytest.approx(0.93, abs=0.01)
    assert turned[506] == pytest.approx(0.96, abs=0.01)
    assert turned[9380] == pytest.approx(0.65, abs=0.01)
    assert accuracy[1340] > 0.95
    assert growth.STORED.stat().st_size < 1_500_000
