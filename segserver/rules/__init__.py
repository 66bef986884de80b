"""Rules: CEL, parsed and checked by Google's library, read into one tree, compiled to Python and to
Polars.
"""

from segserver.rules.check import Checked, Environment
from segserver.rules.functions import Function

__all__ = ["Checked", "Environment", "Function"]
