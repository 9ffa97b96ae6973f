"""A whole agent on an etcd with TLS, users and the documented roles, which goes away, and comes back with other secrets.

etcd ── 127.0.0.1, TLS ── agent of host1 ── table inet tortie
                                         └─ cali0web ═══ w0web   the link of a workload

The agent has no more rights than docs/howto/datastore.md gives it, and reads its secrets from files.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from isolation import isolated, run

from documented_roles import give_roles
from tortie.testing.etcd import EtcdCluster, etcd_cluster, make_certificates

RESOURCES = "/calico/resources/v3/projectcalico.org/"
OUTAGE_S = 30 if os.environ.get("TORTIE_SOAK") else 0
WAIT_S = 40.0


def put(cluster: EtcdCluster, path: str, kind: str, metadata: dict[str, object], spec: dict[str, object]) -> None:
    """Write a resource, as the role for people may."""
    document = {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}
    cluster.ctl("--user", "admin:secret", "put", RESOURCES + path, json.dumps(document))


def put_endpoint(cluster: EtcdCluster) -> None:
    labels = {"projectcalico.org/namespace": "shop", "projectcalico.org/orchestrator": "k8s"}
    spec: dict[str, object] = {
        "node": "host1", "orchestrator": "k8s", "pod": "web", "endpoint": "eth0", "interfaceName": "cali0web",
        "ipNetworks": ["10.65.0.5/32"],
    }  # fmt: skip
    metadata: dict[str, object] = {"name": "host1-k8s-web-eth0", "namespace": "shop", "labels": labels}
    put(cluster, "workloadendpoints/shop/host1-k8s-web-eth0", "WorkloadEndpoint", metadata, spec)


def put_policy(cluster: EtcdCluster, name: str) -> None:
    rule = {"action": "Allow", "protocol": "TCP", "source": {"nets": ["10.9.0.0/16"], "notPorts": [1]}}
    put(cluster, f"globalnetworkpolicies/{name}", "GlobalNetworkPolicy", {"name": name}, {"ingress": [rule]})


@contextlib.contextmanager
def agent(settings: Path) -> Iterator[Path]:
    """The agent's process, with a /run and a /var/lib of its own; its root directory."""
    script = f"mount -t tmpfs run /run && mount -t tmpfs lib /var/lib && exec {sys.executable} -m tortie -c {settings} agent run --node host1"
    with (settings.parent / "agent.log").open("wb") as log:
        process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stdout=log, stderr=log)
    try:
        yield Path(f"/proc/{process.pid}/root")
        assert process.poll() is None, "the agent has ended"
    finally:
        process.kill()
        process.wait()


def wait_until(reached: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while not reached():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)  # a poll with a bound: the agent is another process, and tells nobody


def rules() -> str:
    """The table as nft prints it; nothing before there is one."""
    listed = subprocess.run(["nft", "list", "table", "inet", "tortie"], capture_output=True, text=True, check=False)
    return listed.stdout


def change_password(cluster: EtcdCluster, password: str) -> None:
    command = cluster.ctl_command("--user", "root:root", "user", "passwd", "host1", "--interactive=false")
    subprocess.run(command, input=password, text=True, check=True, capture_output=True)


@pytest.mark.timeout(180 + OUTAGE_S)
@isolated
def test_an_agent_enforces_with_what_the_page_gives_it_through_new_secrets(tmp_path: Path) -> None:
    if shutil.which("etcd") is None or shutil.which("etcdctl") is None:
        pytest.skip("there is no etcd here; Debian has it in etcd-server and etcd-client")
    signal.alarm(150 + OUTAGE_S)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "cali0web", "up", "type", "veth", "peer", "name", "w0web")
    run("ip", "link", "set", "w0web", "up")
    secret, settings, log = tmp_path / "password", tmp_path / "tortie.yaml", tmp_path / "agent.log"
    secret.write_text("secret\n")
    with etcd_cluster(tmp_path, is_tls=True) as cluster:
        settings.write_text(
            f"datastore: {cluster.url}\n"
            "etcd: {caFile: tls/ca.pem, certFile: tls/client.pem, keyFile: tls/client.key, username: host1, passwordFile: password}\n"
        )
        give_roles(cluster, "secret")
        put_endpoint(cluster)
        put_policy(cluster, "first")
        with agent(settings) as root:
            wait_until((root / "run/tortie/endpoint-status/cali0web").exists, log)
            enforced = rules()
            assert "cali0web" in enforced
            assert "first" in enforced

            server = cluster.servers[0]
            server.kill()
            make_certificates(tmp_path / "tls")  # the authority's too: with what was there before nobody is let in
            time.sleep(OUTAGE_S)  # waits for nothing: how long etcd is away is a soak's subject
            assert rules() == enforced
            server.start()
            put_policy(cluster, "second")
            wait_until(lambda: "second" in rules(), log)

            change_password(cluster, "changed")
            server.kill()  # with it go the tokens it has given
            server.start()
            wait_until(lambda: "authentication failed" in log.read_text(), log)
            assert "second" in rules()
            secret.write_text("changed\n")
            put_policy(cluster, "third")
            wait_until(lambda: "third" in rules(), log)
