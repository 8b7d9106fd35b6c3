"""SynSense's Xylo, for dense networks on sound: mapping, 8-bit quantisation and the integer model.

`mapping` brings a network into the chip's matrices, `simulation` computes with them what xylosim's v2 core
does, spike by spike, `network` joins both. Nothing here imports xylosim or rockpool.
"""
