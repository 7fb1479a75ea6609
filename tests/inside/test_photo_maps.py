"""Maps of one photograph that keep the way through the network: the same numbers as the methods that run it anew."""

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from helpers.inside import attribution, photo_maps
from helpers.inside.occlusion import occlusion
from helpers.network import photonet
from helpers.network.running import predict

CLASSES = (285, 967)


@pytest.fixture(scope="module", params=["trained or its stand-in", "untrained"])
def network(request):
    return photonet.load() if request.param != "untrained" else photonet.untrained(3)


@pytest.fixture(scope="module")
def image():
    return torch.rand(3, 83, 97, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def maps(network, image):
    return photo_maps.PhotoMaps(network, image)


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize("target", CLASSES)
def test_the_maps_are_those_of_the_methods_in_any_order(network, image, maps, target):
    x = image[None]
    for _ in range(2):  # what is kept survives being asked
        found = maps.of(target)
        close(found.guided, attribution.guided_backprop(network, x, target)[0])
        close(found.gradient, attribution.saliency(network, x, target)[0])
    close(found.class_map, photonet.class_maps(network, x)[0, target])
    close(maps.logits, predict(network, x)[0])
    assert tuple(found.grad_cam) == photo_maps.LAYERS
    for layer, cam in found.grad_cam.items():
        close(cam, attribution.grad_cam(network, x, target, layer)[0])
    for layer, small in {**found.grad_cam, "maps": found.class_map}.items():
        close(photo_maps.placed(small, layer, (83, 97)), attribution.place(small[None], network, x, layer)[0])


def test_maps_can_be_asked_for_where_gradients_are_off_and_beside_another_thread(network, image, maps):
    wanted = maps.of(CLASSES[0]).gradient
    done = threading.Event()

    def mask():
        while not done.is_set():
            list(photo_maps.refined(network, image[:, :60, :60]))

    with ThreadPoolExecutor(1) as other, torch.no_grad():
        masking = other.submit(mask)
        try:
            for _ in range(3):
                close(photo_maps.PhotoMaps(network, image).of(CLASSES[0]).gradient, wanted)
        finally:
            done.set()
        masking.result()


def test_the_network_is_left_as_it_was(network, image):
    network.train()
    maps = photo_maps.PhotoMaps(network, image)
    maps.of(3), list(photo_maps.refined(network, image))
    assert all(module.training for module in network.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in network.modules())
    assert all(p.grad is None for p in network.parameters())
    assert not image.requires_grad
    network.eval()


@pytest.mark.parametrize("shape", [(3, 83, 97), (3, 227, 227), (3, 21, 24)])
def test_the_first_masks_give_the_coarse_map_and_the_last_the_fine_one(network, shape):
    image = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    steps = list(photo_maps.refined(network, image, 0.3))
    step = max(1, round(min(shape[1:]) / 14))
    assert [len(s.boxes) for s in steps] == sorted({len(s.boxes) for s in steps})
    assert all(len(s.boxes) + s.left == len(steps[-1].boxes) for s in steps)
    assert steps[-1].left == 0
    assert all(s.map(285).shape == shape[1:] for s in steps)
    fine = occlusion(network, image, 3 * step, step, 0.3)
    close(steps[-1].map(285), fine.map(285))
    if shape[1] == 227:
        close(steps[0].map(285), occlusion(network, image, 48, 48, 0.3).map(285))
        assert [len(s.boxes) for s in steps][:2] == [25, 41]


def test_maps_that_nobody_needs_anymore_leave_the_memory_at_once(network, image):
    maps = photo_maps.PhotoMaps(network, image)
    found = maps.of(3)
    gone = weakref.ref(maps), weakref.ref(maps._kept["conv1"])
    del maps
    assert [find() for find in gone] == [None, None]
    held = [found.class_map, found.gradient, found.guided, *found.grad_cam.values()]
    assert sum(each.untyped_storage().nbytes() for each in held) < 40 * image.numel()


@pytest.mark.parametrize("seed", range(6))
def test_the_way_back_through_a_convolution_of_stride_2_is_pytorchs(seed):
    random = torch.Generator().manual_seed(seed)
    channels, filters, height, width, *more = torch.randint(1, 8, (6,), generator=random).tolist()
    sides = torch.Size((height + 9 + more[0], width + 9 + more[1]))
    layer = torch.nn.Conv2d(channels, filters, (height, width), stride=2, dtype=torch.float64)
    x = torch.rand((2, channels, *sides), generator=random, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    gradient = torch.rand(y.shape, generator=random, dtype=torch.float64).transpose(2, 3).contiguous().transpose(2, 3)
    (wanted,) = torch.autograd.grad(y, x, gradient)
    torch.testing.assert_close(photo_maps._before(layer, gradient, sides), wanted)


def test_what_it_does_not_have_is_refused(network, maps, image):
    with pytest.raises(ValueError, match="classes 0 to 999"):
        maps.of(1000)
    with pytest.raises(ValueError, match="at least 21×21"):
        photo_maps.PhotoMaps(network, image[:, :9])
