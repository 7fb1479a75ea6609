"""Predictions and accuracy; that modes and random numbers are given back is in tests/inside/test_no_trace.py."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.data import Split
from helpers.network import running
from helpers.network.models import ConvNet


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_predict_is_the_network_in_evaluation_mode(batch_size):
    model, images = ConvNet(size=12, dropout=0.5), torch.rand(23, 1, 12, 12)
    got = running.predict(model, images, batch_size=batch_size)
    assert not got.requires_grad
    model.eval()
    torch.testing.assert_close(got, model(images).detach(), atol=1e-5, rtol=1e-5)


def test_accuracy_is_the_share_of_right_answers():
    class Says(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return F.one_hot((x.flatten(1)[:, 0] * 10).round().long(), 10).float()

    labels = torch.tensor([0, 1, 2, 3, 9])
    images = torch.tensor([0, 1, 2, 4, 9]).div(10).view(5, 1, 1, 1).expand(5, 1, 4, 4)
    assert running.accuracy(Says(), (images, labels)) == pytest.approx(0.8)
    assert running.accuracy(Says(), Split(images.numpy(), labels.numpy())) == pytest.approx(0.8)
