"""Intel's Loihi 2: integer models of its synapses, neurons and learning engine, and the export to Lava.

`arithmetic` holds the number formats, `layers` synapses and neurons, `network` whole networks,
`two_compartment` the neuron with burst coincidence, `traces` and `learning` the learning engine,
`learning_area` the area that learns on the chip.
Everything equals the fixed-point models of lava-nc 0.10 bit for bit; nothing here imports Lava.
"""
