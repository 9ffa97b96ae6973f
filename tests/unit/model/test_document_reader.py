"""Files become resources, and every mistake is reported with its place."""

from __future__ import annotations

import json
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.model import kinds
from tortie.model.codec import from_document, to_document
from tortie.model.document import Problem, ReadResource, ReadResult, read
from tortie.model.fieldpath import path_text
from tortie.model.kinds import ResourceKey
from tortie.model.policy import GlobalNetworkPolicy
from tortie.net import Port


def policy(spec: str, *, metadata: str = "{name: x}") -> str:
    indented = textwrap.indent(textwrap.dedent(spec).strip("\n"), "  ")
    return f"apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {metadata}\nspec:\n{indented}\n"


def rule(text: str) -> str:
    return policy(f"ingress:\n- {text}")


def accepted(text: str) -> ReadResource:
    result = read(text)
    assert [str(error) for error in result.errors] == []
    (resource,) = result.resources
    return resource


def errors(text: str) -> list[str]:
    return [str(error) for error in read(text, source="f.yaml").errors]


def one_error(text: str) -> Problem:
    result = read(text, source="f.yaml")
    assert [str(error) for error in result.errors[1:]] == []
    assert not result.resources
    return result.errors[0]


# --- what is read ----------------------------------------------------------------------------------------------------------


def test_document_and_resource_agree() -> None:
    item = accepted(
        policy(
            "order: 10\nselector: has(a)\ningress: [{action: Allow, protocol: UDP, destination: {ports: [53, '5000:5010', dns]}}]"
        )
    )
    assert item.key == ResourceKey(kinds.GLOBAL_NETWORK_POLICY, "", "x")
    assert from_document(item.document, GlobalNetworkPolicy) == item.resource
    assert isinstance(item.resource, GlobalNetworkPolicy)
    assert item.resource.spec.ingress[0].destination.ports == (Port(53), Port(5000, 5010), Port(name="dns"))


def test_fields_stand_in_the_order_of_the_declaration_and_keep_its_spelling() -> None:
    item = accepted(
        "Spec: {SELECTOR: has(a), Order: 1}\nMETADATA: {name: x}\nkind: globalnetworkpolicy\napiVersion: projectcalico.org/v3\n"
    )
    assert item.document == {
        "kind": "GlobalNetworkPolicy", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "x"},
        "spec": {"order": 1, "selector": "has(a)"},
    }  # fmt: skip
    assert list(item.document["spec"]) == ["order", "selector"]


@pytest.mark.parametrize(
    ("field", "stored"),
    [
        pytest.param("notProtocol: 132", {"notProtocol": 132}, id="a protocol's number stays one"),
        pytest.param("protocol: '6'", {"protocol": 6}, id="also in quotes"),
        pytest.param("protocol: UDPLite", {"protocol": "UDPLite"}, id="and its name a name"),
        pytest.param("protocol: ~", {}, id="null is absent"),
        pytest.param("source: {nets: ['FD00::/8']}", {"source": {"nets": ["FD00::/8"]}}, id="networks as written"),
        pytest.param("source: {}", {}, id="an empty entity is absent"),
        pytest.param("source: {selector: '', nets: []}", {}, id="zeros are absent"),
    ],
)
def test_rules_are_stored_as_calico_stores_them(field: str, stored: dict[str, object]) -> None:
    assert accepted(rule(f"{{action: Allow, {field}}}")).document["spec"]["ingress"] == [{"action": "Allow", **stored}]


def test_a_pointer_keeps_its_zero() -> None:
    item = accepted(policy("order: 0\ndoNotTrack: false"))
    assert item.document["spec"] == {"order": 0}


@pytest.mark.parametrize(
    ("written", "stored"),
    [("80", 80), ("010", 8), ("0x50", 80), ("80.0", 80), ("8e1", 80), ('"80"', 80), ('"080"', 80), ("22:22", 22), ("22:23", "22:23"), ("http", "http")],
)  # fmt: skip
def test_ports_become_numbers_where_they_are_some(written: str, stored: object) -> None:
    item = accepted(rule(f"{{action: Allow, protocol: TCP, destination: {{ports: [{written}]}}}}"))
    assert item.document["spec"]["ingress"][0]["destination"]["ports"] == [stored]


@pytest.mark.parametrize(
    ("written", "stored"),
    [("64512", 64512), ("'64512'", 64512), ("'1.10'", 65546), ("1e3", 1000), ("0", None), ("null", None)],
)
def test_as_numbers_may_be_text(written: str, stored: int | None) -> None:
    item = accepted(
        f"apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {{name: x}}\nspec: {{asNumber: {written}}}\n"
    )
    assert item.document["spec"].get("asNumber") == stored


def test_a_namespace_is_filled_in_where_there_is_none() -> None:
    text = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a%s}\nspec: {podSelector: {}}\n"
    here = read(text % "", default_namespace="stars").resources[0]
    there = read(text % ", namespace: client", default_namespace="stars").resources[0]
    assert (here.key.namespace, here.document["metadata"]["namespace"]) == ("stars", "stars")
    assert there.key.namespace == "client"


def test_the_api_version_tells_the_two_network_policies_apart() -> None:
    calico = accepted("apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: a}\n")
    kubernetes = accepted("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\n")
    assert (calico.key.kind, kubernetes.key.kind) == (kinds.NETWORK_POLICY, kinds.K8S_NETWORK_POLICY)


NAMESPACE = "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            f"{NAMESPACE % 'a'}\n---\n---\n# nothing\n---\n{NAMESPACE % 'b'}\n", id="documents, empty ones between"
        ),
        pytest.param(f"- {NAMESPACE % 'a'}\n- {NAMESPACE % 'b'}\n", id="a list"),
        pytest.param(f"apiVersion: v1\nkind: List\nitems:\n- {NAMESPACE % 'a'}\n- {NAMESPACE % 'b'}\n", id="kind List"),
        pytest.param(
            f"apiVersion: v1\nkind: NamespaceList\nitems: [{NAMESPACE % 'a'}, {NAMESPACE % 'b'}]\n",
            id="a kind's own list",
        ),
    ],
)
def test_many_resources_stand_in_one_text(text: str) -> None:
    result = read(text)
    assert [item.key.name for item in result.resources] == ["a", "b"]
    assert result.errors == ()


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "null\n"])
def test_an_empty_text_holds_nothing(text: str) -> None:
    assert read(text) == ((), (), (), ())


# --- fields that are not declared ------------------------------------------------------------------------------------------


def test_undeclared_fields_of_large_kubernetes_kinds_are_kept() -> None:
    item = accepted(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p, generation: 3}\n"
        "spec: {restartPolicy: Never, containers: [{name: c, image: i, securityContext: {runAsUser: 010, privileged: no}}]}\n"
    )
    assert item.document["spec"]["restartPolicy"] == "Never"
    assert item.document["spec"]["containers"][0]["securityContext"] == {"runAsUser": 8, "privileged": False}
    assert item.document["metadata"]["generation"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(policy("ingres: []"), "f.yaml:5:3: spec.ingres: there is no field 'ingres' here; did you mean ingress?", id="Calico"),
        pytest.param(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec:\n  podSelector: {matchLables: {a: b}}\n",
            "f.yaml:5:17: spec.podSelector.matchLables: there is no field 'matchLables' here; did you mean matchLabels?",
            id="Kubernetes policy",
        ),
        pytest.param("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, nme: b}\n", "f.yaml:3:21: metadata.nme: there is no field 'nme' here; did you mean name?", id="metadata"),
        pytest.param(policy("selector: has(a)") + "extra: 1\n", "f.yaml:6:1: extra: there is no field 'extra' here", id="top"),
        pytest.param(
            "apiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {name: a}\nstatus: {}\n",
            "f.yaml:4:1: status: there is no field 'status' here", id="status",
        ),
    ],
)  # fmt: skip
def test_unknown_fields_are_named(text: str, message: str) -> None:
    assert errors(text) == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(policy("order: 1\nselector: has(a)\norder: 2"), "f.yaml:7:3: spec.order: 'order' is given twice; the first is in line 5", id="field"),
        pytest.param(policy("order: 1\nOrder: 2"), "f.yaml:6:3: spec.order: 'Order' is given twice; the first is in line 5", id="in another case"),
        pytest.param(policy("order: 1", metadata="{name: x, labels: {k: v, k: w}}"), "f.yaml:3:36: metadata.labels.k: 'k' is given twice; the first is in line 3", id="label"),
        pytest.param(policy("order: 1") + "kind: Tier\n", "f.yaml:6:1: kind: 'kind' is given twice; the first is in line 2", id="kind"),
    ],
)  # fmt: skip
def test_duplicate_keys_are_refused(text: str, message: str) -> None:
    assert errors(text) == [message]


# --- what is refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "offending", "message"),
    [
        pytest.param(rule("{action: allow}"), "spec.ingress[0].action", "allow", "'allow' is not one of Allow, Deny, Log, Pass; did you mean Allow?", id="action"),
        pytest.param(rule("{protocol: TCP}"), "spec.ingress[0].action", "", "action is missing; expected one of Allow, Deny, Log, Pass", id="no action"),
        pytest.param(rule("{action: Allow, protocol: tcp}"), "spec.ingress[0].protocol", "tcp", "did you mean TCP?", id="protocol"),
        pytest.param(rule("{action: Allow, protocol: true}"), "spec.ingress[0].protocol", "true", "is not a protocol", id="truth as protocol"),
        pytest.param(rule("{action: Allow, source: {nets: [10.0.0.1]}}"), "spec.ingress[0].source.nets[0]", "10.0.0.1", "has no prefix length", id="net without mask"),
        pytest.param(rule("{action: Allow, source: {nets: [10.0.0.1/8]}}"), "spec.ingress[0].source.nets[0]", "10.0.0.1/8", "has host bits set", id="host bits"),
        pytest.param(rule("{action: Allow, source: {nets: 10.0.0.0/8}}"), "spec.ingress[0].source.nets", "10.0.0.0/8", "expected a list", id="text for a list"),
        pytest.param(rule("{action: Allow, protocol: TCP, source: {ports: [null]}}"), "spec.ingress[0].source.ports[0]", "null", "is not a port", id="null port"),
        pytest.param(rule("{action: Allow, protocol: TCP, source: {ports: ['80:http']}}"), "spec.ingress[0].source.ports[0]", "80:http", "is not a port", id="port"),
        pytest.param(policy("order: '1.5'"), "spec.order", "1.5", "expected a number, got '1.5'", id="text for a number"),
        pytest.param(policy("order: .inf"), "spec.order", ".inf", "expected a number", id="infinite"),
        pytest.param(policy("doNotTrack: 1"), "spec.doNotTrack", "1", "expected true or false, got '1'", id="number for a truth"),
        pytest.param(policy("selector: [a]"), "spec.selector", "", "expected text, got a list", id="list for text"),
        pytest.param(policy("selector: a =="), "spec.selector", "a ==", "of selector 'a =='", id="selector"),
        pytest.param(policy("ingress: [7]"), "spec.ingress[0]", "7", "expected a mapping", id="number for a rule"),
        pytest.param(policy("order: 1", metadata="{}"), "metadata.name", "", "name is missing", id="no name"),
        pytest.param(policy("order: 1", metadata="{name: x, namespace: ns}"), "metadata.namespace", "ns", "belongs to no namespace", id="namespace"),
        pytest.param(policy("order: 1", metadata="{name: x, labels: {'a b': c}}"), "metadata.labels[a b]", "c", "is not a label's name", id="label"),
        pytest.param("hello", "", "hello", "is not a resource", id="text only"),
        pytest.param("kind: Tier\nmetadata: {}\n", "", "", "apiVersion is missing", id="no apiVersion"),
        pytest.param("apiVersion: v1\nkind: Pood\n", "kind", "Pood", "did you mean Pod?; known: Namespace, Pod, Service", id="kind"),
        pytest.param("apiVersion: v2\nkind: Pod\n", "apiVersion", "v2", "is not an apiVersion of Pod; known: v1", id="version of a kind"),
        pytest.param("apiVersion: v2\nkind: Foo\n", "apiVersion", "v2", "is not a known apiVersion", id="version"),
        pytest.param("a: [", "", "", "YAML cannot be read further", id="syntax"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_field_text_and_expectation(
    text: str, path: str, offending: str, message: str
) -> None:
    problem = one_error(text)
    assert (path_text(problem.path), problem.text) == (path, offending)
    assert message in problem.message
    assert str(problem).startswith(f"f.yaml:{problem.position.line}:{problem.position.column}: ")


def test_all_errors_are_reported_and_good_resources_read() -> None:
    good = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"
    result = read(
        f"{policy('order: x')}---\n{good}---\n{policy('selector: a ==')}---\n{rule('{action: allow, protocl: TCP}')}"
    )
    assert [error.position.line for error in result.errors] == [5, 15, 22, 22]
    assert [item.key.name for item in result.resources] == ["a"]


@pytest.mark.parametrize(
    ("items", "place"),
    [("", "1:1"), ("items: 3\n", "3:8"), ("items: {a: b}\n", "3:8")],
    ids=["none", "a number", "a mapping"],
)
def test_a_list_without_a_list_is_an_error(items: str, place: str) -> None:
    (error,) = read(f"apiVersion: v1\nkind: List\n{items}").errors
    assert str(error) == f"<input>:{place}: items: expected a list of the resources"


def test_a_list_may_be_empty() -> None:
    for items in ("[]", "", "null"):
        assert read(f"apiVersion: v1\nkind: List\nitems: {items}\n") == ReadResult((), (), ())


def test_errors_before_a_syntax_error_are_reported_too() -> None:
    assert len(errors(policy("order: x") + "---\na: [\n")) == 2


# --- warnings --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        pytest.param(policy("order: 1", metadata="{name: x, labels: {team: no}}"), "f.yaml:3:36: metadata.labels.team: 'no' is stored as the text 'false'", id="label"),
        pytest.param(policy("order: 1", metadata="{name: yes}"), "f.yaml:3:18: metadata.name: 'yes' is stored as the text 'true'", id="name"),
        pytest.param(policy("order: 1", metadata="{name: x, labels: {010: a}}"), "f.yaml:3:30: metadata.labels.010: '010' is stored as the text '8'", id="a label's name"),
        pytest.param(rule("{action: Allow, protocol: TCP, source: {ports: [010]}}"), "f.yaml:6:53: spec.ingress[0].source.ports[0]: '010' is stored as 8", id="port"),
        pytest.param(policy("order: 010"), "f.yaml:5:10: spec.order: '010' is stored as 8", id="order"),
        pytest.param(policy("selector: !has(a)"), "f.yaml:5:13: spec.selector: '!has(a)' is read as a YAML tag", id="selector"),
    ],
)  # fmt: skip
def test_a_warning_says_where_the_stored_text_is_not_the_written_one(text: str, warning: str) -> None:
    result = read(text, source="f.yaml")
    assert result.errors == ()
    assert len(result.warnings) == 1
    assert str(result.warnings[0]).startswith(warning)


@pytest.mark.parametrize(
    "spec",
    [
        "order: 1.50",
        "order: 1e3",
        "order: -3",
        "doNotTrack: off",
        "selector: has(a)",
        "selector: ~",
        "ingress: [{action: Allow, protocol: 6}]",
    ],
)
def test_nothing_is_said_about_what_is_stored_as_meant(spec: str) -> None:
    assert read(policy(spec)).warnings == ()


@given(st.text(max_size=20))
def test_any_text_in_quotes_is_stored_as_it_is(text: str) -> None:
    name = json.dumps(text)
    item = read(f'{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "a", "annotations": {{"k": {name}}}}}}}')
    if not item.errors:  # YAML refuses some control characters that JSON allows
        assert item.resources[0].document["metadata"]["annotations"] == {"k": text}
        assert item.warnings == ()


def test_what_is_read_from_a_typed_resources_own_document_is_that_resource() -> None:
    item = accepted(
        rule("{action: Deny, source: {notNets: [10.0.0.0/8]}, protocol: SCTP, destination: {ports: ['1:2']}}")
    )
    again = accepted(json.dumps(to_document(item.resource)))
    assert again.resource == item.resource
