"""Neuron models with a basal and an apical port, their parameters, and the bursts in what they say."""

from clapp_snn.neurons.adex import AdEx, AdExParameters
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Draws, Inputs, Layer, Neuron, Outputs, simulate
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.naud_sprekeler_parameters import NaudSprekelerParameters
from clapp_snn.neurons.noise import SampleStreams, Streams
from clapp_snn.neurons.parameters import PRESETS, preset
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst, StrictBurstParameters
from clapp_snn.neurons.tsodyks_markram import TsodyksMarkramParameters
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF, TwoCompartmentLIFParameters
from clapp_snn.neurons.urbanczik_senn import UrbanczikSenn, UrbanczikSennParameters

__all__ = [
    "PRESETS",
    "AdEx",
    "AdExParameters",
    "Draws",
    "EventBurst",
    "EventBurstParameters",
    "Inputs",
    "Layer",
    "NaudSprekeler",
    "NaudSprekelerParameters",
    "Neuron",
    "Outputs",
    "Rate",
    "SampleStreams",
    "Streams",
    "StrictBurst",
    "StrictBurstParameters",
    "TsodyksMarkramParameters",
    "TwoCompartmentLIF",
    "TwoCompartmentLIFParameters",
    "UrbanczikSenn",
    "UrbanczikSennParameters",
    "preset",
    "simulate",
]
