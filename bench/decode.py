"""What decoding stored resources into typed values costs, in time and memory, against json.loads of the same bytes.

    python bench/decode.py [--resources N] [--rounds N]

Design point: 100,000 resources, of which 70 % are WorkloadEndpoints, 15 % NetworkPolicies, 10 % Pods and 5 % of other kinds, all
kept. Each decoding runs in a fresh process, in turns; the figures are medians. Memory is by how much the peak of the process's
resident memory grows. The bar is a ratio of 0.5 for both.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tortie.conversion import interface_name
from tortie.model import kinds
from tortie.model.codec import decode, encode_document
from tortie.model.endpoint import endpoint_name
from tortie.model.meta import CALICO
from tortie.testing.memory import peak_kib

BAR = 0.5
NAMESPACES = 200
NODES = 500
APPS = 300

Document = dict[str, object]


# --- The resources --------------------------------------------------------------------------------------------------------


def metadata(dice: random.Random, name: str, namespace: str = "", **more: object) -> Document:
    uid = f"{dice.getrandbits(128):032x}"
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "uid": "-".join((uid[:8], uid[8:12], uid[12:16], uid[16:20], uid[20:])),
        "creationTimestamp": f"2026-05-{dice.randint(1, 28):02}T{dice.randint(0, 23):02}:{dice.randint(0, 59):02}:07Z",
        **more,
    }


def of_pod(dice: random.Random, number: int) -> tuple[str, str, str, str, dict[str, str]]:
    """Namespace, node, pod name, address and labels of one pod of a Deployment."""
    app = f"app-{dice.randrange(APPS)}"
    replica_set = f"{dice.getrandbits(40):010x}"
    labels = {
        "app": app,
        "pod-template-hash": replica_set,
        "tier": dice.choice(("front", "back", "data")),
        "version": "v1",
    }
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    name = f"{app}-{replica_set}-{number:05x}"
    return f"team-{dice.randrange(NAMESPACES)}", f"node-{dice.randrange(NODES)}", name, address, labels


def workload_endpoint(dice: random.Random, number: int) -> Document:
    namespace, node, pod, address, labels = of_pod(dice, number)
    system = {
        "projectcalico.org/namespace": namespace,
        "projectcalico.org/orchestrator": "k8s",
        "projectcalico.org/serviceaccount": "default",
    }
    return {
        "kind": "WorkloadEndpoint",
        "apiVersion": CALICO,
        "metadata": metadata(dice, endpoint_name(node, "k8s", pod, "eth0"), namespace, labels=labels | system),
        "spec": {
            "orchestrator": "k8s",
            "node": node,
            "containerID": f"{dice.getrandbits(256):064x}",
            "pod": pod,
            "endpoint": "eth0",
            "serviceAccountName": "default",
            "ipNetworks": [f"{address}/32"],
            "profiles": [f"kns.{namespace}", f"ksa.{namespace}.default"],
            "interfaceName": interface_name(namespace, pod),
            "mac": dice.getrandbits(48).to_bytes(6, "big").hex(":"),
            "ports": [{"name": "http", "protocol": "TCP", "port": 8080, "hostPort": 0, "hostIP": ""}],
        },
    }


def network_policy(dice: random.Random, number: int) -> Document:
    peer = {"selector": f"app == 'app-{dice.randrange(APPS)}'"}
    ingress = [
        {"action": "Allow", "protocol": "TCP", "source": peer, "destination": {"ports": [8080, "9000:9010"]}},
        {"action": "Allow", "protocol": "TCP", "source": {"nets": [f"10.{dice.randrange(256)}.0.0/16"]}, "destination": {}},
    ]  # fmt: skip
    egress = [
        {"action": "Allow", "protocol": "UDP", "source": {}, "destination": {"ports": [53]}},
        {"action": "Deny", "source": {}, "destination": {"selector": "tier == 'data'"}},
    ]
    return {
        "kind": "NetworkPolicy",
        "apiVersion": CALICO,
        "metadata": metadata(dice, f"policy-{number}", f"team-{dice.randrange(NAMESPACES)}"),
        "spec": {
            "tier": "default",
            "order": float(dice.randrange(2000)),
            "selector": f"app == 'app-{dice.randrange(APPS)}'",
            "types": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def pod(dice: random.Random, number: int) -> Document:
    namespace, node, name, address, labels = of_pod(dice, number)
    container = {
        "name": "main",
        "image": f"registry.example.org/{labels['app']}:v1",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "LOG_LEVEL", "value": "info"}],
    }
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": metadata(dice, name, namespace, labels=labels),
        "spec": {"containers": [container], "nodeName": node, "serviceAccountName": "default"},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }


def other(dice: random.Random, number: int) -> Document:
    """A network set, a profile or a namespace."""
    namespace = f"team-{dice.randrange(NAMESPACES)}"
    if number % 3 == 0:
        spec: Document = {"nets": [f"192.{dice.randrange(256)}.{dice.randrange(256)}.0/24" for _ in range(10)]}
        header = {"kind": "NetworkSet", "apiVersion": CALICO}
        return header | {"metadata": metadata(dice, f"set-{number}", namespace, labels={"role": "peer"}), "spec": spec}
    if number % 3 == 1:
        spec = {
            "labelsToApply": {"pcns.team": namespace},
            "ingress": [{"action": "Allow", "source": {}, "destination": {}}],
        }
        return {"kind": "Profile", "apiVersion": CALICO, "metadata": metadata(dice, f"kns.n-{number}"), "spec": spec}
    return {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": metadata(dice, f"n-{number}", labels={"team": namespace}),
    }


Maker = Callable[[random.Random, int], Document]
MAKERS: tuple[tuple[int, Maker], ...] = ((70, workload_endpoint), (15, network_policy), (10, pod), (5, other))
"""Per cent of the resources, and what makes one."""


def resources(count: int) -> Iterator[Document]:
    """*count* resources in the shares of ``MAKERS``, mixed; always the same."""
    dice = random.Random(4)
    makers = [maker for share, maker in MAKERS for _ in range(share)]
    dice.shuffle(makers)
    for number in range(count):
        yield makers[number % len(makers)](dice, number)


# --- One decoding, in a process of its own ----------------------------------------------------------------------------------


def run_decoding(reader: str, path: Path) -> None:
    """Decode each line of *path* and keep it; print the seconds and by how many KiB the peak of resident memory grew."""
    structs = {(kind.name, kind.api_version): kind.struct for kind in kinds.KINDS}
    stored = []
    with path.open("rb") as lines:
        for line in lines:
            name, api_version, value = line.split(b"\t", 2)
            stored.append((structs[name.decode(), api_version.decode()], value))
    before, started = peak_kib(), time.perf_counter()
    if reader == "ours":
        kept: list[object] = [decode(value, struct) for struct, value in stored]
    else:
        kept = [json.loads(value) for _, value in stored]
    taken = time.perf_counter() - started
    print(json.dumps((taken, peak_kib() - before, len(kept))))


def measured(reader: str, path: Path) -> tuple[float, float]:
    """Seconds and MiB."""
    command = (sys.executable, __file__, "--decode", reader, str(path))
    seconds, kib, _ = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return seconds, kib / 1024


def show(what: str, ours: float, plain: float, unit: str) -> None:
    verdict = "met" if ours <= BAR * plain else "MISSED"
    print(f"{what:44} {ours / plain:6.2f}   ({ours:.4g} {unit} : {plain:.4g} {unit}; bar {BAR}: {verdict})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=int, default=100_000, help="how many (default: 100000)")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each of the two (default: 3)")
    parser.add_argument("--decode", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.decode:
        run_decoding(arguments.decode[0], Path(arguments.decode[1]))
        return
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        for document in resources(arguments.resources):
            header = f"{document['kind']}\t{document['apiVersion']}\t".encode()
            file.write(header + encode_document(document) + b"\n")
        file.flush()
        turns = [
            (measured("ours", Path(file.name)), measured("json", Path(file.name))) for _ in range(arguments.rounds)
        ]
    for index, (what, unit) in enumerate((("time", "s"), ("resident memory", "MiB"))):
        ours, plain = (statistics.median(turn[reader][index] for turn in turns) for reader in (0, 1))
        show(f"{what}, decode : json.loads", ours, plain, unit)


if __name__ == "__main__":
    main()
