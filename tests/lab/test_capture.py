"""``tortie lab capture``: tcpdump reads what was captured, and it is what was sent."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from leftovers import eventually

from tortie.lab.client import Lab
from tortie.lab.processes import PATH

WEB, FRIEND = "default/host1-w1", "default/host2-w1"


@pytest.fixture(scope="module")
def lab(shared_name: str, tortie) -> Iterator[Lab]:
    up = tortie("lab", "up", "--name", shared_name, "--hosts", "2", "--workloads", "1")
    assert up.returncode == 0, up.stderr
    running = Lab.find(shared_name)
    eventually(lambda: all(listens(running, workload) for workload in (WEB, FRIEND)), "the web servers listen")
    yield running
    running.down()


def listens(lab: Lab, workload: str) -> bool:
    try:
        lab.connect(workload, 80).close()
    except OSError:
        return False
    return True


def address(lab: Lab, workload: str, family: str = "ipv4") -> str:
    return next(w[family] for w in lab.status()["workloads"] if f"{w['namespace']}/{w['name']}" == workload)


def ask(lab: Lab, source: str, target: str) -> None:
    """Fetch *target*'s page, in both families."""
    for host in (address(lab, target), f"[{address(lab, target, 'ipv6')}]"):
        command = lab.exec_command(source, ["reach", f"http://{host}"])
        assert "Welcome to" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def read(file: Path) -> list[str]:
    """The packets as tcpdump shows them, without their times."""
    program = shutil.which("tcpdump", path=PATH) or pytest.skip("tcpdump is not installed")
    done = subprocess.run([program, "-nt", "-r", str(file)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def begun(capture: subprocess.Popen[str]) -> subprocess.Popen[str]:
    assert capture.stderr is not None
    assert capture.stderr.readline().startswith("capturing on ")
    return capture


def test_a_workload_s_packets_are_captured_until_it_is_interrupted(lab: Lab, start, tmp_path: Path) -> None:
    file = tmp_path / "web.pcap"
    capture = begun(start("lab", "capture", WEB, "-w", str(file), "--name", lab.name))
    ask(lab, FRIEND, WEB)
    eventually(lambda: sum("Flags [F.]" in line for line in read_whole(file)) == 4, "both connections have ended")
    capture.send_signal(signal.SIGTERM)  # Ctrl-C goes to the whole group; this goes on to the program
    assert capture.wait() == 0
    assert capture.stderr.read().strip().endswith("packets captured")
    lines = read(file)
    for family in ("ipv4", "ipv6"):
        source, target = address(lab, FRIEND, family), address(lab, WEB, family)
        (first,) = [line for line in lines if f"> {target}.80: Flags [S]," in line]
        assert " In " in first
        assert f" {source}." in first
        (second,) = [line for line in lines if f"{target}.80 > {source}." in line and "Flags [S.]" in line]
        assert " Out " in second


def read_whole(file: Path) -> list[str]:
    """What there is so far, unless the last packet is only half there."""
    try:
        return read(file)
    except subprocess.CalledProcessError:
        return []


def test_only_what_is_asked_for_is_captured(lab: Lab, start, tmp_path: Path) -> None:
    """A handshake is three packets, and a host sees each come and go."""
    file = tmp_path / "host.pcap"
    arguments = ("lab", "capture", "host1", "-w", str(file), "--host", FRIEND, "--port", "80", "-c", "6")
    capture = begun(start(*arguments, "--name", lab.name))
    ask(lab, WEB, FRIEND)
    assert capture.wait() == 0
    assert "6 packets captured" in capture.stderr.read()
    source, target = address(lab, WEB), address(lab, FRIEND)
    lines = read(file)
    assert len(lines) == 6
    assert all(f"{source}." in line and f"{target}.80" in line for line in lines)
    assert [line.split()[1] for line in lines[:2]] == ["In", "Out"]


def test_one_interface_alone_sees_a_packet_once(lab: Lab, start, tmp_path: Path) -> None:
    file = tmp_path / "eth0.pcap"
    arguments = ("lab", "capture", "host2", "-i", "eth0", "-w", str(file), "--host", WEB, "--port", "80", "-c", "2")
    capture = begun(start(*arguments, "--name", lab.name))
    ask(lab, WEB, FRIEND)
    assert capture.wait() == 0
    assert ["Flags [S]" in line for line in read(file)] == [True, False]


def test_packets_go_to_a_pipe_until_the_reader_leaves(lab: Lab, start) -> None:
    capture = begun(start("lab", "capture", WEB, "--name", lab.name))
    capture.stdout.close()
    assert capture.wait() == 0, "no packet is needed to notice"
    assert "0 packets captured" in capture.stderr.read()


def test_a_capture_ends_with_its_lab(name: str, tortie, start) -> None:
    assert tortie("lab", "up", "--name", name, "--hosts", "1").returncode == 0
    capture = begun(start("lab", "capture", "host1", "--name", name))
    assert tortie("lab", "down", "--name", name).returncode == 0
    assert capture.wait() == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nowhere",), "there is no 'nowhere' in lab"),
        (("host1", "-i", "eth9"), "cannot capture on eth9: No such device"),
        (("host1", "--host", "nowhere"), "'nowhere' is no address, and neither a host nor a workload of this lab"),
    ],
    ids=["target", "interface", "host"],
)
def test_what_is_not_in_the_lab_is_told(lab: Lab, tortie, arguments: tuple[str, ...], problem: str) -> None:
    done = tortie("lab", "capture", *arguments, "--name", lab.name)
    assert done.returncode == 1
    assert problem in done.stderr


def test_a_file_is_left_alone_when_there_is_nothing_to_capture(lab: Lab, tortie, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("what was there")
    assert tortie("lab", "capture", "nowhere", "-w", str(file), "--name", lab.name).returncode == 1
    assert file.read_text() == "what was there"


def test_a_full_disk_ends_a_capture_with_a_sentence(lab: Lab) -> None:
    command = [sys.executable, "-m", "tortie", "lab", "capture", WEB, "--name", lab.name, "-w", "/dev/full"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [
        "0 packets captured",
        "Error: the packets cannot be written: No space left on device",
    ]
