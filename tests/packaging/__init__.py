"""Tests of what is installed, away from the repository."""
