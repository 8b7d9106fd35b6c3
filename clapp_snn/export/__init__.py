"""From a trained network to files and integer models that neuromorphic tool chains read.

`canonical` is the network that everything here speaks of, `interpreter` the judge of its spikes, `convert`
the way from rate-trained weights to it. The `nir_*` modules write and read NIR graphs; each chip has a folder
of its own.
"""
