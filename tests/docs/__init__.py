"""Tests of the site and of the code on its pages."""
