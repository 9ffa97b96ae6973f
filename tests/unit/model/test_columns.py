"""Tables show what Calico's command shows."""

from __future__ import annotations

from typing import Any

import pytest

from tortie.model import kinds
from tortie.model.columns import COLUMNS, columns
from tortie.model.kinds import Kind


def row(kind: Kind, document: dict[str, Any]) -> dict[str, str]:
    return {column.header: column.text({"metadata": {"name": "x"}, **document}) for column in columns(kind, wide=True)}


def test_wide_tables_have_more_columns() -> None:
    assert [column.header for column in columns(kinds.NETWORK_POLICY, wide=False)] == ["TIER"]
    assert [column.header for column in columns(kinds.NETWORK_POLICY, wide=True)] == ["TIER", "ORDER", "SELECTOR"]


@pytest.mark.parametrize(
    ("kind", "document", "texts"),
    [
        (kinds.NETWORK_POLICY, {"spec": {"tier": "a", "order": 1000.0}}, {"TIER": "a", "ORDER": "1000", "SELECTOR": ""}),
        (kinds.TIER, {"spec": {}}, {"ORDER": "*", "DEFAULTACTION": "Deny"}),
        (kinds.NAMESPACE, {"metadata": {"labels": {"b": "2", "a": "1"}}}, {"LABELS": "a=1,b=2"}),
        (kinds.K8S_NETWORK_POLICY, {"spec": {"podSelector": {}}}, {"POD-SELECTOR": "<all>"}),
        (
            kinds.K8S_NETWORK_POLICY,
            {"spec": {"podSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["d"]}]}}},
            {"POD-SELECTOR": "a=b,c In (d)"},
        ),
        (
            kinds.POD,
            {"spec": {"nodeName": "h"}, "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}},
            {"STATUS": "Running", "NODE": "h", "IPS": "10.0.0.1,fd00::1", "LABELS": ""},
        ),
        (
            kinds.SERVICE,
            {"spec": {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}], "selector": {"a": "b"}}},
            {"TYPE": "ClusterIP", "PORTS": "80/TCP,53/UDP", "SELECTOR": "a=b"},
        ),
        (kinds.BGP_CONFIGURATION, {"spec": {"nodeToNodeMeshEnabled": False}}, {"LOGSEVERITY": "Info", "MESHENABLED": "false", "ASNUMBER": "(default)"}),
    ],
)  # fmt: skip
def test_columns_read_the_document(kind: Kind, document: dict[str, Any], texts: dict[str, str]) -> None:
    assert row(kind, document) == texts


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: f"{kind.api_version} {kind.name}")
def test_every_kind_has_a_table_and_an_empty_object_has_a_row(kind: Kind) -> None:
    assert kind in COLUMNS
    assert all(isinstance(text, str) for text in row(kind, {}).values())
