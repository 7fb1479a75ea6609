"""What this computer has: the fastest device, bfloat16 in hardware, and an allocator that keeps freed memory."""

from __future__ import annotations

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
    """Have the C library keep what is freed, once in a process.

    By default it hands the memory of each layer's output back to the system and asks for it again for the next batch,
    which can take as long as the layer. Freeing one block of just under 32 MB raises its limit (glibc; harmless
    elsewhere).
    """
    torch.empty(31 << 20, dtype=torch.uint8)
