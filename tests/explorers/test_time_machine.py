"""The time machine shows the snapshot of its step, on axes and scales that stay."""

import numpy as np
import pytest
import torch

from helpers.explorers.time_machine import TimeMachine
from helpers.inside import growth
from helpers.network import training
from helpers.network.models import ConvNet
from helpers.network.snapshots import Snapshots


def test_it_shows_the_snapshot_of_its_step():
    tool = TimeMachine(step=0)
    run = tool.recording
    axes = tool._cloud.axis()
    for moment in (0, 20, len(run) - 1):
        tool.set(step=int(run.steps[moment]))
        np.testing.assert_allclose(tool._dots.get_offsets(), run.points[moment])
        assert f"{run.accuracy[moment]:.1%}" in tool._head.get_text()
        assert tool._cloud.axis() == axes


def test_a_live_run_and_an_own_drawing():
    torch.manual_seed(0)
    model = ConvNet(filters=(4, 6), hidden=16)
    snapshots = Snapshots(model, count=4)
    images, labels = torch.rand(40, 1, 28, 28), torch.arange(40) % 10
    training.fit(model, (images, labels), bar=False, watch=snapshots)
    run = growth.recorded(snapshots, images, labels, images[:2], labels[:2], points=20)
    assert run.points.shape == (len(snapshots), 20, 2)
    assert (run.confusion.sum((1, 2)) == 40).all()
    shown = model.features[:2](images[:1])[0].detach().numpy()
    np.testing.assert_allclose(run.maps(len(run) - 1, images[0, 0].numpy()), shown, atol=5e-3)
    own = np.zeros((28, 28))
    own[5:20, 10:13] = 1
    tool = TimeMachine(run, own=own)
    tool.set(digit=2)
    assert tool._said.get_text() == "your own"
    with pytest.raises(ValueError, match="numbers from 0 to 1"):
        TimeMachine(run, own=np.zeros((5, 5)))


def test_a_recording_comes_back_from_its_file(tmp_path):
    run = growth.load()
    run.save(tmp_path / "run.pt")
    again = growth.load(tmp_path / "run.pt")
    assert np.array_equal(run.confusion, again.confusion)
    np.testing.assert_allclose(run.points, again.points)
