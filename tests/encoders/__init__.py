"""Tests of the tables of layers."""
