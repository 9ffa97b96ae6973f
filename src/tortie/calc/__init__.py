"""The calculation graph: resource updates of the whole cluster in, one host's deltas out.

    calculation = Calculation(host)
    calculation.update(...)      # as the syncer sends them, in any order
    calculation.in_sync()
    deltas = calculation.flush()

``hoststate`` declares the deltas and what they carry; ``HostState`` is what they add up to.
"""

from tortie.calc.graph import Calculation
from tortie.calc.state import HostState, ImpossibleDeltaError, apply

__all__ = ["Calculation", "HostState", "ImpossibleDeltaError", "apply"]
