"""Parameters of the neuron of Naud and Sprekeler (`clapp_snn.neurons.naud_sprekeler`), and its presets.

The values of the default set are those of the paper (doi:10.1073/pnas.1720995115) as five independent
public implementations agree on them.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from clapp_snn.neurons.bursts import longest_interval
from clapp_snn.neurons.parameters import NeuronParameters, choice, quantity, register, whole_steps

PAPER = "Naud and Sprekeler 2018, doi:10.1073/pnas.1720995115"
PAYEUR = "Payeur et al. 2021, doi:10.1038/s41593-021-00857-x, published code"


@dataclass(frozen=True)
class NaudSprekelerParameters(NeuronParameters):
    """Parameters of the neuron; currents into both ports are in pA."""

    e_leak: float = quantity(-70.0, "mV", -100.0, -40.0, "resting potential E_L", PAPER)
    v_threshold: float = quantity(-50.0, "mV", -80.0, 0.0, "spike threshold V_T", PAPER)
    v_reset: float = quantity(-70.0, "mV", -100.0, -40.0, "potential V_r after a spike", PAPER)
    refractory: str = choice(
        "absolute",
        ("absolute", "moving_threshold"),
        "V_s held at V_r for t_ref, or a threshold that jumps at a spike and decays",
        PAPER,
    )
    t_ref: float = quantity(
        3.0, "ms", 0.0, 50.0, "absolute refractory time; no use otherwise", PAPER, constant=True
    )
    threshold_step: float = quantity(
        2.0, "mV", 0.0, 50.0, "jump of a moving threshold at a spike; no use otherwise", PAYEUR
    )
    tau_threshold: float = quantity(
        27.0,
        "ms",
        0.1,
        1000.0,
        "decay of a moving threshold; no use otherwise",
        PAYEUR,
        constant=True,
    )
    tau_soma: float = quantity(
        16.0, "ms", 0.1, 1000.0, "somatic membrane time constant tau_s", PAPER, constant=True
    )
    c_soma: float = quantity(370.0, "pF", 1.0, 1e5, "somatic capacitance C_s", PAPER)
    g_soma: float = quantity(1300.0, "pA", 0.0, 1e5, "plateau current into the soma g_s", PAPER)
    tau_w_soma: float = quantity(
        100.0, "ms", 0.1, 1e4, "time constant tau_ws of somatic adaptation", PAPER, constant=True
    )
    b_w_soma: float = quantity(-200.0, "pA", -1e4, 0.0, "adaptation b_ws per spike", PAPER)
    tau_apical: float = quantity(
        7.0, "ms", 0.1, 1000.0, "dendritic membrane time constant tau_d", PAPER, constant=True
    )
    c_apical: float = quantity(170.0, "pF", 1.0, 1e5, "dendritic capacitance C_d", PAPER)
    g_apical: float = quantity(
        1200.0, "pA", 0.0, 1e5, "regenerative plateau current in the dendrite g_d", PAPER
    )
    tau_w_apical: float = quantity(
        30.0, "ms", 0.1, 1e4, "time constant tau_wd of dendritic adaptation", PAPER, constant=True
    )
    a_w_apical: float = quantity(-13.0, "nS", -1e3, 0.0, "dendritic adaptation a_wd", PAPER)
    c_bap: float = quantity(
        2600.0, "pA", 0.0, 1e5, "current c_d of the back-propagating action potential", PAPER
    )
    bap_on: float = quantity(0.5, "ms", 0.0, 50.0, "start of that current after the spike", PAPER)
    bap_off: float = quantity(2.5, "ms", 0.0, 50.0, "end of that current after the spike", PAPER)
    e_plateau: float = quantity(
        -38.0, "mV", -80.0, 20.0, "half-activation E_d of the plateau", PAPER
    )
    d_plateau: float = quantity(6.0, "mV", 0.1, 50.0, "width D_d of the plateau activation", PAPER)
    ou_tau: float = quantity(
        2.0, "ms", 0.1, 1000.0, "correlation time of the background", PAPER, constant=True
    )
    ou_sigma: float = quantity(
        450.0, "pA", 0.0, 1e5, "stationary standard deviation of the background", PAPER
    )
    ou_mean_soma: float = quantity(70.0, "pA", -1e5, 1e5, "mean background of the soma", PAPER)
    ou_mean_apical: float = quantity(
        -270.0, "pA", -1e5, 1e5, "mean background of the dendrite", PAPER
    )
    burst_isi: float = quantity(
        16.0, "ms", 0.1, 1000.0, "longest interval within a burst", PAPER, constant=True
    )

    def contradictions(self) -> list[str]:
        """Reset at or above threshold, or a back-propagating current that ends before it starts."""
        problems = []
        if self.v_reset >= self.v_threshold:
            problems.append("v_reset must lie below v_threshold")
        if self.bap_off < self.bap_on:
            problems.append("bap_off must not be earlier than bap_on")
        return problems

    def quiet(self) -> Self:
        """The same neuron without background: no noise and no mean current."""
        return replace(self, ou_sigma=0.0, ou_mean_soma=0.0, ou_mean_apical=0.0)

    def at(self, dt: float) -> "NaudSprekelerConstants":
        """Constants of one step of `dt` ms.

        Raises ValueError if an absolute refractory time is not a whole number of steps.
        """
        moving = self.refractory == "moving_threshold"
        return NaudSprekelerConstants(
            e_leak=self.e_leak,
            v_threshold=self.v_threshold,
            v_reset=self.v_reset,
            t_ref=0.0 if moving else float(whole_steps("t_ref", self.t_ref, dt)),
            threshold_step=self.threshold_step if moving else 0.0,
            threshold_decay=math.exp(-dt / self.tau_threshold),
            soma_gain=-math.expm1(-dt / self.tau_soma),
            soma_resistance=self.tau_soma / self.c_soma,
            g_soma=self.g_soma,
            w_soma_decay=math.exp(-dt / self.tau_w_soma),
            b_w_soma=self.b_w_soma,
            apical_gain=-math.expm1(-dt / self.tau_apical),
            apical_resistance=self.tau_apical / self.c_apical,
            g_apical=self.g_apical,
            w_apical_gain=-math.expm1(-dt / self.tau_w_apical),
            a_w_apical=self.a_w_apical,
            c_bap=self.c_bap,
            bap_on=self.bap_on / dt,
            bap_off=self.bap_off / dt,
            e_plateau=self.e_plateau,
            d_plateau=self.d_plateau,
            ou_gain=-math.expm1(-dt / self.ou_tau),
            ou_noise=self.ou_sigma * math.sqrt(-math.expm1(-2 * dt / self.ou_tau)),
            ou_mean_soma=self.ou_mean_soma,
            ou_mean_apical=self.ou_mean_apical,
            longest=longest_interval(self.burst_isi, dt),
        )


class NaudSprekelerConstants(NamedTuple):
    """Constants of one step: durations in steps, gains 1 - exp(-dt/tau), resistances in GOhm."""

    e_leak: float
    v_threshold: float
    v_reset: float
    t_ref: float
    threshold_step: float
    threshold_decay: float
    soma_gain: float
    soma_resistance: float
    g_soma: float
    w_soma_decay: float
    b_w_soma: float
    apical_gain: float
    apical_resistance: float
    g_apical: float
    w_apical_gain: float
    a_w_apical: float
    c_bap: float
    bap_on: float
    bap_off: float
    e_plateau: float
    d_plateau: float
    ou_gain: float
    ou_noise: float
    ou_mean_soma: float
    ou_mean_apical: float
    longest: float


register(
    "NaudSprekeler2018",
    NaudSprekelerParameters(),
    "thick-tufted pyramidal neuron with background currents and absolute refractoriness",
)
register(
    "Payeur2021",
    NaudSprekelerParameters(
        refractory="moving_threshold",
        t_ref=0.0,
        bap_on=0.0,
        bap_off=2.0,
        ou_sigma=0.0,
        ou_mean_soma=0.0,
        ou_mean_apical=0.0,
    ),
    "the same neuron with a moving threshold and an immediate back-propagating current; its background is "
    "synaptic input, to be given through the ports",
    refractory=PAYEUR,
    t_ref=PAYEUR,
    bap_on=PAYEUR,
    bap_off=PAYEUR,
    ou_sigma=PAYEUR,
    ou_mean_soma=PAYEUR,
    ou_mean_apical=PAYEUR,
)
