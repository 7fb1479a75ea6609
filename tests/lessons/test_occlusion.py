"""Plausible wrong answers and the hints they earn, and the occlusion explorer."""

import pytest
import torch

from helpers.explorers.occlusion import OcclusionExplorer, fill_of
from helpers.inside import attribution
from helpers.network.models import ConvNet


def painted(image, row, column, size, value=0.0, *, rows=None, columns=None, channel=slice(None), copy=True):
    image = image.clone() if copy else image
    rows = slice(row, row + size) if rows is None else rows(row, column, size)
    columns = slice(column, column + size) if columns is None else columns(row, column, size)
    image[channel, rows, columns] = value
    return image


def summed(drops, size, divide):
    total = torch.zeros(drops.shape[0] + size - 1, drops.shape[1] + size - 1)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            total[row : row + size, column : column + size] += drops[row, column]
    return total / divide


def overwritten(drops, size):
    total = torch.zeros(drops.shape[0] + size - 1, drops.shape[1] + size - 1)
    for row in range(drops.shape[0]):
        for column in range(drops.shape[1]):
            total[row : row + size, column : column + size] = drops[row, column]
    return total


def combined(formula, score=lambda z, c: z[c]):
    def synergy(model, image, target, first, second, size=7):
        scores = []
        for places in ((), (first,), (second,), (first, second)):
            covered = image.clone()
            for row, column in places:
                covered[:, row : row + size, column : column + size] = 0
            scores.append(score(model(covered[None])[0].detach(), target))
        return formula(*scores)

    return synergy


def right(none, one, two, both):
    return (none - both) - (none - one) - (none - two)


WRONG = {
    "occlusion/cover": [
        (lambda: (lambda *a: painted(*a, copy=False),), "painted over"),
        (
            lambda: (
                lambda *a: painted(*a, rows=lambda r, c, s: slice(c, c + s), columns=lambda r, c, s: slice(r, r + s)),
            ),
            "exchanged",
        ),
        (lambda: (lambda i, r, c, s, v: painted(i, r, c, s),), "not always 0"),
        (lambda: (lambda *a: painted(*a, channel=0),), "first channel"),
        (lambda: (lambda *a: painted(*a, rows=lambda r, c, s: slice(r, r + s - 1)),), "should begin"),
        (lambda: (lambda i, *_: i[0],), "shape"),
    ],
    "occlusion/how-many": [
        (lambda: (36,), "stay uncovered"),
        (lambda: (484,), "stride 1"),
        (lambda: (16,), "not by 7"),
        (lambda: (7,), "in a column"),
        (lambda: (25,), "List the starts"),
    ],
    "occlusion/spread": [
        (lambda: (lambda d, s: summed(d, s, 1),), "divide"),
        (lambda: (lambda d, s: summed(d, s, s * s),), "at the border fewer"),
        (lambda: (overwritten,), "overwrites"),
        (lambda: (lambda d, s: d,), "shape"),
        (lambda: (lambda d, s: torch.zeros(9, 12),), "belongs to all pixels"),
    ],
    "occlusion/synergy": [
        (lambda: (combined(lambda n, a, b, both: n - both),), "joint drop"),
        (lambda: (combined(lambda *s: -right(*s)),), "turned around"),
        (lambda: (combined(lambda n, a, b, both: n - a + n - b),), "sum of the single drops"),
        (lambda: (combined(right, lambda z, c: z.softmax(0)[c]),), "not the probability"),
        (lambda: (combined(lambda n, a, b, both: both - a - b),), "measured from it"),
        (lambda: (lambda *_: "much",), "one number"),
    ],
}


@pytest.fixture
def tool():
    torch.manual_seed(0)
    model = ConvNet().eval()
    images = torch.rand(3, 1, 28, 28)
    return OcclusionExplorer(model, images, torch.tensor([1, 2, 3]), range(10), size=5, stride=2)


def test_every_control_of_the_explorer_changes_the_picture(tool):
    changes = {"image": 1, "size": 9, "row": 3, "target": 7, "stride": 3, "column": 15, "fill": "white"}
    for name, value in changes.items():
        before = tool.image.value
        tool.set(**{name: value})
        assert tool.error.value == ""
        assert tool.image.value != before, name


@pytest.mark.parametrize("fill", ["black", "gray", "white", "mean", "blur"])
def test_the_explorer_draws_the_numbers_of_the_library(tool, fill):
    tool.set(fill=fill, target=4, image=2, row=6, column=8)
    image = tool.images[2]
    plain = attribution.occlusion(tool.model, image, 5, 2, fill_of(fill, image)).maps[4]
    drawn = torch.as_tensor(tool._map.get_array().data)
    assert torch.allclose(drawn / drawn.abs().max(), plain / plain.abs().max(), atol=1e-3)
    covered = image.clone()
    value = fill_of(fill, image)
    covered[:, 6:11, 8:13] = value[:, 6:11, 8:13] if torch.is_tensor(value) else value
    chances = tool.model(covered[None]).softmax(1)[0]
    assert [bar.get_width() for bar in tool._bars] == pytest.approx(chances.tolist(), abs=1e-5)


def test_a_stride_that_leaves_gaps_is_explained_and_not_drawn(tool):
    before = tool.image.value
    tool.set(size=2, stride=5)
    assert "stride" in tool.error.value
    assert tool.image.value == before


def test_a_network_that_is_not_a_chain_is_explored_all_the_same():
    class Skip(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 1, 3, padding=1)
            self.out = torch.nn.Linear(144, 4)

        def forward(self, x):
            return self.out((x + self.conv(x).relu()).flatten(1))

    torch.manual_seed(0)
    model, images = Skip().eval(), torch.rand(2, 1, 12, 12)
    tool = OcclusionExplorer(model, images, torch.tensor([0, 1]), range(4), size=3, row=2, column=2)
    assert tool.error.value == ""


def test_an_unknown_fill_is_named():
    with pytest.raises(ValueError, match="black, gray, white, mean, blur"):
        fill_of("red", torch.rand(1, 8, 8))
