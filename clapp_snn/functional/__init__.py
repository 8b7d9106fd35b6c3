"""The equations of CLAPP as pure functions on tensors: no modules, no files, no training, no autograd.

Symbols follow Illing, Ventura, Bellec and Gerstner, NeurIPS 2021 (arXiv:2010.08262): present activity
`z`, context `c`, score `u = z^T W_pred c`, broadcast factor `gamma`.
"""
