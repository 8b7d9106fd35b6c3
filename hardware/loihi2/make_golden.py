"""Golden vectors of Loihi 2: what lava-nc 0.10 computes in fixed point.

    python make_golden.py FOLDER

writes loihi2_*.npz with inputs, parameters and results. Runs in Python 3.10 with lava-nc 0.10; see README.md.
"""

import sys
import time
from pathlib import Path

import numpy as np

PARAMETERS = (
    # du, dv, vth, bias, bias_exp, weights between, exponent, bits, activity
    (4095, 0, 300, 0, 0, (-100, 120), 0, 8, 0.2),
    (409, 100, 900, 3, 2, (-100, 120), 0, 8, 0.1),
    (100, 40, 131071, -5, 0, (-256, 255), 3, 8, 0.9),
    (0, 4095, 100000, 0, 0, (0, 255), 2, 6, 0.5),
    (200, 17, 2000, 4000, 4, (-255, 0), -2, 8, 0.5),
    (4095, 256, 700, 0, 0, (-128, 128), 0, 4, 0.3),
)
CONVOLUTIONS = (
    # shape, kernels, stride, padding, exponent, du, dv, vth
    ((2, 7, 6), (3, 2, 3, 3), (1, 1), (1, 1), 0, 4095, 0, 300),
    ((3, 9, 8), (2, 3, 3, 2), (2, 1), (0, 1), 2, 1000, 64, 900),
)
EXAMPLE_RULE = {
    "dw": "(1) * 2 ^ -5 * u0 * x1 * y1 + (-1) * 2 ^ -6 * u0 * x2 * y2",
    "dt": "(1) * 2 ^ 0 * u0 * x1 * y3 + (-1) * 2 ^ 0 * u0 * t",
    "x1_impulse": 16,
    "x1_tau": 8,
    "x2_impulse": 9,
    "x2_tau": 20,
    "epoch": 1,
    "seed": 7,
}
RULES = (
    (EXAMPLE_RULE, "nearest"),
    (EXAMPLE_RULE | {"epoch": 8}, "nearest"),
    (EXAMPLE_RULE | {"epoch": 4, "dw": "(3) * 2 ^ -6 * u2 * x1 * y1", "dt": None}, "nearest"),
    (EXAMPLE_RULE, "lava"),
    (EXAMPLE_RULE | {"epoch": 8}, "lava"),
)
WHOLE_RULE = {
    "dw": "(1) * 2 ^ -6 * u3 * x1 * y1 + (1) * 2 ^ -6 * u3 * t * y2",
    "dt": "(1) * 2 ^ 0 * u3 * x1 * y3 + (-1) * 2 ^ 0 * u3 * t",
    "x1_impulse": 4,
    "x1_tau": 8,
    "epoch": 1,
    "seed": 7,
}
AREA_SETTINGS = {
    "du": 4095,
    "dv": 128,
    "vth": 200,
    "epoch": 1,
    "window": 16,
    "apical_shift": 4,
    "retro_shift": 4,
    "margin": 1000,
    "x1_impulse": 4,
    "x1_tau": 8,
    "target": 3,
    "homeostasis": 2,
    "count_bits": 1,
}
AREA_RULES = {
    "basal_dw": "(1) * 2 ^ -5 * u4 * x1 * y1 + (1) * 2 ^ -5 * u4 * t * y2",
    "basal_dt": "(1) * 2 ^ 0 * u4 * x1 * y3 + (-1) * 2 ^ 0 * u4 * t",
    "lateral_dw": "(1) * 2 ^ -2 * u4 * x1 * y1",
}
REPEATS = 40


def dense_lif(lava_layers):
    """Dense synapses and LIF neurons, also at the ends of their ranges; the last case is recurrent."""
    found = {}
    for index, (du, dv, vth, bias, bias_exp, ends, exponent, bits, activity) in enumerate(
        PARAMETERS
    ):
        rng = np.random.default_rng(index)
        spikes = (rng.random((150, 60)) < activity).astype(np.int8)
        weight = rng.integers(ends[0], ends[1] + 1, (8, 60))
        recurrent = rng.integers(-90, 90, (8, 8)) if index == len(PARAMETERS) - 1 else None
        neurons = {"du": du, "dv": dv, "vth": vth, "bias_mant": bias, "bias_exp": bias_exp}
        result = lava_layers.dense(spikes, weight, exponent, bits, recurrent, **neurons)
        case = {"spikes": spikes, "weight": weight.astype(np.int16)} | {
            name: np.asarray(value)
            for name, value in (neurons | {"exponent": exponent, "bits": bits}).items()
        }
        if recurrent is not None:
            case["recurrent"] = recurrent.astype(np.int16)
        found |= {f"{name}_{index}": value for name, value in (case | result).items()}
    return found


def conv_lif(lava_layers):
    """Convolutions and LIF neurons."""
    found = {}
    for index, (shape, kernels, stride, padding, exponent, du, dv, vth) in enumerate(CONVOLUTIONS):
        rng = np.random.default_rng(100 + index)
        spikes = (rng.random((100, *shape)) < 0.2).astype(np.int8)
        weight = rng.integers(-100, 120, kernels) >> 1 << 1
        result = lava_layers.conv(spikes, weight, stride, padding, exponent, du=du, dv=dv, vth=vth)
        case = {
            "spikes": spikes,
            "weight": weight.astype(np.int16),
            "stride": np.asarray(stride),
            "padding": np.asarray(padding),
            "neurons": np.asarray((exponent, du, dv, vth)),
        }
        found |= {f"{name}_{index}": value for name, value in (case | result).items()}
    return found


def two_compartment(lava_layers):
    """Soma, apical compartment and coincidence gate."""
    rng = np.random.default_rng(200)
    basal, apical = ((rng.random((300, 20)) < rate).astype(np.int8) for rate in (0.2, 0.1))
    weights = [(rng.integers(-40, 100, (8, 20)) >> 1) << 1 for _ in range(2)]
    soma, apical_neurons = {"du": 4095, "dv": 248, "vth": 256}, {"du": 544, "dv": 4095, "vth": 256}
    result = lava_layers.two_compartment(basal, apical, weights, soma, apical_neurons, 100, 150)
    case = {
        "basal": basal,
        "apical": apical,
        "weight_basal": weights[0],
        "weight_apical": weights[1],
    }
    return case | {"soma": np.asarray((248, 256)), "plateau": np.asarray((544, 256))} | result


def learning_inputs():
    """Spikes, postsynaptic values of both signs and weights for the learning engine."""
    rng = np.random.default_rng(300)
    spikes = (rng.random((64, 6)) < 0.25).astype(np.int8)
    post = (rng.integers(-128, 128, (3, 64, 4)) * (rng.random((3, 64, 4)) < 0.3)).astype(np.int16)
    return spikes, post, rng.integers(-200, 200, (4, 6)).astype(np.int16)


def learning(lava_learning):
    """Weights, tags and traces of five rules: rounded to the nearest, and with Lava's random numbers."""
    spikes, post, weight = learning_inputs()
    found = {"spikes": spikes, "post": post, "initial": weight}
    for index, (rule, rounding) in enumerate(RULES):
        result = lava_learning.learn(weight, spikes, post, rule, rounding)
        found |= {f"{name}_{index}": value for name, value in result.items()}
    return found


def whole_steps(post):
    """The same in the steps that somata of a learning area write."""
    return np.stack([8 * (post[0] // 9), 32 * (post[1] // 32), 8 * (post[2] > 0)])


def rounding(lava_learning):
    """Last weights under many seeds of stochastic rounding: of one rule, and of that of a learning area."""
    spikes, post, weight = learning_inputs()
    found = {}
    for name, rule, values in (
        ("last", EXAMPLE_RULE, post),
        ("last_whole", WHOLE_RULE, whole_steps(post)),
    ):
        found[name] = np.stack(
            [
                lava_learning.learn(weight, spikes, values, rule | {"seed": 1000 + 10 * n}, 50 + n)[
                    "weight"
                ][-1]
                for n in range(REPEATS)
            ]
        )
    return found | {"post_whole": whole_steps(post).astype(np.int16)}


def area(lava_area):
    """A learning area through twelve windows, rounded to the nearest and with random numbers."""
    rng = np.random.default_rng(400)
    steps, windows, pre, post = AREA_SETTINGS["window"], 12, 10, 6
    spikes = (rng.random((steps * windows, pre)) < 0.4).astype(np.int8)
    fixation = rng.integers(0, 2, windows)
    weights = {
        name: rng.integers(least, most, (post, size))
        for name, size, least, most in (
            ("basal", pre, -100, 200),
            ("W_pred", post, -40, 60),
            ("W_retro", post, -40, 60),
        )
    }
    weights["bias"] = rng.integers(-200, 400, post)
    noise = rng.integers(0, 2**15, post)
    found = {"input": spikes, "fixation": fixation}
    found |= {f"initial_{name}": values for name, values in (weights | {"noise": noise}).items()}
    for mode in ("nearest", "lava"):
        processes = lava_area.Area(
            weights | {"noise": noise if mode == "lava" else None},
            AREA_RULES,
            AREA_SETTINGS,
            spikes.T.astype(int),
            np.repeat(fixation, steps)[None],
            (11, 12, 13),
            (mode,) * 3,
        )
        result = processes.run(windows, steps)
        found |= {f"{name}_{mode}": values for name, values in result.items()}
    return found


def main():
    """Write all files."""
    import lava_area
    import lava_layers
    import lava_learning

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:]
    for make, tools in (
        (dense_lif, lava_layers),
        (conv_lif, lava_layers),
        (two_compartment, lava_layers),
        (learning, lava_learning),
        (rounding, lava_learning),
        (area, lava_area),
    ):
        if wanted and make.__name__ not in wanted:
            continue
        began = time.perf_counter()
        path = folder / f"loihi2_{make.__name__}.npz"
        np.savez_compressed(path, **make(tools))
        print(f"{path.name}: {path.stat().st_size} bytes, {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
