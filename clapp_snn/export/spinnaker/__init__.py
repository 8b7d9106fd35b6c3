"""SpiNNaker: networks as PyNN populations and projections, in the fixed-point numbers of its cores.

`arithmetic` holds the number format, `netlist` populations and projections as data, `simulation` computes
them step by step as sPyNNaker's sources describe it, `encoder` makes a netlist of a canonical network,
`circuit` one of an area that learns, `limits` counts cores, memory and rows, `files` and `script` write
what PyNN runs. Nothing here imports PyNN or sPyNNaker.
"""
