"""The host's settings from the datastore: of several FelixConfigurations, which value of each field counts."""

from __future__ import annotations

from collections.abc import Mapping

from tortie.model import codec
from tortie.model.felix import FelixConfiguration
from tortie.model.meta import HostName
from tortie.selectors import SelectorError, parse

GLOBAL = "default"


class SettingsMerger:
    """``default``, over it those that select this node by its labels, over it ``node.<name>``, field by field.

    Of several that select the node the oldest wins, of equally old ones the first name. One without a nodeSelector, or with one
    that cannot be read, selects no node; so does every one while the node is not known.
    """

    def __init__(self, host: HostName) -> None:
        self._own = f"node.{host}"
        self._configurations: dict[str, FelixConfiguration] = {}
        self._node_labels: Mapping[str, str] | None = None
        self._is_dirty = False
        self._sent: Mapping[str, object] = {}

    def set_configuration(self, name: str, configuration: FelixConfiguration | None) -> None:
        self._is_dirty = True
        if configuration is None:
            self._configurations.pop(name, None)
        else:
            self._configurations[name] = configuration

    def set_node_labels(self, labels: Mapping[str, str] | None) -> None:
        """The labels of this host's node; None: there is no node."""
        self._is_dirty = True
        self._node_labels = labels

    def flush(self) -> Mapping[str, object] | None:
        """All settings, by the field's name in the API; None if they are as they were sent."""
        if not self._is_dirty:
            return None
        self._is_dirty = False
        merged: dict[str, object] = {}
        for name in (GLOBAL, *self._selecting(), self._own):
            if name in self._configurations:
                merged |= settings_of(self._configurations[name])
        if merged == self._sent:
            return None
        self._sent = dict(sorted(merged.items()))
        return self._sent

    def _selecting(self) -> list[str]:
        """Names of those that select this node, the one that counts most at the end."""
        selecting = [
            (configuration.metadata.creation_timestamp or "", name)
            for name, configuration in self._configurations.items()
            if name != GLOBAL and not name.startswith("node.") and self._selects(configuration)
        ]
        return [name for _, name in sorted(selecting, reverse=True)]

    def _selects(self, configuration: FelixConfiguration) -> bool:
        if self._node_labels is None or not configuration.spec.node_selector:
            return False
        try:
            return parse(configuration.spec.node_selector).matches(self._node_labels)
        except SelectorError:
            return False


def settings_of(configuration: FelixConfiguration) -> Mapping[str, object]:
    """The fields that are set, as the API writes them."""
    spec = codec.to_document(configuration)["spec"]
    return {field: value for field, value in spec.items() if field != "nodeSelector" and value != ""}
