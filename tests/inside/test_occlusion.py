"""Occlusion: the definition written out slowly, Captum and closed forms as oracles; the fast ways give the same."""

import copy
import math

import captum.attr as captum
import numpy as np
import pytest
import torch
from torch import nn

from helpers.inside import attribution as at
from helpers.inside.occlusion import cover, window_starts
from helpers.inside.occlusion_incremental import incremental_logits, stages_of
from helpers.network import photonet
from helpers.network.models import ConvNet, DenseNet

GEOMETRIES = [(7, 1), (7, 3), (7, 4), (7, 7), (6, 5), (5, 2), (8, 8)]
both_ways = pytest.mark.parametrize("incremental", [False, True], ids=["plain", "incremental"])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ConvNet().eval()


@pytest.fixture
def x():
    return torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))


def by_hand(model, x, size, stride, value):
    """Mask, score, slide; then the mean drop of the masks over each pixel. No batch, no trick."""
    height, width = x.shape[1:]
    rows = [i * stride for i in range(math.ceil((height - size) / stride) + 1)]
    columns = [i * stride for i in range(math.ceil((width - size) / stride) + 1)]
    with torch.no_grad():
        base = model(x[None])[0]
        logits = torch.zeros(len(rows), len(columns), len(base), dtype=x.dtype)
        total, count = torch.zeros(len(base), height, width, dtype=x.dtype), torch.zeros(height, width, dtype=x.dtype)
        for i, top in enumerate(rows):
            for j, left in enumerate(columns):
                masked = x.clone()
                masked[:, top : top + size, left : left + size] = value
                logits[i, j] = model(masked[None])[0]
                total[:, top : top + size, left : left + size] += (base - logits[i, j])[:, None, None]
                count[top : top + size, left : left + size] += 1
    return logits, total / count


@both_ways
@pytest.mark.parametrize(("size", "stride"), GEOMETRIES)
def test_equals_captum_for_all_classes_at_once(model, x, size, stride, incremental):
    ours = at.occlusion(model, x, size, stride, incremental=incremental)
    theirs = captum.Occlusion(model).attribute(
        x[None], (1, size, size), (1, stride, stride), target=None, perturbations_per_eval=64
    )
    torch.testing.assert_close(ours.maps, theirs[:, 0], rtol=0, atol=1e-7)


@both_ways
@pytest.mark.parametrize(
    ("size", "stride", "value"), [(28, 1, 0.0), (1, 1, 0.4), (9, 6, -0.5), (3, 3, 1.0), (13, 5, 0.2)]
)
def test_equals_the_definition_written_out(model, x, size, stride, value, incremental):
    model, x = model.double(), x.double()
    logits, maps = by_hand(model, x, size, stride, value)
    ours = at.occlusion(model, x, size, stride, value, incremental=incremental)
    torch.testing.assert_close(ours.logits, logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.maps.double(), maps, rtol=0, atol=1e-7)
    torch.testing.assert_close(ours.base, model(x[None])[0].detach(), rtol=0, atol=1e-12)
    assert torch.equal(ours.predicted, logits.argmax(-1))
    torch.testing.assert_close(ours.drops, ours.base - logits)
    torch.testing.assert_close(ours.probabilities.sum(-1), torch.ones_like(logits[..., 0]))


def test_linear_model_in_closed_form():
    g = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 6 * 5, 3)).double()
    w, x = model[1].weight.data.view(3, 2, 6, 5), torch.rand(2, 6, 5, generator=g, dtype=torch.float64)
    for value in (0.0, 0.7):
        single = at.occlusion(model, x, 1, 1, value).maps.double()
        torch.testing.assert_close(single, (w * (x - value)).sum(1), rtol=0, atol=1e-6)
    x = x[:, :5]
    model = nn.Sequential(nn.Flatten(), nn.Linear(50, 3)).double()
    whole = at.occlusion(model, x, 5, 1, 0.3)
    drop = (model(x[None]) - model(torch.full_like(x, 0.3)[None]))[0].detach()
    torch.testing.assert_close(whole.maps.double(), drop[:, None, None].expand(3, 5, 5), rtol=0, atol=1e-6)
    assert whole.logits.shape == (1, 1, 3)


@both_ways
@pytest.mark.parametrize("chunk", [1, 5, 64, 1000])
def test_chunks_change_nothing(model, x, chunk, incremental):
    one, other = (at.occlusion(model, x, 7, 3, 0.5, chunk=c, incremental=incremental) for c in (None, chunk))
    torch.testing.assert_close(one.logits, other.logits, rtol=0, atol=1e-6)


@both_ways
def test_masks_that_change_nothing_drop_nothing(model, incremental):
    x = torch.zeros(1, 28, 28)
    x[0, 10:18, 12:16] = 1
    result = at.occlusion(model, x, incremental=incremental)
    top, left, bottom, right = result.windows.unbind(-1)
    blank = (bottom <= 10) | (top >= 18) | (right <= 12) | (left >= 16)
    assert blank.any()
    assert (result.drops[blank] == 0).all()
    assert (result.drops[~blank].abs().amax(-1) > 0).all()
    empty = at.occlusion(model, torch.zeros(1, 28, 28), incremental=incremental)
    assert not empty.maps.any()
    assert empty.logits.shape == (22, 22, 10)


@both_ways
def test_values_of_every_kind(incremental):
    torch.manual_seed(0)
    model = ConvNet(channels=3, size=20).eval()
    x = torch.rand(3, 20, 20)
    blurred = nn.functional.avg_pool2d(x[None], 5, 1, 2)[0]
    for value, same in (
        (0.5, torch.full_like(x, 0.5)),
        ([0.1, 0.2, 0.9], torch.tensor([0.1, 0.2, 0.9])),
        (blurred, blurred),
    ):
        ours = at.occlusion(model, x, 6, 5, value, incremental=incremental)
        expected = same if same.ndim == 3 else same[:, None, None].expand_as(x)
        for i, row in enumerate(ours.windows):
            for j, (top, left, bottom, right) in enumerate(row.tolist()):
                masked = x.clone()
                masked[:, top:bottom, left:right] = expected[:, top:bottom, left:right]
                torch.testing.assert_close(ours.logits[i, j], model(masked[None])[0].detach(), rtol=0, atol=1e-6)
                assert torch.equal(cover(x, top, left, 6, value), masked)
    as_array = at.occlusion(model, x.numpy(), 6, 5, blurred.numpy(), incremental=incremental)
    torch.testing.assert_close(as_array.maps, ours.maps)


def test_windows_start_at_multiples_of_the_stride_and_the_last_is_cut():
    assert window_starts(28, 7, 7) == [0, 7, 14, 21]
    assert window_starts(28, 6, 5) == [0, 5, 10, 15, 20, 25]
    assert window_starts(28, 28, 1) == [0]
    for n in range(1, 15):
        for size in range(1, n + 1):
            for stride in range(1, size + 1):
                starts = window_starts(n, size, stride)
                assert {p for s in starts for p in range(s, min(s + size, n))} == set(range(n))
                assert len(starts) == math.ceil((n - size) / stride) + 1


@pytest.mark.parametrize(
    "arguments",
    [{"size": 29}, {"size": 30, "filters": (3, 2)}, {"size": 31, "channels": 2}, {"size": 10, "hidden": 3}],
    ids=["29, pooling drops a row", "30", "31", "10, one last pixel"],
)
@pytest.mark.parametrize(("size", "stride"), [(7, 3), (4, 1), (1, 1), (10, 2)])
def test_incremental_is_exact_for_convnets_of_every_size(arguments, size, stride):
    torch.manual_seed(1)
    model = ConvNet(**arguments).double().eval()
    x = torch.rand(arguments.get("channels", 1), arguments["size"], arguments["size"]).double()
    plain, fast = (at.occlusion(model, x, size, stride, 0.3, incremental=way) for way in (False, True))
    torch.testing.assert_close(fast.logits, plain.logits, rtol=0, atol=1e-12)
    assert plain.drops.abs().max() > 1e-4


def test_incremental_is_for_a_convnet_as_it_was_built(model, x):
    class Other(ConvNet):
        def forward(self, x):
            return super().forward(1 - x)

    padded, averaging, longer = ConvNet(), ConvNet(), ConvNet()
    padded.features.conv1.padding, padded.features.conv2.padding = (1, 1), (1, 1)
    padded.classifier.hidden = nn.Linear(64 * 7 * 7, 128)
    averaging.features.pool2 = nn.AvgPool2d(2)
    longer.features.relu3 = nn.ReLU()
    hooked = ConvNet()
    hooked.features.conv1.register_forward_hook(lambda module, inputs, output: 2 * output)
    for other in (DenseNet(), Other(), padded, averaging, longer, hooked):
        with pytest.raises(ValueError, match="for a ConvNet or PhotoNet as it was built"):
            at.occlusion(other, x, incremental=True)
        automatic, plain = (at.occlusion(other, x, 7, 7, incremental=way) for way in (None, False))
        assert torch.equal(automatic.logits, plain.logits)
    automatic, fast = (at.occlusion(model, x, 7, 7, incremental=way) for way in (None, True))
    assert torch.equal(automatic.logits, fast.logits)
    with pytest.raises(ValueError, match="does not accept images of shape"):
        at.occlusion(model, x[:, :20], incremental=True)


# Photographs: three channels, a thousand classes, a network of 37 layers


@pytest.fixture(scope="module")
def squeezenet():
    return photonet.load()  # or its stand-in with random weights


def photograph(height, width, seed=0):
    """Blobs of color in [0, 1]."""
    small = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)[0]


def test_a_photograph_equals_captum_for_one_class(squeezenet):
    x = photograph(83, 83)
    ours = at.occlusion(squeezenet, x, 24, 17, 0.5)
    target = int(ours.base.argmax())
    theirs = captum.Occlusion(squeezenet).attribute(
        x[None], (3, 24, 24), (3, 17, 17), 0.5, target, perturbations_per_eval=5
    )
    torch.testing.assert_close(ours.map(target), theirs[0, 0], rtol=0, atol=2e-5)
    torch.testing.assert_close(ours.map(target), theirs[0, 2], rtol=0, atol=2e-5)


def test_one_map_is_that_of_all_the_maps(model, x, squeezenet):
    for network, image, classes in ((model, x, range(10)), (squeezenet, photograph(40, 51), (0, 999))):
        found = at.occlusion(network, image, 9, 7, 0.2)
        assert found.maps.shape == (len(found.base), *image.shape[1:])
        for target in classes:
            torch.testing.assert_close(found.map(target), found.maps[target], rtol=0, atol=0)
        for bad in (-1, len(found.base), 1.5, True):
            with pytest.raises(ValueError, match="is not one of them"):
                found.map(bad)


@pytest.mark.parametrize(
    ("sides", "size", "stride", "value", "chunk"),
    [
        ((227, 227), 48, 48, [0.1, 0.5, 0.9], None),
        ((227, 227), 5, 5, 0.5, 7),
        ((227, 227), 1, 1, 1.0, None),
        ((227, 227), 200, 27, 0.0, 2),
        ((83, 115), 30, 11, 0.5, None),
        ((228, 84), 21, 20, 0.3, 3),
        ((35, 35), 12, 5, 0.5, None),
    ],
)
def test_incremental_is_exact_for_photographs(squeezenet, sides, size, stride, value, chunk):
    """In double precision, for masks in corners, at edges and amid, from one pixel to nearly all of them."""
    network = copy.deepcopy(squeezenet).double()
    x = photograph(*sides).double()
    pieces, fill = stages_of(network, sides), torch.tensor(value).double()
    assert pieces is not None
    fill = (fill[:, None, None] if fill.ndim else fill).expand_as(x)
    starts = [window_starts(side, size, stride) for side in sides]
    tops, lefts = ([s[0], s[1], s[len(s) // 2], s[-1]] for s in starts)
    boxes = [(t, left, min(t + size, sides[0]), min(left + size, sides[1])) for t in tops for left in lefts[::-1]]
    boxes = torch.tensor(boxes)[:: 1 if size > 20 else 3]
    with torch.no_grad():
        fast = incremental_logits(pieces, x, fill, boxes, chunk or len(boxes))
        for (top, left, bottom, right), logits in zip(boxes.tolist(), fast, strict=True):
            masked = x.clone()
            masked[:, top:bottom, left:right] = fill[:, top:bottom, left:right]
            torch.testing.assert_close(logits, network(masked[None])[0], rtol=0, atol=1e-6)
    assert (fast - network(x[None])).abs().max() > 1e-4


def test_incremental_is_for_a_photonet_as_it_was_built(squeezenet):
    other, watched, inplace = (copy.deepcopy(squeezenet) for _ in range(3))
    other.pool4.ceil_mode = False
    watched.fire3.squeeze.register_forward_hook(lambda *_: None)
    inplace.fire9.squeeze_relu = nn.LeakyReLU()
    for network in (other, watched, inplace):
        assert stages_of(network, (227, 227)) is None
    for sides, fits in (((227, 227), True), ((228, 227), True), ((226, 227), False), ((96, 96), False)):
        assert (stages_of(squeezenet, sides) is not None) == fits
    x = photograph(51, 51)
    automatic, plain = (at.occlusion(squeezenet, x, 25, 13, 0.5, incremental=way) for way in (None, False))
    torch.testing.assert_close(automatic.logits, plain.logits, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="for a ConvNet or PhotoNet as it was built"):
        at.occlusion(squeezenet, photograph(64, 64), 25, 13, incremental=True)


@both_ways
def test_every_image_layout_is_the_same(model, x, incremental):
    wanted = at.occlusion(model, x, 7, 7, incremental=incremental).logits
    strided = torch.empty(1, 28, 56)[..., ::2].copy_(x)
    for same in (strided, x.numpy(), x.double(), np.asfortranarray(x.numpy()), x.clone().requires_grad_()):
        torch.testing.assert_close(at.occlusion(model, same, 7, 7, incremental=incremental).logits, wanted)


def test_bad_arguments_are_named(model, x):
    for size in (0, 29, 3.5, True):
        with pytest.raises(ValueError, match="The mask's size has to be a whole number from 1 to 28"):
            at.occlusion(model, x, size)
    for stride in (0, 8):
        with pytest.raises(ValueError, match="The stride has to be from 1 to the mask's size 7"):
            at.occlusion(model, x, 7, stride)
    with pytest.raises(ValueError, match="value is a number, one for each of 1 channels or an image"):
        at.occlusion(model, x, value=[0.1, 0.2])
    with pytest.raises(ValueError, match="value holds NaN"):
        at.occlusion(model, x, value=float("nan"))
    with pytest.raises(ValueError, match=r"one image \(C, H, W\), got an array of shape \(1, 1, 28, 28\): x\[0\]"):
        at.occlusion(model, x[None])
    with pytest.raises(TypeError, match="divide by 255"):
        at.occlusion(model, (x * 255).to(torch.uint8))
    with pytest.raises(ValueError, match="chunk has to be"):
        at.occlusion(model, x, chunk=0)
    with pytest.raises(ValueError, match="does not accept images of shape"):
        at.occlusion(model, x.expand(3, -1, -1))
    with pytest.raises(ValueError, match="answer with logits"):
        at.occlusion(model.features, x)
