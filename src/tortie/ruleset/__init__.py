"""One host's state as a neutral ruleset: chains, sets and maps as values, and what they mean for a packet.

    compiler = Compiler(options)
    ruleset = apply_flush(Ruleset(), initial(options))
    for delta in deltas: compiler.update(delta)
    flush = compiler.flush()             # create, switch, delete: what a driver writes to the kernel
    walk(ruleset, packet, Path.FORWARD)  # what the kernel would do

``values`` declares the parts; the compiler makes deltas of them, ``Ruleset`` is what they add up to.
"""

from tortie.ruleset.canonical import canonical
from tortie.ruleset.compiler import Compiler
from tortie.ruleset.interpreter import Outcome, Packet, Path, walk
from tortie.ruleset.options import EndpointToHostAction, Options
from tortie.ruleset.ruleset import ImpossibleDeltaError, Ruleset, apply, apply_flush
from tortie.ruleset.stages import initial

__all__ = [
    "Compiler",
    "EndpointToHostAction",
    "ImpossibleDeltaError",
    "Options",
    "Outcome",
    "Packet",
    "Path",
    "Ruleset",
    "apply",
    "apply_flush",
    "canonical",
    "initial",
    "walk",
]
