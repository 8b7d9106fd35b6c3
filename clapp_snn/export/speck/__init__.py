"""SynSense's Speck and DYNAP-CNN: cores, their limits and placement, 8-bit quantisation, the integer model.

`cores` brings a network into the form of a core (a square convolution, integrate-and-fire neurons, a sum
pool), `placement` finds a core for every stage, `network` holds whole numbers and runs them, `files` writes
them. Nothing here imports samna or sinabs.
"""
