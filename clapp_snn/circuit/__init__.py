"""The circuit: areas that compare fixations with saccades, stacked into a hierarchy."""
