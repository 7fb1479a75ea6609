"""The patches that excite a first layer most, against every patch cut out and multiplied by hand."""

import pytest
import torch
from torch import nn

from helpers.inside.patches import most_exciting
from helpers.network import photonet


def images(*sides, channels=3):
    made = {f"image {i}": torch.rand(channels, *side) for i, side in enumerate(sides)}
    return {name: image.transpose(1, 2).contiguous().transpose(1, 2) for name, image in made.items()}  # not contiguous


@pytest.mark.parametrize(("channels", "kernel", "stride", "seed"), [(3, 7, 2, 0), (1, 5, 1, 1), (2, 3, 3, 2)])
def test_no_patch_excites_a_filter_more(channels, kernel, stride, seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(channels, 9, kernel, stride), nn.ReLU())
    photos = images((19, 26), (31, 17), (12, 12), channels=channels)
    found = most_exciting(model, photos, "0")
    every = torch.cat([nn.functional.unfold(x[None], kernel, stride=stride)[0] for x in photos.values()], dim=1)
    answers = model[0].weight.flatten(1) @ every + model[0].bias[:, None]
    torch.testing.assert_close(found.values, answers.max(1).values.detach())
    torch.testing.assert_close(found.patches.flatten(1), every.T[answers.argmax(1)])
    for patch, source, (row, column) in zip(found.patches, found.sources, found.corners.tolist(), strict=True):
        torch.testing.assert_close(patch, photos[source][:, row : row + kernel, column : column + kernel])
    assert len(set(found.sources)) > 1


def test_the_photograph_network_sees_images_through_its_door():
    network, photos = photonet.untrained(), images((33, 41), (57, 25))
    found = most_exciting(network, photos)
    own = (network.conv1.weight * (255 * found.patches - network.door.mean)).sum((1, 2, 3)) + network.conv1.bias
    torch.testing.assert_close(found.values, own.detach(), rtol=1e-4, atol=1e-3)
    assert found.patches.shape == (96, 3, 7, 7)


def test_what_it_cannot_cut_is_refused():
    padded = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1))
    with pytest.raises(ValueError, match="without padding"):
        most_exciting(padded, images((9, 9)), "0")
    with pytest.raises(ValueError, match="without padding"):
        most_exciting(photonet.untrained(), images((33, 33)), "relu1")
    with pytest.raises(ValueError, match="at least one image"):
        most_exciting(photonet.untrained(), {})
