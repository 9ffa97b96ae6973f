"""A change that breaks a stored PolicyTest is refused, whichever command it is; nothing is judged where there is no test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from example_manifests import DATABASE_POLICY
from example_manifests import SHOP_TEST as TEST

from tortie.datastore.sqlite import SQLiteStore
from tortie.datastore.store import Entry, Put, Store, entries
from tortie.model import kinds

Tortie = Callable[..., Result]

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}
spec: {{nodeName: host1, containers: [{{name: main}}]}}
---"""
CLUSTER = "".join(POD.format(name=name) for name in ("web", "db", "backup")) + DATABASE_POLICY
OTHERS = DATABASE_POLICY.replace("app: web", "app: backup")
MORE = OTHERS.replace("name: db", "name: more")
REFUSED = """\
Error: this would break what policies are tested for: 2 assertions hold now and would not afterwards
PolicyTest shop/shop, test 1: allow web to db at tcp/5432: shop/web to shop/db, TCP 5432
  DENIED  shop/host1-k8s-web-eth0 (no address) → shop/host1-k8s-db-eth0 (no address) TCP port 5432
"""


@pytest.fixture
def shop(tortie: Tortie) -> Tortie:
    tortie("apply", "-f", "-", stdin=CLUSTER)
    tortie("apply", "-f", "-", stdin=TEST)
    return tortie


def everything(store: Store) -> list[Entry]:
    return list(entries(store, "/"))


@pytest.mark.parametrize(
    ("arguments", "stdin", "broken"),
    [
        pytest.param(("apply", "-f", "-"), OTHERS, (1, 2), id="apply"),
        pytest.param(("replace", "-f", "-"), OTHERS, (1, 2), id="replace"),
        pytest.param(("create", "-f", "-"), MORE, (2,), id="create"),
        pytest.param(
            ("patch", "netpol", "db", "-n", "shop", "-t", "merge", "-p", '{"spec": {"ingress": null}}'), "", (1,), id="patch"
        ),
        pytest.param(("label", "pod", "web", "-n", "shop", "app=other", "--overwrite"), "", (1,), id="label"),
        pytest.param(("delete", "netpol", "db", "-n", "shop"), "", (2,), id="delete"),
    ],
)  # fmt: skip
def test_a_change_that_breaks_an_assertion_is_refused_unless_tests_are_ignored(
    shop: Tortie,
    store: SQLiteStore,
    arguments: tuple[str, ...],
    stdin: str,
    broken: tuple[int, ...],
) -> None:
    before = everything(store)
    refused = shop(*arguments, stdin=stdin, status=1).stderr
    assert [number for number in (1, 2) if f"PolicyTest shop/shop, test {number}: " in refused] == list(broken)
    assert everything(store) == before
    shop(*arguments, "--ignore-policy-tests", stdin=stdin)
    assert everything(store) != before


def test_an_edited_text_that_breaks_an_assertion_comes_back_with_the_reason(
    shop: Tortie, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDITOR", f"sh -c 'cat $0 >> {tmp_path}/seen; sed -i s/5432/80/ $0'")
    before = everything(store)
    shop("edit", "netpol", "db", "-n", "shop", status=1)
    assert everything(store) == before
    assert "# PolicyTest shop/shop, test 1: allow web to db" in (tmp_path / "seen").read_text()
    shop("edit", "netpol", "db", "-n", "shop", "--ignore-policy-tests")
    assert everything(store) != before


def test_the_refusal_says_what_would_decide(shop: Tortie) -> None:
    refused = shop("apply", "-f", "-", stdin=OTHERS, status=1).stderr
    assert refused.startswith(REFUSED)
    assert ": allowed by tier default, NetworkPolicy shop/knp.default.db, ingress rule 0\n" in refused
    assert "      at NetworkPolicy shop/db, spec.ingress[0]\n" in refused
    assert refused.endswith("With --ignore-policy-tests it is written nevertheless\n")


def test_where_it_cannot_be_told_what_a_change_breaks_it_is_refused_too(shop: Tortie, store: SQLiteStore) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "odd", "namespace": "shop"},
        "spec": {"hostNetwork": True, "nodeName": "host1"},
        "status": {"podIP": "10.0.0.300"},
    }
    store.transact((), (Put(kinds.POD.prefix + "shop/odd", json.dumps(pod).encode()),))
    refused = shop("apply", "-f", "-", stdin=MORE, status=1).stderr
    assert "Pod shop/odd" in refused
    assert "with --ignore-policy-tests it is written nevertheless" in refused
    shop("apply", "-f", "-", "--ignore-policy-tests", stdin=MORE)


@pytest.mark.parametrize(("mode", "status"), [("server", 1), ("client", 0)])
def test_a_dry_run_shows_the_change_and_fails_where_the_change_would(shop: Tortie, mode: str, status: int) -> None:
    result = shop("apply", "-f", "-", f"--dry-run={mode}", stdin=OTHERS, status=status)
    assert "+          app: backup" in result.stdout
    assert ("this would break" in result.stderr) is (mode == "server")


def test_a_test_that_fails_at_once_is_written_with_a_warning(tortie: Tortie, store: SQLiteStore) -> None:
    tortie("apply", "-f", "-", stdin=CLUSTER)
    wrong = TEST.replace("from: web", "from: backup")
    assert tortie("apply", "-f", "-", stdin=wrong).stderr == (
        "Warning: PolicyTest shop/shop, test 1: allow backup to db at tcp/5432: does not hold: "
        "shop/backup to shop/db, TCP 5432; `tortie policy test` tells more\n"
    )
    assert len(list(entries(store, kinds.POLICY_TEST.prefix))) == 1


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(
            TEST.replace("from: web", "from: backup").replace("deny: {from: backup", "deny: {from: web"), id="changed"
        ),
        pytest.param(TEST.replace("name: shop,", "name: other,"), id="beside one that breaks"),
    ],
)
def test_tests_that_are_written_with_the_change_count_as_they_are_then(shop: Tortie, changed: str) -> None:
    is_changed = "name: shop," in changed
    result = shop("apply", "-f", "-", stdin=f"{OTHERS}---{changed}", status=0 if is_changed else 1)
    assert ("test 1: allow web to db" in result.stderr) is not is_changed


def test_a_test_that_is_deleted_with_what_it_is_about_refuses_nothing(shop: Tortie) -> None:
    shop("delete", "-f", "-", stdin=f"{DATABASE_POLICY}---{TEST}")


def test_an_assertion_that_does_not_hold_now_refuses_nothing(shop: Tortie) -> None:
    shop("apply", "-f", "-", "--ignore-policy-tests", stdin=OTHERS)
    assert "this would break" not in shop("delete", "netpol", "db", "-n", "shop").stderr


def test_with_ends_goes_what_is_asserted_of_them(shop: Tortie) -> None:
    shop("delete", "pod", "web", "-n", "shop")


@pytest.mark.parametrize("has_test", [False, True])
def test_only_what_bears_on_it_is_judged_and_only_where_there_are_tests(
    tortie: Tortie, monkeypatch: pytest.MonkeyPatch, has_test: bool
) -> None:
    tortie("apply", "-f", "-", stdin=CLUSTER)
    if has_test:
        tortie("apply", "-f", "-", stdin=TEST)
    asked: list[str] = []
    listing = SQLiteStore.list
    monkeypatch.setattr(
        SQLiteStore, "list", lambda self, prefix, **given: asked.append(prefix) or listing(self, prefix, **given)
    )
    reservation = {
        "apiVersion": "projectcalico.org/v3",
        "kind": "IPReservation",
        "metadata": {"name": "r"},
        "spec": {"reservedCIDRs": ["10.0.0.0/24"]},
    }
    tortie("apply", "-f", "-", stdin=json.dumps(reservation))
    assert kinds.POLICY_TEST.prefix in asked
    assert kinds.NETWORK_POLICY.prefix not in asked
    tortie("delete", "netpol", "db", "-n", "shop", status=has_test)
    assert (kinds.NETWORK_POLICY.prefix in asked) is has_test


def test_a_change_that_bears_on_no_end_has_no_other_namespace_read(
    tortie: Tortie, monkeypatch: pytest.MonkeyPatch
) -> None:
    tortie("apply", "-f", "-", stdin=pod("x", "b", "10.0.0.1") + pod("x", "c", "10.0.0.2") + CLUSTER)
    tortie("apply", "-f", "-", stdin=OTHERS.replace("namespace: shop", "namespace: b"))
    tortie("apply", "-f", "-", stdin=TEST)
    asked: list[str] = []
    listing = SQLiteStore.list
    monkeypatch.setattr(
        SQLiteStore, "list", lambda self, prefix, **given: asked.append(prefix) or listing(self, prefix, **given)
    )
    tortie("delete", "netpol", "db", "-n", "b")
    pods = {prefix for prefix in asked if prefix.startswith(kinds.POD.prefix)}
    assert pods == {f"{kinds.POD.prefix}{namespace}/" for namespace in ("b", "shop")}


def test_a_change_of_the_hosts_tunnels_is_judged_too(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=TUNNEL + asserting("allow: {from: 'host:one', to: 'host:two', ports: '4'}"))
    none = TUNNEL.replace("ipipMode: Always", "ipipMode: Never")
    assert "this would break" in tortie("apply", "-f", "-", stdin=none, status=1).stderr


def pod(name: str, namespace: str, address: str, **labels: str) -> str:
    """A pod as a document, followed by another one."""
    document = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"nodeName": "host1", "containers": [{"name": "main", "ports": [{"containerPort": 80}]}]},
        "status": {"podIP": address, "phase": "Running"},
    }  # fmt: skip
    return f"{json.dumps(document)}\n---\n"


def policy(selector: str, source: str) -> str:
    """A policy of the whole cluster, followed by another document."""
    document = {
        "apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": "g"},
        "spec": {"selector": selector, "ingress": [{"action": "Allow", "source": {"selector": source}}]},
    }  # fmt: skip
    return f"{json.dumps(document)}\n---\n"


def endpoint(name: str, namespace: str, address: str, link: str, *profiles: str, **labels: str) -> str:
    """A workload endpoint that has no pod, as a document, followed by another one."""
    document = {
        "apiVersion": "projectcalico.org/v3", "kind": "WorkloadEndpoint",
        "metadata": {"name": f"host1-k8s-{name}-eth0", "namespace": namespace, "labels": labels},
        "spec": {"orchestrator": "k8s", "node": "host1", "pod": name, "endpoint": "eth0", "interfaceName": link,
                 "ipNetworks": [f"{address}/32"], "profiles": [f"kns.{namespace}", *profiles]},
    }  # fmt: skip
    return f"{json.dumps(document)}\n---\n"


def asserting(what: str) -> str:
    return f"{{apiVersion: tortie.dev/v1, kind: PolicyTest, metadata: {{name: t, namespace: a}}, spec: {{tests: [{what}]}}}}"


TUNNEL = """
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p}
spec: {cidr: 10.0.0.0/16, ipipMode: Always}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: two}
spec: {node: two, interfaceName: eth0, expectedIPs: [192.0.2.2]}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: one}
spec: {bgp: {ipv4Address: 192.0.2.1/24}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: two}
spec: {bgp: {ipv4Address: 192.0.2.2/24}}
---
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: b}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]}
---
"""
BEHIND = """
apiVersion: v1
kind: Service
metadata: {name: two, namespace: a}
spec: {clusterIP: 10.96.0.2, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: two, namespace: a, labels: {kubernetes.io/service-name: two}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.2]}, {addresses: [192.0.2.1]}]
ports: [{port: 80}]
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: one}
spec: {node: one, interfaceName: eth0, expectedIPs: [192.0.2.1, 10.0.0.2], profiles: [projectcalico-default-allow]}
---
"""
ACCOUNT = (
    "{apiVersion: v1, kind: ServiceAccount, metadata: {name: reader, namespace: c, labels: {role: reader}}}\n---\n"
)
RELABELLED = ("label", "sa", "reader", "-n", "c", "role=other", "--overwrite")
PODS = pod("web", "b", "10.0.0.2", app="web") + pod("client", "a", "10.0.0.1", app="client")
ANNOTATED = (
    pod("twin", "c", "", role="twin")
    .replace('"namespace": "c"', '"namespace": "c", "annotations": {"cni.projectcalico.org/podIPs": "10.0.0.1/32"}')
    .replace('"podIP": "", ', "")
)


@pytest.mark.parametrize(
    ("stored", "test", "change"),
    [
        pytest.param(
            PODS + policy("app == 'web'", "role == 'twin'") + pod("twin", "c", "10.0.0.1", role="twin"),
            "allow: {from: client, to: b/web, ports: tcp/80}",
            ("label", "pod", "twin", "-n", "c", "role=other", "--overwrite"),
            id="who shares the address of an end",
        ),
        pytest.param(
            PODS + policy("app == 'web'", "role == 'twin'") + ANNOTATED,
            "allow: {from: client, to: b/web, ports: tcp/80}",
            ("label", "pod", "twin", "-n", "c", "role=other", "--overwrite"),
            id="who shares it, by an annotation",
        ),
        pytest.param(
            PODS + endpoint("late", "d", "10.0.0.9", "cali1") + endpoint("early", "b", "10.0.0.8", "cali1", app="web"),
            "allow: {from: client, to: d/late, ports: tcp/80}",
            ("apply", "-f", "-"), id="who has the link that an end claims",
        ),
        pytest.param(
            PODS + endpoint("late", "d", "10.0.0.9", "cali1") + endpoint("early", "b", "10.0.0.8", "cali1", app="web"),
            "allow: {from: client, to: 10.0.0.9, ports: tcp/80}",
            ("apply", "-f", "-"), id="who has the link that the owner of an address claims",
        ),
        pytest.param(
            PODS + policy("pcsa.role == 'other'", "role == 'nobody'") + ACCOUNT
            + endpoint("late", "d", "10.0.0.9", "cali1") + endpoint("early", "b", "10.0.0.8", "cali1", "ksa.c.reader"),
            "allow: {from: client, to: d/late, ports: tcp/80}",
            RELABELLED,
            id="what the profile of who has the link is made of",
        ),
        pytest.param(
            PODS + policy("app == 'web'", "pcsa.role == 'reader'") + ACCOUNT
            + endpoint("twin", "d", "10.0.0.1", "cali1", "ksa.c.reader"),
            "allow: {from: client, to: b/web, ports: tcp/80}",
            RELABELLED,
            id="what the profile of who shares an address is made of",
        ),
        pytest.param(
            PODS + policy("app == 'web'", "pcsa.role == 'reader'") + ACCOUNT
            + endpoint("one", "a", "10.0.0.9", "cali1", "ksa.c.reader"),
            "allow: {from: one, to: b/web, ports: tcp/80}",
            RELABELLED,
            id="what the profile of an end is made of",
        ),
        pytest.param(
            PODS + BEHIND, "allow: {from: client, to: 'service:two', ports: tcp/80}",
            ("apply", "-f", "-"), id="who has one of a host's addresses behind a service",
        ),
        pytest.param(
            PODS, "allow: {from: client, to: 10.0.0.2, ports: tcp/80}",
            ("apply", "-f", "-"), id="an end that is called by its address",
        ),
        pytest.param(
            PODS + SERVICE, "allow: {from: client, to: 10.96.0.1, ports: tcp/80}",
            ("apply", "-f", "-"), id="an end behind a service's address",
        ),
        pytest.param(
            PODS + SERVICE, "allow: {from: client, to: 'service:web', ports: tcp/80}",
            ("apply", "-f", "-"), id="an end behind a service",
        ),
        pytest.param(
            PODS, "allow: {from: client, to: web, ports: tcp/80}",
            ("apply", "-f", "-"), id="a name that only another namespace has",
        ),
        pytest.param(
            PODS, "allow: {from: client, to: 10.0.0.0/30, ports: tcp/80}",
            ("apply", "-f", "-"), id="whoever has an address of a network",
        ),
        pytest.param(
            PODS, "allow: {from: client, to: '?/we*', ports: tcp/80}",
            ("apply", "-f", "-"), id="whoever is called as a pattern says",
        ),
    ],
)  # fmt: skip
def test_a_change_in_another_namespace_is_refused_if_it_bears_on_a_test(
    tortie: Tortie, stored: str, test: str, change: tuple[str, ...]
) -> None:
    tortie("apply", "-f", "-", stdin=stored + asserting(test))
    closed = DATABASE_POLICY.replace("namespace: shop", "namespace: b").replace("app: db", "app: web")
    assert "this would break" in tortie(*change, stdin=closed, status=1).stderr


@pytest.mark.parametrize(
    ("selector", "source", "to", "others"),
    [
        pytest.param(
            "app == 'web'", "pcsa.role == 'reader'", "b/web", endpoint("twin", "d", "10.0.0.1", "cali1", "ksa.c.reader"),
            id="that shares an address",
        ),
        pytest.param(
            "has(up) && pcsa.role != 'reader'", "role == 'nobody'", "d/late",
            endpoint("late", "d", "10.0.0.9", "cali1") + endpoint("early", "b", "10.0.0.8", "cali1", "ksa.c.reader", up="yes"),
            id="that has the link",
        ),
    ],
)  # fmt: skip
def test_what_the_profile_of_one_is_made_of_bears_on_a_test_though_it_is_not_stored(
    tortie: Tortie, store: SQLiteStore, selector: str, source: str, to: str, others: str
) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "reader", "namespace": "c", "labels": {"role": "reader"}},
    }
    store.transact((), (Put(kinds.SERVICE_ACCOUNT.prefix + "c/reader", json.dumps(account).encode()),))
    tortie(
        "apply",
        "-f",
        "-",
        stdin=PODS + policy(selector, source) + others + asserting(f"allow: {{from: client, to: {to}, ports: tcp/80}}"),
    )
    relabelled = tortie("label", "sa", "reader", "-n", "c", "role=other", "--overwrite", status=1)
    assert "this would break" in relabelled.stderr


def test_a_service_account_that_somebody_runs_under_first_bears_on_a_test(tortie: Tortie) -> None:
    """Its profile is there from then on, and whoever else has it, and the address of an end, gets its label."""
    twin = endpoint("twin", "d", "10.0.0.1", "cali1", "ksa.c.reader")
    allowed = policy("app == 'web'", "pcsa.projectcalico.org/name == 'reader'")
    tortie(
        "apply", "-f", "-", stdin=PODS + allowed + twin + asserting("deny: {from: client, to: b/web, ports: tcp/80}")
    )
    first = json.loads(pod("first", "c", "10.0.0.7").removesuffix("---\n"))
    first["spec"]["serviceAccountName"] = "reader"
    assert "this would break" in tortie("apply", "-f", "-", stdin=json.dumps(first), status=1).stderr


def test_of_what_cannot_bear_on_a_test_nothing_is_judged(tortie: Tortie, store: SQLiteStore) -> None:
    """Not even whether it means anything: a pod that cannot be understood is of another namespace."""
    tortie("apply", "-f", "-", stdin=PODS + asserting("allow: {from: client, to: b/web, ports: tcp/80}"))
    odd = json.loads(pod("odd", "c", "10.0.0.300").removesuffix("---\n"))
    odd["spec"]["hostNetwork"] = True
    store.transact((), (Put(kinds.POD.prefix + "c/odd", json.dumps(odd).encode()),))
    tortie("apply", "-f", "-", stdin=DATABASE_POLICY.replace("namespace: shop", "namespace: c"))


def test_a_name_that_several_namespaces_have_is_one_of_none_whichever_are_read(tortie: Tortie) -> None:
    others = pod("web", "c", "10.0.0.3") + pod("client", "b", "10.0.0.4", app="client")
    tortie("apply", "-f", "-", stdin=PODS + others + asserting("allow: {from: b/client, to: web, ports: tcp/80}"))
    closed = DATABASE_POLICY.replace("namespace: shop", "namespace: b").replace("app: db", "app: web")
    tortie("apply", "-f", "-", stdin=closed)


def test_a_dry_run_reads_the_datastore_once(shop: Tortie, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    listing = SQLiteStore.list
    monkeypatch.setattr(
        SQLiteStore, "list", lambda self, prefix, **given: asked.append(prefix) or listing(self, prefix, **given)
    )
    shop("apply", "-f", "-", "--dry-run=server", stdin=OTHERS, status=1)
    assert asked.count(kinds.WORKLOAD_ENDPOINT.prefix) == 1
