"""Rules: CEL, parsed and checked by Google's library, read into one tree, compiled to Python and to
Polars.
"""

from segserver.rules.change import Condition, smallest_change
from segserver.rules.check import Checked, Environment
from segserver.rules.functions import Function
from segserver.rules.polars import PolarsProgram, compile_polars
from segserver.rules.program import Coded, Computed
from segserver.rules.python import PythonProgram, compile_python
from segserver.rules.rule import UNKNOWN, Rule
from segserver.rules.trace import Trace, trace

__all__ = [
    "UNKNOWN",
    "Checked",
    "Coded",
    "Computed",
    "Condition",
    "Environment",
    "Function",
    "PolarsProgram",
    "PythonProgram",
    "Rule",
    "Trace",
    "compile_polars",
    "compile_python",
    "smallest_change",
    "trace",
]
