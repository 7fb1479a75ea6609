"""One setting of the C library without which large layers spend their time on asking for memory."""

from __future__ import annotations

from functools import cache

import torch


@cache
def keep_freed_memory() -> None:
    """Have the C library keep what is freed, once in a process.

    By default it hands the memory of each layer's output back to the system and asks for it again for the next batch,
    which can take as long as the layer. Freeing one block of just under 32 MB raises its limit (glibc; harmless
    elsewhere).
    """
    torch.empty(31 << 20, dtype=torch.uint8)
