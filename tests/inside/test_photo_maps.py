"""Maps of one photograph that keep the way through the network: the same numbers as the methods that run it anew."""

import threading
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
    for layer in photo_maps.LAYERS:
        close(maps.grad_cam(target, layer), attribution.grad_cam(network, x, target, layer)[0])
    for _ in range(2):  # what is kept survives being asked
        close(maps.guided(target), attribution.guided_backprop(network, x, target)[0])
        close(maps.gradient(target), attribution.saliency(network, x, target)[0])
    close(maps.class_map(target), photonet.class_maps(network, x)[0, target])
    close(maps.logits, predict(network, x)[0])
    for layer in (*photo_maps.LAYERS, "maps"):
        small = maps.class_map(target) if layer == "maps" else maps.grad_cam(target, layer)
        close(maps.placed(small, layer), attribution.place(small[None], network, x, layer)[0])


def test_maps_can_be_asked_for_where_gradients_are_off_and_beside_another_thread(network, image, maps):
    wanted = maps.gradient(CLASSES[0])
    done = threading.Event()

    def mask():
        while not done.is_set():
            list(photo_maps.refined(network, image[:, :60, :60]))

    with ThreadPoolExecutor(1) as other, torch.no_grad():
        masking = other.submit(mask)
        try:
            for _ in range(3):
                close(photo_maps.PhotoMaps(network, image).gradient(CLASSES[0]), wanted)
        finally:
            done.set()
        masking.result()


def test_the_network_is_left_as_it_was(network, image):
    network.train()
    maps = photo_maps.PhotoMaps(network, image)
    maps.guided(3), maps.grad_cam(3, "fire2"), list(photo_maps.refined(network, image))
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


def test_what_it_does_not_have_is_refused(network, maps, image):
    with pytest.raises(ValueError, match="asked for at one of conv1"):
        maps.grad_cam(3, "fire1")
    with pytest.raises(ValueError, match="classes 0 to 999"):
        maps.gradient(1000)
    with pytest.raises(ValueError, match="at least 21×21"):
        photo_maps.PhotoMaps(network, image[:, :9])
