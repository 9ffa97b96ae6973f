"""FelixConfiguration: every field is described, checked, and stored as Calico does."""

from __future__ import annotations

import ast
import inspect
import json
from typing import Any

import kinddocuments
import pytest

from tortie.model import felix, felix_bpf, felix_dataplane, felix_process, felix_tables, kinds
from tortie.model.codec import from_document, to_document
from tortie.model.defaults import with_defaults
from tortie.model.document import read
from tortie.model.felix import STORED_DEFAULTS
from tortie.model.kinds import ResourceKey
from tortie.model.validation import stored_resource

MODULES = (felix_process, felix_dataplane, felix_tables, felix_bpf, felix)


def document(spec: dict[str, Any]) -> dict[str, Any]:
    return kinddocuments.document(kinds.FELIX_CONFIGURATION, spec, "default")


def refused(**spec: Any) -> list[str]:
    return kinddocuments.refused_in_spec(kinds.FELIX_CONFIGURATION, spec, "default")


def described() -> dict[str, str]:
    """The descriptions of all fields of the spec."""
    found: dict[str, str] = {}
    for module in MODULES:
        for part in ast.parse(inspect.getsource(module)).body:
            if isinstance(part, ast.ClassDef) and part.name != "FelixConfiguration":
                for field, text in zip(part.body, part.body[1:], strict=False):
                    if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                        assert isinstance(text, ast.Expr), f"{field.target.id} has no description"
                        found[field.target.id] = ast.literal_eval(text.value)
    return found


def test_every_field_says_its_default_unless_it_is_deprecated() -> None:
    texts = described()
    assert set(texts) == set(felix.FelixConfigurationSpec.__struct_fields__)
    without = {name for name, text in texts.items() if "Default:" not in text and "eprecated" not in text}
    assert without == {"node_selector", "bpf_conntrack_timeouts"}  # for which nodes; its parts say theirs


def test_what_calico_writes_into_every_object_is_written() -> None:
    assert with_defaults(document({}))["spec"] == STORED_DEFAULTS
    written = {"nftablesMode": "Enabled", "ipv6Support": False, "goGCThreshold": 0, "failsafeInboundHostPorts": []}
    [resource] = read(json.dumps(document(written))).resources
    assert with_defaults(resource.document)["spec"] == {**STORED_DEFAULTS, **written}


def test_a_failsafe_port_is_stored_with_its_empty_parts() -> None:
    [resource] = read(json.dumps(document({"failsafeInboundHostPorts": [{"protocol": "tcp", "port": 22}]}))).resources
    assert resource.document["spec"]["failsafeInboundHostPorts"] == [{"protocol": "tcp", "port": 22, "net": ""}]


def test_parts_and_lists_survive_reading_and_writing() -> None:
    spec = {
        "routeTableRanges": [{"min": 1, "max": 250}], "healthTimeoutOverrides": [{"name": "calc", "timeout": "1m0s"}],
        "bpfConntrackTimeouts": {"tcpSynSent": "20s", "tcpFinsSeen": "Auto"}, "bpfLogFilters": {"all": "tcp"},
        "natPortRange": "1000:2000", "kubeNodePortRanges": ["30000:32767", 80], "istioDSCPMark": "EF",
        "failsafeOutboundHostPorts": [], "bpfPSNATPorts": 20000,
    }  # fmt: skip
    [resource] = read(json.dumps(document(spec))).resources
    assert resource.document["spec"] == spec
    typed = resource.resource
    assert from_document(to_document(typed), kinds.FELIX_CONFIGURATION.struct) == typed


TABLES = {"min": 1, "max": 250}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"nodeSelector": "has("}, ["nodeSelector"], id="selector"),
        pytest.param({"mtuIfacePattern": "(eth"}, ["mtuIfacePattern"], id="regular expression"),
        pytest.param({"mtuIfacePattern": r"^(?i)eth[[:digit:]]+\z"}, [], id="a Go regular expression"),
        pytest.param({"interfaceExclude": "kube-ipvs0,/^(veth/"}, ["interfaceExclude"], id="expression in a list"),
        pytest.param({"wireguardInterfaceName": "a" * 16}, ["wireguardInterfaceName"], id="interface name"),
        pytest.param({"bpfForceTrackPacketsFromIfaces": ["docker+", "a@b"]}, ["bpfForceTrackPacketsFromIfaces[1]"], id="filter"),
        pytest.param({"prometheusMetricsHost": "local host"}, ["prometheusMetricsHost"], id="host"),
        pytest.param({"openstackRegion": "a/b"}, ["openstackRegion"], id="region"),
        pytest.param({"bpfCTLBLogFilter": "some"}, ["bpfCTLBLogFilter"], id="log filter"),
        pytest.param({"istioDSCPMark": 64}, ["istioDSCPMark"], id="DSCP"),
        pytest.param({"natOutgoingAddress": "fd00::1"}, ["natOutgoingAddress"], id="IPv4 address"),
        pytest.param({"deviceRouteSourceAddressIPv6": "10.0.0.1"}, ["deviceRouteSourceAddressIPv6"], id="IPv6 address"),
        pytest.param({"externalNodesList": ["10.0.0.1", "10.0.0.0/8", "fd00::1"]}, ["externalNodesList[2]"], id="IPv4 ranges"),
        pytest.param({"bpfDSROptoutCIDRs": ["10.0.0.1"]}, ["bpfDSROptoutCIDRs[0]"], id="ranges"),
        pytest.param({"failsafeInboundHostPorts": [{"protocol": "icmp", "port": 1}]}, ["failsafeInboundHostPorts[0].protocol"], id="protocol"),
        pytest.param({"failsafeInboundHostPorts": [{"protocol": "sctp", "port": 1}]}, ["failsafeInboundHostPorts[0].protocol"], id="protocol that the agent cannot keep open"),
        pytest.param({"failsafeOutboundHostPorts": [{"port": 1, "net": "x"}]}, ["failsafeOutboundHostPorts[0].net"], id="net"),
        pytest.param({"kubeNodePortRanges": ["http"]}, ["kubeNodePortRanges[0]"], id="a port's name"),
        pytest.param({"kubeNodePortRanges": [80] * 8}, ["kubeNodePortRanges"], id="8 ranges"),
        pytest.param({"natPortRange": "0:10"}, ["natPortRange"], id="port 0"),
        pytest.param({"iptablesMarkMask": 0x7F}, ["iptablesMarkMask"], id="7 bits"),
        pytest.param({"nftablesMarkMask": 0xFF}, [], id="8 bits"),
        pytest.param({"routeTableRange": TABLES, "routeTableRanges": [TABLES]}, ["routeTableRange"], id="both"),
        pytest.param({"routeTableRange": {"min": 1, "max": 251}}, ["routeTableRange"], id="table 251"),
        pytest.param({"routeTableRanges": [{"min": 300, "max": 400}, {"min": 9, "max": 1}]}, ["routeTableRanges[1]"], id="backwards"),
        pytest.param({"healthTimeoutOverrides": [{"name": "x"}]}, ["healthTimeoutOverrides[0].timeout"], id="no time"),
        pytest.param({"featureDetectOverride": "a=maybe"}, ["featureDetectOverride"], id="features"),
        pytest.param({"bpfConntrackTimeouts": {"udpTimeout": "soon"}}, ["bpfConntrackTimeouts.udpTimeout"], id="timeout"),
        pytest.param({"reportingIntervall": "1s"}, ["reportingIntervall"], id="no such field"),
    ],
)  # fmt: skip
def test_felix_configurations(spec: dict[str, Any], fields: list[str]) -> None:
    assert refused(**spec) == fields


def test_a_stored_duration_that_is_none_is_an_invalid_value() -> None:
    value = json.dumps(document({"reportingInterval": "soon"})).encode()
    with pytest.raises(ValueError, match=r"spec\.reportingInterval: 'soon' is not a duration"):
        stored_resource(ResourceKey(kinds.FELIX_CONFIGURATION, "", "default"), value)
