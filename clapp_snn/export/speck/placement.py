"""Which stage goes on which core.

Limits and formulas are those of sinabs 3.1.3 (`backend/dynapcnn/chips/dynapcnn.py`, `dynapcnn_layer.py` and
`validate_memory_speck.py`). Addresses are bit fields, so that kernels, maps and channels take up powers of 2:

    kernel memory  pre 2^(ceil log2(rows cols) + ceil log2 post)
    neuron memory  post 2^(ceil log2 rows + ceil log2 cols)

A stage needs a core to itself that has room for both.
"""

from typing import NamedTuple

from clapp_snn.export.canonical_layers import Conv2d
from clapp_snn.export.speck.cores import CoreStage

KIBI = 1024
BIAS_MEMORY = 1024
LARGEST_KERNEL = 16
CHANNELS = 1024
DESTINATIONS = 2


class Memory(NamedTuple):
    """Words of the memories of a core, or that a stage needs."""

    kernel: int
    neuron: int
    bias: int

    def fits(self, core: "Memory") -> bool:
        """Whether a core has room."""
        return all(mine <= its for mine, its in zip(self, core, strict=True))


CORES = tuple(
    Memory(kernel * KIBI, neuron * KIBI, BIAS_MEMORY)
    for kernel, neuron in (
        *((16, 64),) * 3,
        *((32, 32),) * 2,
        *((64, 16),) * 2,
        *((16, 16),) * 2,
    )
)


def memory(layer: Conv2d) -> Memory:
    """What a stage needs."""
    post, pre, *kernel = layer.weight.shape
    _, rows, cols = layer.output_shape
    return Memory(
        pre * _power(kernel[0] * kernel[1]) * _power(post),
        post * _power(rows) * _power(cols),
        post,
    )


def assign(stages: tuple[CoreStage, ...]) -> list[int | None]:
    """A core for as many stages as possible, None for the others; small cores first.

    A maximum bipartite matching, by augmenting paths (Kuhn 1955, doi:10.1002/nav.3800020109).
    """
    needs = [memory(stage.convolution) for stage in stages]
    by_size = sorted(range(len(CORES)), key=lambda core: (sum(CORES[core]), core))
    holder: dict[int, int] = {}
    for stage in range(len(stages)):
        _place(stage, needs, by_size, holder, set())
    core_of = {stage: core for core, stage in holder.items()}
    return [core_of.get(stage) for stage in range(len(stages))]


def _place(
    stage: int, needs: list[Memory], cores: list[int], holder: dict[int, int], tried: set[int]
) -> bool:
    """Give a stage a core, moving others if need be; changes `holder` and `tried`."""
    for core in cores:
        if core in tried or not needs[stage].fits(CORES[core]):
            continue
        tried.add(core)
        if core not in holder or _place(holder[core], needs, cores, holder, tried):
            holder[core] = stage
            return True
    return False


def largest_kernel_memory(need: Memory) -> int:
    """Of the cores that have room for the neurons of a stage, or of all if none has."""
    room = [core.kernel for core in CORES if need.neuron <= core.neuron]
    return max(room or [core.kernel for core in CORES])


def _power(number: int) -> int:
    """The next power of 2."""
    return 1 << (number - 1).bit_length()
