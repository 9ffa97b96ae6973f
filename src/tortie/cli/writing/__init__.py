"""From what people want stored to writes: what a resource means is written with it, in the same transaction.

    wanted ─► plan (reads the store and decides) ─► Change of each resource ─► batches ─► transact
                ▲                                                                          │ ConflictError: plan again
                └──────────────────────────────────────────────────────────────────────────┘

Planning reads; committing checks that nothing it read has changed. Whoever lost a race plans again, from what is there then.
A change of one resource is never split; several are one transaction where the store can (``Store.limits``).
"""

from tortie.cli.writing.applying import Existing, plan_apply, plan_comparison
from tortie.cli.writing.change import Action, Change, Outcome, Stamp
from tortie.cli.writing.committing import ATTEMPTS, PartlyDoneError, batches, perform
from tortie.cli.writing.deleting import plan_delete
from tortie.cli.writing.modifying import Modification, plan_modify

__all__ = [
    "ATTEMPTS",
    "Action",
    "Change",
    "Existing",
    "Modification",
    "Outcome",
    "PartlyDoneError",
    "Stamp",
    "batches",
    "perform",
    "plan_apply",
    "plan_comparison",
    "plan_delete",
    "plan_modify",
]
