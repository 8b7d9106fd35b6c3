"""One declarative record for every row of the paper's tables."""

from clapp_snn.methods.record import Method
from clapp_snn.methods.tables import METHODS, TABLES, get_method

__all__ = ["METHODS", "TABLES", "Method", "get_method"]
