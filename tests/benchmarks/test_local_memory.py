"""The memory benchmark counts bytes that are alive, and finds that local learning saves them."""

import torch

from benchmarks.local_memory import MIB, LiveBytes, layer_by_layer, measure, peak, table


def test_live_bytes_are_counted_once_and_freed() -> None:
    given = torch.zeros(1000)
    with LiveBytes() as count:
        count.forget([given])
        a = given + 1  # 4000 bytes
        b = a.view(10, 100)
        assert count.live == 4000
        c = torch.cat((b, b))  # 8000 more
        assert count.live == 12000
        del a, b
        assert count.live == 8000
        del c
        assert count.live == 0
    assert count.peak == 12000


def test_learning_layer_by_layer_saves_memory() -> None:
    for method in ("clapp-pp", "clapp-pp-dfb"):
        found = measure(method, 1 / 32, 2)
        assert 0 < found.local < 0.7 * found.backprop


def test_more_images_need_more_memory_and_weights_stay() -> None:
    weights, small = peak("clapp-pp", 1 / 32, 2, layer_by_layer)
    same, large = peak("clapp-pp", 1 / 32, 8, layer_by_layer)
    assert weights == same
    assert large > 2 * small


def test_the_table_names_methods_and_the_twin() -> None:
    text = table(("clapp-pp-pooled",), 1 / 32, 2)
    assert text.count("\n") == 3
    assert "| clapp-pp-end-to-end |" in text
    assert MIB == 1024**2
