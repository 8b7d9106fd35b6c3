"""The page on circuits does what it says."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "circuit.md"


def test_the_page_runs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 4
    names: dict = {}

    exec(compile(blocks[0], "detector", "exec"), names)
    # The average over samples: 4.5 standard errors from the closed-form variance.
    error = float(names["variance"].sum().sqrt()) / len(names["true"])
    assert abs(float((names["score"].u - names["true"]).mean())) < 4.5 * error
    assert names["mean"].allclose(names["true"], atol=1e-5)

    exec(compile(blocks[1], "nucleus", "exec"), names)
    gamma = names["nucleus"].read(names["membranes"], names["y"]).gamma
    assert gamma.tolist() == [0, 1, 0, -1]

    exec(compile(blocks[2], "area", "exec"), names)
    assert names["reading"].score.shape == (8,)
    assert set(names["reading"].gamma.tolist()) <= {0.0, -1.0}

    exec(compile(blocks[3], "hierarchy", "exec"), names)
    assert names["events"].shape == (8, 2, 1, 16)
    assert names["events"].duration_ms == 2 * names["hierarchy"].steps
    assert (
        len(names["events"].to_numpy()["time_ms"]) > len(names["bursts"].to_numpy()["time_ms"]) > 0
    )
    assert len(names["scores"].to_numpy()["u_hat"]) == 16
