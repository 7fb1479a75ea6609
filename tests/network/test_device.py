"""What this computer has, and the setting without which large layers wait for memory."""

import platform
import subprocess
import sys

import pytest
import torch

from helpers.network import device
from tools import ROOT

PROGRAM = """
import resource
import torch
from helpers.network.device import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        layers = [torch.ones(3 << 19) for _ in range(6)]  # six outputs of 6 MB, as in a step of training
        del layers
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
faults()
print(faults())
"""


OPTIMIZER = """
import sys
import torch
from helpers.network import training

torch.optim.SGD([torch.zeros(3, requires_grad=True)], lr=0.1).step()
print(sys.modules.get("triton") is not None)
"""

PREDICT = """
import re
import torch
from helpers.network import models, running

def held():
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]) // 1024

images, model = torch.rand(10_000, 1, 28, 28), models.ConvNet()
running.predict(model, images[:500])
before = held()
running.predict(model, images)
print(held() - before)
"""


def test_the_first_optimizer_does_not_fetch_a_compiler_for_gpus_that_are_not_there():
    """Where Triton is installed, as on Linux, it would take 75 MB."""
    command = [sys.executable, "-c", OPTIMIZER]
    said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()
    assert said == str(torch.cuda.is_available() or torch.xpu.is_available())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries manage memory in their own ways")
def test_freed_memory_is_used_again_instead_of_asked_for_anew():
    """Left alone, about every second process asks for all of it anew, 184,000 pages; so two are tried."""
    command = [sys.executable, "-c", PROGRAM]
    tried = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    pages = [int(process.communicate()[0]) for process in tried]
    assert max(pages) < 2000


@pytest.mark.skipif(platform.system() != "Linux", reason="other systems do not tell how much a process ever held")
def test_many_images_are_predicted_in_the_memory_of_a_few():
    """When each part of the logits lay between the layers' outputs, about two processes of three grew by 73 MB."""
    command = [sys.executable, "-c", PREDICT]
    tried = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    grown = [int(process.communicate()[0]) for process in tried]
    assert max(grown) < 30


def test_the_best_device_exists_and_bfloat16_is_asked_for_by_device():
    best = device.best_device()
    assert torch.zeros(1, device=best).device.type == best
    assert device.fast_bfloat16("mps") is False
    assert isinstance(device.fast_bfloat16("cpu"), bool)
