"""What this computer has: the fastest device, bfloat16 in hardware, and an allocator that keeps freed memory.

On import it also sees to it that no memory goes to a compiler that this computer cannot use (:func:`spare_triton`).
"""

from __future__ import annotations

import sys
from functools import cache

import torch


def best_device() -> str:
    """``"cuda"`` or ``"mps"`` if this computer has one, else ``"cpu"``."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def fast_bfloat16(device: str = "cpu") -> bool:
    """Whether this device multiplies bfloat16 numbers in hardware; devices that only emulate it are slower."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "cpu":
        probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return False


@cache
def keep_freed_memory() -> None:
    """Make glibc keep freed memory instead of returning it to the system after every layer, once in a process.

    By default the memory of each layer's output is returned and asked for again for the next batch, which can take as
    long as the layer. Freeing one block of just under 32 MB raises glibc's threshold; other C libraries are unaffected.
    """
    torch.empty(31 << 20, dtype=torch.uint8)


def spare_triton() -> None:
    """Keep Triton, a compiler for GPUs, out of the memory of a computer that has none, where it would take 75 MB.

    The first optimizer of a process loads PyTorch's compiler, and that loads Triton if it can. ``None`` in
    ``sys.modules`` makes ``import triton`` fail, as it does on Windows and macOS, which PyTorch is prepared for.
    """
    if "triton" not in sys.modules and not (torch.cuda.is_available() or torch.xpu.is_available()):
        sys.modules["triton"] = None  # type: ignore[assignment]


spare_triton()
