"""The occlusion explorer: what it draws are the numbers of the library."""

import asyncio

import pytest
import torch

from helpers.explorers import occlusion
from helpers.explorers.occlusion import OcclusionExplorer
from helpers.inside import attribution
from helpers.inside.occlusion import fill_of
from helpers.network.models import ConvNet


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
    logits, base = tool.model(covered[None])[0], tool.model(image[None])[0]
    here = f"drop here {base[4] - logits[4]:.1f}".replace("-", "−")
    assert tool._name.get_text() == f"a 3, {here}"
    chances = logits.softmax(0)
    assert [bar.get_width() for bar in tool._bars.patches] == pytest.approx(chances.tolist(), abs=1e-5)


def test_the_next_image_is_found_ahead_and_little_is_kept(tool, monkeypatch):
    """In a loop, as in a kernel: who goes from image to image finds the next map ready; other settings cost nothing."""
    monkeypatch.setattr(occlusion, "KEPT", 2)
    seen = []
    real = attribution.occlusion

    def watched(model, image, size, *rest):
        seen.append((next(i for i in range(3) if torch.equal(image, tool.images[i])), size))
        return real(model, image, size, *rest)

    monkeypatch.setattr(occlusion.attribution, "occlusion", watched)

    async def walk():
        tool.set(image=1)
        await asyncio.sleep(0.1)
        assert seen == [(1, 5), (2, 5)]
        tool.set(image=2)
        await asyncio.sleep(0.1)
        assert seen == [(1, 5), (2, 5)]  # known, and there is no fourth image
        tool.set(size=7)
        tool.set(row=3)
        await asyncio.sleep(0.1)
        assert seen[2:] == [(2, 7)]
        assert len(tool._found) == 2

    asyncio.run(walk())


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
