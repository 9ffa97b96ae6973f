"""What comes from the datastore, on its way to the calculation and to routing.

    sync ─► Intake ─┬─ endpoints, profiles, IPAM blocks: bytes ─────────────► Calculation.update_raw
                    └─ all else ─► validate ─┬─ resources, in Calico's terms ► Calculation.update
                                             └─ resources, claims on blocks ─► routing

A cluster's endpoints, profiles and blocks are many, and the calculation reads no more of them than it needs. What is invalid
counts as absent either way, and is logged once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tortie.calc.graph import Calculation
from tortie.conversion import as_calico
from tortie.datastore.validation import BlockUpdate, InvalidValue, InvalidValues, validate
from tortie.model.blocks import ASSIGNMENT_PREFIX, BLOCK_PREFIX
from tortie.model.kinds import CALICO_PREFIX, PROFILE, WORKLOAD_ENDPOINT
from tortie.model.updates import InSync, ResourceUpdate, Update

PREFIXES = (CALICO_PREFIX, BLOCK_PREFIX, ASSIGNMENT_PREFIX)
"""What an agent follows: all of Calico's resources, the hosts' claims on blocks, and whose the blocks' addresses are."""

_FOR_CALCULATION_ALONE = (WORKLOAD_ENDPOINT.prefix, PROFILE.prefix, ASSIGNMENT_PREFIX)


class Intake:
    """Hands on what it is given. Nothing is worked out here, and nothing said before all of it has come."""

    def __init__(self, calculation: Calculation, route: Callable[[ResourceUpdate | BlockUpdate], None]) -> None:
        self._calculation = calculation
        self._route = route
        self.invalid = InvalidValues()
        self.revision: int | None = None
        """At which revision all was taken in first; None: not yet."""

    def take(self, batch: Iterable[Update | InSync]) -> None:
        """Take in what the syncer has read."""
        for update in batch:
            if isinstance(update, Update) and update.key.startswith(_FOR_CALCULATION_ALONE):
                reason = self._calculation.update_raw(update.key, update.value)
                found = InvalidValue(update.key, update.revision, reason) if reason is not None else None
                self.invalid.note(update.key, found)
            else:
                self._take_typed(update)

    def _take_typed(self, update: Update | InSync) -> None:
        for item in validate((update,), self.invalid):
            match item:
                case ResourceUpdate():
                    self._calculation.update(as_calico(item))
                    self._route(item)
                case BlockUpdate():
                    self._route(item)
                case InSync(revision=revision) if self.revision is None:
                    self.revision = revision
                    self._calculation.in_sync()
                case _:
                    pass  # what is invalid was logged by InvalidValues
