"""Pods become workloads: routed, named, gated, and gone without a trace when they are deleted.

  web (host1)                 client (host2)
10.65.0.x  ── host1 ── fabric ── host2 ──  10.65.0.6x
"""

from __future__ import annotations

import http.client
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import manifests
import pytest
from leftovers import eventually
from manifests import pod, service

from tortie.lab.client import Lab
from tortie.lab.errors import LabError

Apply = Callable[..., None]


@pytest.fixture(scope="module")
def lab(shared_name: str) -> Iterator[Lab]:
    with Lab.launch(shared_name, hosts=2) as started:
        yield started


@pytest.fixture
def apply(lab: Lab, tortie) -> Iterator[Apply]:
    """Write objects of namespace ``t``; it is deleted after the test, with all that is in it."""

    yield lambda *objects: manifests.apply(lab, tortie, *objects)
    tortie("--lab", lab.name, "delete", "namespace", "t")
    eventually(lambda: not workloads(lab), "all workloads are undone")


def workloads(lab: Lab) -> list[dict[str, Any]]:
    """Those of the tests; the lab's own, its DNS server, is always there."""
    return [w for w in lab.status()["workloads"] if w["namespace"] != "kube-system"]


def workload(lab: Lab, name: str) -> dict[str, Any]:
    return next((w for w in workloads(lab) if w["name"] == name), {"phase": "absent"})


def wait_for(lab: Lab, phase: str, *names: str) -> list[dict[str, Any]]:
    eventually(lambda: all(workload(lab, name)["phase"] == phase for name in names), f"{', '.join(names)} {phase}")
    return [workload(lab, name) for name in names]


def output(lab: Lab, target: str, *argv: str, capfd: pytest.CaptureFixture[str]) -> str:
    capfd.readouterr()
    status = lab.exec(target, argv)
    captured = capfd.readouterr()
    assert status == 0, captured.err
    return captured.out


def fetch(lab: Lab, name: str, port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("localhost", timeout=5)
    connection.sock = lab.connect(name, port)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_workloads_of_different_hosts_reach_each_other_by_name_in_both_families(lab: Lab, apply: Apply) -> None:
    urls = "--urls=http://a:9000/status,http://b.t:9000/status"
    apply(
        pod("a", "probe", urls, "--http-probe-seconds=0.2", host="host1", app="a"),
        pod("b", "probe", urls, "--http-probe-seconds=0.2", host="host2", app="b"),
        service("a", port=9000),
        service("b", port=9000),
    )
    wait_for(lab, "Running", "a", "b")

    def targets(name: str) -> list[tuple[bool, bool]]:
        return [(t["ipv4"], t["ipv6"]) for t in fetch(lab, f"t/{name}", 9000, "/status")["status"]["targets"]]

    for name in ("a", "b"):
        eventually(lambda name=name: can(targets, name) == [(True, True), (True, True)], f"{name} reaches both")


def can(function: Callable[[str], Any], name: str) -> Any:
    """What *function* gives, or nothing while the workload's program does not answer yet."""
    try:
        return function(name)
    except OSError:
        return None


def test_the_collector_serves_what_it_fetched(lab: Lab, apply: Apply) -> None:
    apply(
        pod("a", "probe", "--urls=http://localhost:9000/status", "--http-probe-seconds=0.2", host="host1", app="a"),
        pod("c", "collector", "--http-request-seconds=0.2", host="host2"),
        service("a", port=9000),
    )
    wait_for(lab, "Running", "a", "c")
    eventually(lambda: can(lambda name: fetch(lab, name, 9001, "/responses"), "t/c"), "the collector answers")
    with lab.connect("t/c", 9001) as connection:
        body = b'{"id": "A", "url": "http://a.t:9000/status"}'
        connection.sendall(b"POST /resources HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert b"201" in connection.recv(1000)

    def fetched() -> bool:
        answer = fetch(lab, "t/c", 9001, "/responses")
        one = answer["fetches"]["A"]
        return bool(answer["responses"]["A"]) and one["ipv4"] is True and one["ipv6"] is True

    eventually(fetched, "the collector has fetched the new resource in both families")
    assert fetch(lab, "t/c", 9001, "/responses")["responses"]["A"]["statusCode"] == 200
    assert fetch(lab, "t/c", 9001, "/responses")["responses"]["F"] is None


def test_a_workload_starts_only_when_its_policy_is_in_the_kernel(lab: Lab, apply: Apply) -> None:
    lab.signal("host1", "agent", signal.SIGSTOP)
    try:
        apply(pod("gated", "sleep", "1000", host="host1"), pod("free", "sleep", "1000", host="host2"))
        wait_for(lab, "Running", "free")
        assert workload(lab, "gated")["phase"] == "Pending"
        with lab.logs("t/gated") as logs:
            assert not logs, "its process was not started"
    finally:
        lab.signal("host1", "agent", signal.SIGCONT)
    wait_for(lab, "Running", "gated")


def test_a_pod_made_again_does_not_pass_by_the_word_about_its_predecessor(lab: Lab, apply: Apply, tortie) -> None:
    """The agent stands still meanwhile: what it said of the first pod must not start the second."""
    apply(pod("again", "sleep", "1000", host="host1"))
    wait_for(lab, "Running", "again")
    lab.signal("host1", "agent", signal.SIGSTOP)
    try:
        assert tortie("--lab", lab.name, "delete", "pod", "again", "-n", "t").returncode == 0
        eventually(lambda: workload(lab, "again")["phase"] == "absent", "the first pod is undone")
        apply(pod("again", "sleep", "1000", host="host1"), pod("free", "sleep", "1000", host="host2"))
        wait_for(lab, "Running", "free")
        assert workload(lab, "again")["phase"] == "Pending", workload(lab, "again")
    finally:
        lab.signal("host1", "agent", signal.SIGCONT)
    wait_for(lab, "Running", "again")


def test_a_workload_has_what_the_reference_gives_it(lab: Lab, apply: Apply, capfd: pytest.CaptureFixture[str]) -> None:
    apply(pod("a", "sleep", "1000", host="host2"))
    (found,) = wait_for(lab, "Running", "a")
    routes = output(lab, "t/a", "ip", "route", capfd=capfd).splitlines()
    assert [line.split(" proto")[0] for line in routes] == [
        "default via 169.254.1.1 dev eth0",
        "169.254.1.1 dev eth0",
    ]
    addresses = output(lab, "t/a", "ip", "-br", "address", "show", "dev", "eth0", capfd=capfd)
    assert f"{found['ipv4']}/32" in addresses
    assert f"{found['ipv6']}/128" in addresses
    links = [line.split()[0] for line in output(lab, "host2", "ip", "-br", "link", capfd=capfd).splitlines()]
    (link,) = [name.partition("@")[0] for name in links if name.startswith("cali")]
    assert len(link) == len("cali") + 11
    assert output(lab, "t/a", "hostname", capfd=capfd) == "a\n"
    assert output(lab, "host2", "cat", f"/run/tortie/endpoint-status/{link}", capfd=capfd) is not None


def test_a_deleted_pod_leaves_nothing(lab: Lab, apply: Apply, tortie, capfd: pytest.CaptureFixture[str]) -> None:
    apply(pod("a", "sh", "-c", "sleep 1234 & sleep 1234", host="host2"))
    (first,) = wait_for(lab, "Running", "a")
    assert tortie("--lab", lab.name, "delete", "pod", "a", "-n", "t").returncode == 0
    eventually(lambda: workload(lab, "a")["phase"] == "absent", "the workload is undone")
    assert "cali" not in output(lab, "host2", "ip", "-br", "link", capfd=capfd)
    assert "t.a" not in output(lab, "fabric", "ip", "netns", capfd=capfd)
    assert "sleep 1234" not in output(lab, "host2", "ps", "-e", "-o", "args", capfd=capfd)
    assert tortie("--lab", lab.name, "get", "workloadendpoints", "-n", "t", "-o", "name").stdout == ""
    # and its addresses are free: the queue of the block comes to them again, after all others
    apply(pod("b", "sleep", "1000", host="host2"))
    (second,) = wait_for(lab, "Running", "b")
    assert second["ipv4"] != first["ipv4"]


def test_a_pod_made_again_at_once_is_a_new_workload(lab: Lab, apply: Apply, tortie) -> None:
    apply(pod("a", "sh", "-c", "echo first; trap '' TERM; sleep 1000", host="host1"))
    wait_for(lab, "Running", "a")
    assert tortie("--lab", lab.name, "delete", "pod", "a", "-n", "t").returncode == 0
    apply(pod("a", "sh", "-c", "echo second; sleep 1000", host="host2"))
    eventually(
        lambda: [w for w in workloads(lab) if (w["host"], w["phase"]) == ("host2", "Running")],
        "the second runs on its own host",
    )
    with lab.logs("t/a") as logs:
        assert [file.read() for file in logs.values()] == [b"second\n"]


def test_pods_without_a_node_are_spread_over_the_hosts(lab: Lab, apply: Apply) -> None:
    apply(*(pod(name, "sleep", "1000") for name in "abcd"))
    found = wait_for(lab, "Running", *"abcd")
    assert sorted(w["host"] for w in found) == ["host1", "host1", "host2", "host2"]


@pytest.mark.parametrize(
    ("command", "phase", "message"),
    [
        pytest.param(["true"], "Succeeded", "exit status 0", id="ends-well"),
        pytest.param(["sh", "-c", "exit 3"], "Failed", "exit status 3", id="ends-badly"),
        pytest.param(["no-such-program"], "Failed", "exit status 127", id="no-such-program"),
        pytest.param([], "Failed", "the pod has no command", id="no-command"),
    ],
)
def test_how_a_workload_ended_is_its_pod_s_status(
    lab: Lab, apply: Apply, command: list[str], phase: str, message: str
) -> None:
    apply(pod("a", *command, host="host1"))
    (found,) = wait_for(lab, phase, "a")
    assert message in found["message"]


def test_a_change_of_labels_reaches_the_endpoint(lab: Lab, apply: Apply, tortie) -> None:
    apply(pod("a", "sleep", "1000", host="host1", colour="red"))
    wait_for(lab, "Running", "a")
    apply(pod("a", "sleep", "1000", host="host1", colour="blue"))

    def labels() -> str:
        return tortie(
            "--lab", lab.name, "get", "workloadendpoints", "-n", "t", "-l", "colour=blue", "-o", "name"
        ).stdout

    eventually(labels, "the endpoint has the new label")


def test_programs_inside_exit_as_they_would_outside(lab: Lab) -> None:
    assert lab.exec("host1", ["sh", "-c", "exit 7"]) == 7
    assert lab.exec("host1", ["sh", "-c", "kill -TERM $$"]) == 128 + signal.SIGTERM
    assert lab.exec("host1", ["no-such-program"]) == 127


@pytest.mark.parametrize("target", ["host9", "t/nobody", "nobody"])
def test_what_is_not_in_the_lab_is_told(lab: Lab, target: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert lab.exec(target, ["true"]) == 1
    assert f"there is no {'workload' if '/' in target else 'host'} '{target}'" in capfd.readouterr().err


def test_a_port_where_nothing_listens_is_told(lab: Lab, apply: Apply) -> None:
    apply(pod("a", "sleep", "1000", host="host1"))
    wait_for(lab, "Running", "a")
    with pytest.raises(LabError, match="nothing answers at port 81 of a"):
        lab.connect("t/a", 81)


def test_each_host_has_its_own_files_and_sees_the_machine_s(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    for host in ("host1", "host2"):
        script = f"echo {host} > /etc/tortie/mine && echo {host} > /var/lib/tortie/mine && hostname"
        assert output(lab, host, "sh", "-c", script, capfd=capfd) == f"{host}\n"
    assert output(lab, "host1", "cat", "/etc/tortie/mine", "/var/lib/tortie/mine", capfd=capfd) == "host1\nhost1\n"
    assert output(lab, "host1", "cat", "/etc/os-release", capfd=capfd) == Path("/etc/os-release").read_text()
    assert output(lab, "host1", "ls", str(Path(__file__).parent), capfd=capfd)
    assert not Path("/etc/tortie/mine").exists()


def test_the_fabric_plays_the_outside(lab: Lab, apply: Apply) -> None:
    script = "import socket, sys; socket.create_connection((sys.argv[1], 179), 2)"  # the fabric's BIRD listens there
    for number, address in enumerate(("198.51.100.1", "2001:db8::1")):
        apply(pod(f"p{number}", "python3", "-c", script, address, host="host1"))
    wait_for(lab, "Succeeded", "p0", "p1")


def test_evidence_is_collected_from_every_host(lab: Lab, apply: Apply, tmp_path: Path) -> None:
    apply(pod("a", "sh", "-c", "echo hello; sleep 1000", host="host1"))
    wait_for(lab, "Running", "a")
    lab.collect(tmp_path / "evidence")
    for host in ("host1", "host2", "fabric"):
        folder = tmp_path / "evidence" / host
        assert "10.65.0" in (folder / "routes.txt").read_text()
        assert "Established" in (folder / "bird.txt").read_text()
    assert "table inet tortie" in (tmp_path / "evidence/host2/nft.txt").read_text()
    assert (tmp_path / "evidence/host1/t.a.log").read_text() == "hello\n"
    assert (tmp_path / "evidence/host1/agent.log").stat().st_size > 0
    status = json.loads((tmp_path / "evidence/status.json").read_text())
    assert [w["name"] for w in status["workloads"]] == ["kube-dns", "a"]


def test_run_makes_a_labelled_workload_and_logs_show_its_output(lab: Lab, apply: Apply, tortie) -> None:
    arguments = ("lab", "run", "web", "--name", lab.name, "-n", "t", "-l", "app=web", "--host", "host2")
    done = tortie(*arguments, "--", "sh", "-c", "echo serving; sleep 1000")
    assert done.returncode == 0, done.stderr
    (found,) = wait_for(lab, "Running", "web")
    assert found["host"] == "host2"
    eventually(
        lambda: tortie("lab", "logs", "--name", lab.name, "t/web").stdout == "serving\n", "the log shows its output"
    )
    again = tortie(*arguments, "--", "true")
    assert (again.returncode, again.stderr) == (1, "Error: there is a workload t/web already\n")
    nowhere = tortie("lab", "run", "x", "--name", lab.name, "--host", "host9", "--", "true")
    assert nowhere.returncode == 1
    assert "there are host1, host2" in nowhere.stderr
    assert "t/web" in tortie("lab", "status", "--name", lab.name).stdout
    assert tortie("lab", "exec", "t/web", "--name", lab.name, "--", "sh", "-c", "exit 5").returncode == 5
    apply()


LISTENER = """
import socket
listener = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
listener.bind(("::", 5000))
while True:
    text, source = listener.recvfrom(100)
    print("heard", text.decode(), "from", source[0], flush=True)
"""

SPEAKER = """
import socket, sys
target, *sources = sys.argv[1:]
family = socket.AF_INET6 if ":" in target else socket.AF_INET
for text, source in zip(("spoofed", "genuine"), sources):
    speaker = socket.socket(family, socket.SOCK_DGRAM)
    speaker.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND: any address at all, in both families,
    speaker.setsockopt(socket.SOL_IP, 19, 1)  # and IP_TRANSPARENT, without which IPv4 does not route it
    speaker.bind((source, 0))
    speaker.sendto(text.encode(), (target, 5000))
"""


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("host", ["host1", "host2"], ids=["on the same host", "on another host"])
def test_a_workload_cannot_send_from_another_s_address(lab: Lab, apply: Apply, family: str, host: str) -> None:
    apply(
        pod("liar", "sleep", "60", host="host1"),
        pod("victim", "sleep", "60", host="host1"),
        pod("listener", sys.executable, "-c", LISTENER, host=host),
    )
    liar, victim, listener = wait_for(lab, "Running", "liar", "victim", "listener")
    speak = [sys.executable, "-c", SPEAKER, listener[family], victim[family], liar[family]]

    def heard() -> str:
        assert lab.exec("t/liar", speak) == 0
        with lab.logs("t/listener") as logs:
            return "".join(file.read().decode() for file in logs.values())

    text = eventually(lambda: "genuine" in (found := heard()) and found, "the listener hears what is genuine")
    assert "spoofed" not in text


def test_programs_in_a_lab_see_the_machine_s_own_files(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    assert output(lab, "host1", "cat", "/etc/passwd", capfd=capfd) == Path("/etc/passwd").read_text()
    assert "localhost" in output(lab, "host1", "cat", "/etc/hosts", capfd=capfd)
