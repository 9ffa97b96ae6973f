"""What of what it follows an agent takes in, and when: whole states of the datastore, and none while it says that it is not ready.

    before the first state        everything is passed on at once, for nothing is in force; InSync only if the datastore is ready
    afterwards                    updates wait here for the InSync that completes their state, and while it is not ready

An operator, or a move to another datastore, says by ClusterInformation ``datastoreReady: false`` that what is stored is in flux.
Calico's Felix waits then, and so do we: what is in force stays, and is looked after. A datastore where nobody has said anything
of it is ready.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from tortie.model.codec import InvalidResourceError
from tortie.model.configuration import ClusterInformation
from tortie.model.kinds import CLUSTER_INFORMATION, ResourceKey
from tortie.model.updates import InSync, Update
from tortie.model.validation import stored_resource

_log = logging.getLogger(__name__)

_CLUSTER = ResourceKey(CLUSTER_INFORMATION, "", "default")
CLUSTER_PATH = _CLUSTER.path


class WholeStates:
    """See above. Holds the newest update of each key, so its size is that of what has changed."""

    def __init__(self) -> None:
        self._has_begun = False
        self._is_ready = True
        self._is_told = False
        """Whether the log says that we wait."""
        self._held: dict[str, Update] = {}

    def take(self, items: Iterable[Update | InSync]) -> Iterator[Update | InSync]:
        """What of *items*, and of what was held back before, is to be taken in now."""
        for item in items:
            match item:
                case Update():
                    if item.key == CLUSTER_PATH:
                        self._is_ready = _is_ready(item.value)
                    if self._has_begun:
                        self._held[item.key] = item
                    else:
                        yield item
                case InSync() if self._is_ready:
                    yield from self._released()
                    yield item
                case InSync():
                    self._tell_waiting()

    def _released(self) -> Iterator[Update]:
        if self._is_told:
            _log.info("the datastore is ready: going on")
            self._is_told = False
        self._has_begun = True
        held, self._held = self._held, {}
        yield from held.values()

    def _tell_waiting(self) -> None:
        if not self._is_told:
            _log.warning(
                "the datastore is locked (datastoreReady is false): what is in force stays, nothing new is taken in"
            )
            self._is_told = True


def _is_ready(value: bytes | None) -> bool:
    if value is None:
        return True
    try:
        found = stored_resource(_CLUSTER, value)
    except InvalidResourceError:
        return True  # it counts as absent, and whoever reads it next says so
    return not isinstance(found, ClusterInformation) or found.spec.datastore_ready is not False
