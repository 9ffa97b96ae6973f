"""scalars.json: AS numbers, ports, protocols, DSCPs, addresses of blocks, names, keys, derived identifiers and defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import differences
import msgspec
from vectortables import Case, Judge, Mismatch, NotApplicable, attempted, dispatch, expect, expect_refusal

from tortie.conversion.qos import qos_controls
from tortie.model.blocks import BlockKey, decode_affinity, parse_block_path
from tortie.model.checks.endpoint import name_of
from tortie.model.codec import from_document
from tortie.model.defaults import with_defaults
from tortie.model.document import read
from tortie.model.endpoint import EndpointNameError, WorkloadEndpointSpec
from tortie.model.kinds import parse_path
from tortie.model.meta import HostName
from tortie.model.qos import DSCP, dscp_number
from tortie.net import Network, Port, Protocol
from tortie.selectors import length_limited_id

BGP = '{"apiVersion": "projectcalico.org/v3", "kind": "BGPConfiguration", "metadata": {"name": "default"}, "spec": {"asNumber": %s}}'


# --- reading and writing ---------------------------------------------------------------------------------------------------


def as_number(text: str) -> object:
    """The AS number of JSON *text*, read as people write it: stored is always a number."""
    result = read(BGP % text)
    if result.errors:
        raise ValueError(str(result.errors[0]))
    (item,) = result.resources
    return item.document["spec"]["asNumber"]


def port(text: str) -> object:
    return Port.parse(msgspec.json.decode(text, type=int | str)).to_builtin()


def protocol(text: str) -> object:
    return Protocol.parse(msgspec.json.decode(text, type=int | str)).to_builtin()


def dscp(text: str) -> object:
    return msgspec.json.decode(text, type=DSCP)


def judge_decode(read_one: Callable[[str], object]) -> Judge:
    def judge(case: Case) -> None:
        accepted = not case.get("error")
        found = attempted(lambda: read_one(case["json"]), accepted=accepted)
        if accepted:
            expect(found, case["value"])

    return judge


def judge_encode(of_value: Callable[[Any], object]) -> Judge:
    return lambda case: expect(json.dumps(of_value(case["value"])), case["json"])


def judge_text(of_value: Callable[[Any], object]) -> Judge:
    return lambda case: expect(str(of_value(case["value"])), case["text"])


def same(value: Any) -> object:
    """AS numbers and DSCPs are numbers and text, with no type of their own."""
    return msgspec.convert(value, DSCP)


# --- protocols, ports, DSCPs -----------------------------------------------------------------------------------------------


def judge_has_ports(case: Case) -> None:
    _refuse_unknown(case["protocol"], kept=not case["value"])
    expect(Protocol.parse(case["protocol"]).has_ports, case["value"])


def judge_protocol_from_text(case: Case) -> None:
    _refuse_unknown(case["text"], kept=case["value"] == case["text"])
    expect(Protocol.parse(case["text"]).to_builtin(), case["value"])


def judge_decode_protocol(case: Case) -> None:
    if isinstance(case.get("value"), str):
        _refuse_unknown(case["value"], kept=json.loads(case["json"]) == case["value"])
    judge_decode(protocol)(case)


def _refuse_unknown(text: str | int, *, kept: bool) -> None:
    """NotApplicable if *text* is no protocol and the vector wants it *kept* as it is."""
    try:
        Protocol.parse(text)
    except ValueError:
        if kept and isinstance(text, str):
            raise NotApplicable(differences.UNKNOWN_PROTOCOL) from None


def judge_named_port(case: Case) -> None:
    try:
        Port.parse(case["text"])
    except ValueError as error:
        expect_refusal(True, not case["valid"], [error])
    else:
        expect_refusal(":" in case["text"], not case["valid"])  # a range is no name


def judge_dscp_from_text(case: Case) -> None:
    """As an annotation of a pod gives it."""
    controls = qos_controls({"qos.projectcalico.org/dscp": case["text"]})
    if controls is None and case["value"] == case["text"]:
        raise NotApplicable(differences.UNKNOWN_DSCP)
    expect(controls and controls.dscp, case["value"])


def judge_dscp_valid(case: Case) -> None:
    attempted(lambda: dscp_number(case["value"]), accepted=case["valid"])


# --- blocks, identifiers, defaults -----------------------------------------------------------------------------------------


def judge_block_ordinal(case: Case) -> None:
    block = Network.parse(case["cidr"])
    if "ordinal" in case and case.get("value") is not None:
        expect(str(block.address + case["ordinal"]), case["value"])
    else:
        raise Mismatch("a form that is not understood")


def judge_limited_id(case: Case) -> None:
    accepted = not case.get("error")
    found = attempted(lambda: length_limited_id(case["prefix"], case["suffix"], case["max"]), accepted=accepted)
    if accepted:
        expect(found, case["value"])


def judge_defaults(case: Case) -> None:
    """``changed`` is about the parts that the case names: what else is stored is for etcd.json to say."""
    before, after = case["object"], with_defaults(case["object"])
    for path, wanted in case["expect"].items():
        expect(at(after, path), wanted, path)
    if "changed" in case:
        changed = any(at(before, path) != at(after, path) for path in case["expect"])
        expect(changed, case["changed"], "changed")


def at(document: Any, path: str) -> Any:
    """What stands at a dotted *path*, in which a backslash keeps a dot inside a name; None where there is nothing."""
    for part in re.split(r"(?<!\\)\.", path):
        name = part.replace("\\.", ".")
        if isinstance(document, list):
            document = document[int(name)] if name.isdigit() and int(name) < len(document) else None
        else:
            document = document.get(name) if isinstance(document, dict) else None
    return document


# --- names, keys and what is stored under them -----------------------------------------------------------------------------


def judge_endpoint_name(case: Case) -> None:
    """The field at fault is asked of the reader of files: it is what a user sees."""
    spec = {_SPEC_FIELDS[name]: value for name, value in case["ids"].items()}
    try:
        found = name_of(from_document(spec, WorkloadEndpointSpec))
    except EndpointNameError:
        endpoint = {
            "apiVersion": "projectcalico.org/v3", "kind": "WorkloadEndpoint", "metadata": {"name": "x"}, "spec": {**spec, "interfaceName": "cali1"},
        }  # fmt: skip
        fields = [problem.path for problem in read(json.dumps(endpoint)).errors]
        if ("spec", case.get("error_field")) not in fields:
            raise Mismatch(f"expected an error in {case.get('error_field')}, found errors in {fields}") from None
    else:
        expect(found, case.get("value"))


_SPEC_FIELDS = {
    "node": "node", "orchestrator": "orchestrator", "pod": "pod", "container_id": "containerID", "endpoint": "endpoint",
    "workload": "workload",
}  # fmt: skip


def judge_key(case: Case) -> None:
    _refuse_others(case["path"])
    key = parse_path(case["path"])
    expect_refusal(key is None, bool(case.get("error")))
    if key is not None:
        wanted = case["key"]
        expect((key.kind.name, key.namespace, key.name), (wanted["Kind"], wanted.get("Namespace", ""), wanted["Name"]))
        expect(key.path, case["path"])


def _refuse_others(path: str) -> None:
    if path.startswith("/calico/v1/"):
        raise NotApplicable(differences.V1_KEYS)
    if path.startswith("/calico/felix/"):
        raise NotApplicable(differences.STATUS_KEYS)


def judge_value(case: Case) -> None:
    kind = case["key"]["type"]
    if kind == "BlockAffinityKey":
        network = Network.parse(case["key"]["CIDR"])
        key = BlockKey(HostName(case["key"]["Host"]), network)
        expect(parse_block_path(key.path), key)
        wanted = case["value"].get("State", "confirmed")  # a claim from before there were states is one in force
        expect(str(decode_affinity(case["text"].encode()).state), wanted)
        return
    document = json.loads(case["text"])
    if "metadata" not in document:
        raise NotApplicable(differences.NO_NAME)
    raise Mismatch("a form that is not understood")


judge = dispatch(
    "table",
    {
        "decode asnumber": judge_decode(as_number),
        "decode port": judge_decode(port),
        "decode protocol": judge_decode_protocol,
        "decode dscp": judge_decode(dscp),
        "encode asnumber": judge_encode(same),
        "encode port": judge_encode(lambda value: Port.parse(value).to_builtin()),
        "encode protocol": judge_encode(lambda value: Protocol.parse(value).to_builtin()),
        "encode dscp": judge_encode(same),
        "text asnumber": judge_text(same),
        "text port": judge_text(Port.parse),
        "text protocol": judge_text(Protocol.parse),
        "text dscp": judge_text(same),
        "protocol has ports": judge_has_ports,
        "protocol from text": judge_protocol_from_text,
        "named port": judge_named_port,
        "dscp from text": judge_dscp_from_text,
        "dscp number": lambda case: expect(dscp_number(case["text"]), case["value"]),
        "dscp valid": judge_dscp_valid,
        "block size": lambda case: expect(Network.parse(case["cidr"]).size, case["value"]),
        "block ordinal": judge_block_ordinal,
        "length-limited id": judge_limited_id,
        "workload endpoint name": judge_endpoint_name,
        "key": judge_key,
        "value": judge_value,
        "defaults": judge_defaults,
    },
    {
        "workload endpoint name prefix": differences.PARTIAL_NAMES,
        "workload endpoint name matches": differences.PARTIAL_NAMES,
        "workload endpoint name parse": differences.PARTIAL_NAMES,
        "endpoint status file name": differences.START_GATE,
        "endpoint to key": differences.V1_KEYS,
        "bgp peer key": differences.V1_KEYS,
        "legacy policy key": differences.V1_KEYS,
        "status key": differences.STATUS_KEYS,
        "protocol to v1 text": differences.V1_SPELLING,
        "rule text": differences.V1_RULES,
        "host name hash": differences.HOST_NAME_HASH,
    },
)


def test_scalars_are_what_the_vectors_say(run_table: Callable[[str, Judge], None]) -> None:
    run_table("scalars.json", judge)
