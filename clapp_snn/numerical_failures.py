"""How computations fail that were asked for correctly; the command line shows these as one line."""


class DivergenceError(RuntimeError):
    """A loss or weights became NaN, infinite or absurdly large."""


class ConvergenceError(RuntimeError):
    """An optimisation ended before it reached its optimum."""
