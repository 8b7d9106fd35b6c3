"""Neuron models with a basal and an apical port, their parameters, and the bursts in what they say."""
