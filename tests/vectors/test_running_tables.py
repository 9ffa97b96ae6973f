"""The runner itself, on cases of our own: nothing passes that was not asked, and no holder refuses a good part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from calicoparts import HOLDERS, from_go, holder
from vectortables import Case, Tally, dispatch, expect, expect_refusal, judged

from tortie.model.document import read

GOOD_PARTS: dict[str, Any] = {
    "Rule": {"action": "Deny"},
    "EntityRule": {"selector": "all()"},
    "ICMPFields": {"type": 8},
    "HTTPMatch": {"methods": ["GET"]},
    "HTTPPath": {"exact": "/a"},
    "ServiceMatch": {"name": "web", "namespace": "a"},
    "ServiceAccountMatch": {"names": ["a"]},
    "RuleMetadata": {"annotations": {"a": "b"}},
    "Protocol": "UDP",
    "Uint8OrString": {"type": 0, "numVal": 17},
    "Port": "8000:8080",
    "WorkloadEndpointPort": {"name": "web", "protocol": "TCP", "port": 80},
    "EndpointPort": {"name": "web", "protocol": "TCP", "port": 80},
    "IPNAT": {"internalIP": "192.0.2.1", "externalIP": "198.51.100.1"},
    "QoSControls": {"ingressBandwidth": 1000000},
    "WorkloadEndpointSpec": {"interfaceName": "cali1"},
    "BGPFilterRuleV4": {"action": "Accept"},
    "BGPFilterRuleV6": {"action": "Accept"},
    "BGPFilterOperation": {"setPriority": {"value": 100}},
    "BGPPassword": {"secretKeyRef": {"localObjectReference": {"name": "a"}, "key": "b"}},
    "NodeControllerConfig": {"syncLabels": "Enabled"},
    "PolicyControllerConfig": {"reconcilerPeriod": {"duration": 60_000_000_000}},
    "WorkloadEndpointControllerConfig": {},
    "ServiceAccountControllerConfig": {},
    "NamespaceControllerConfig": {},
    "LoadBalancerControllerConfig": {"assignIPs": "AllServices"},
    "BGPPeerSpec": {"peerIP": "192.0.2.1"},
    "FelixConfigurationSpec": {},
}


@pytest.mark.parametrize("part_type", [*HOLDERS, "BGPPeerSpec", "FelixConfigurationSpec"])
def test_a_good_part_is_not_refused_for_what_holds_it(part_type: str) -> None:
    hold = holder(part_type)
    assert hold is not None
    assert read(json.dumps(hold(from_go(GOOD_PARTS[part_type])))).errors == ()


def test_a_type_that_is_not_there_has_no_holder() -> None:
    assert [holder(name) for name in ("Telescope", "TelescopeSpec", "Spec", "")] == [None] * 4


@pytest.fixture
def tally(tmp_path: Path) -> Tally:
    """Of six cases, one for each thing that can become of a case."""
    tables = ("good", "bad", "crash", "known", "unheard of", "refused")
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": [{"name": f"the {table}", "table": table} for table in tables]}))
    return judged(file, dispatch("table", JUDGES, {"known": "for later"}))


def _crash(case: Case) -> None:
    raise KeyError(case["name"])


JUDGES = {
    "good": lambda _: expect(1, 1),
    "bad": lambda _: expect(1, 2),
    "crash": _crash,
    "refused": lambda _: expect_refusal(True, False, ["too long"]),
}


def test_each_case_passes_fails_or_is_counted_with_its_reason(tally: Tally) -> None:
    file, passed, failed, reasons = Tally.from_property(json.loads(json.dumps(tally.as_property("cases.json"))))
    assert (file, passed, failed) == ("cases.json", 1, 3)
    assert reasons == {"for later": 1, "no table 'unheard of' in this project": 1}


def test_a_failure_names_its_case_and_what_was_found(tally: Tally) -> None:
    assert tally.failed == [
        "  the bad: expected 2, found 1",
        "  the crash: crashed with KeyError: 'the crash'",
        "  the refused: should be accepted, was refused: too long",
    ]
