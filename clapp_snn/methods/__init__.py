"""One declarative record for every row of the paper's tables."""

from clapp_snn.methods.record import Method
from clapp_snn.methods.table import METHODS, get_method

__all__ = ["METHODS", "Method", "get_method"]
