"""Architectures as small tables, and the encoder that holds their weights."""
