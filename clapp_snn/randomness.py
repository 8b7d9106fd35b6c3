"""Named random streams that depend on nothing but a master seed and a key.

A stream is found again from its key alone (`generator(seed, "saccade", step, group)`), so resuming a run
needs no stored generator state, and two processes that share a key draw the same numbers.
"""

import hashlib

import torch


def generator(seed: int, *key: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A `torch.Generator` on `device`, seeded by a hash of the master seed and the key parts.

    Streams with different keys are independent for all practical purposes (BLAKE2b, 63 bits).
    """
    text = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in key)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    stream = torch.Generator(device=device)
    stream.manual_seed(int.from_bytes(digest, "little") >> 1)
    return stream
