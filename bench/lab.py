"""How long a lab of ten hosts with ten workloads each takes to come up, how long its matrix to be measured, and what a host costs.

    python bench/lab.py [HOSTS [WORKLOADS]]

It is what ``tortie lab up --hosts 10 --workloads 10`` does: hosts with an agent and a BIRD in a full mesh of both families, and
a web server in each workload, policy in force before it starts. Memory is the processes' proportional share (PSS, proc(5)), so
that what they share is counted once; a host's is its agent and its BIRD. Exit status 1 if the bar is missed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict

from tortie.lab.client import Lab
from tortie.lab.reachability import Meter

BAR_S = 20.0

MEMORY = r"""
import json, pathlib, re
found = {}
for entry in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        share = int(re.search(r"^Pss: +(\d+)", (entry / "smaps_rollup").read_text(), re.M)[1])
        found[entry.name] = command, share, (entry / "ns/net").stat().st_ino
    except OSError:
        pass
print(json.dumps(list(found.values())))
"""


def tortie(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tortie", *arguments], check=True, stdout=subprocess.DEVNULL)


def memory(lab: Lab) -> dict[str, list[float]]:
    """MiB of each host, each workload and of the lab's own processes."""
    command = lab.exec_command("fabric", [sys.executable, "-c", MEMORY])
    processes = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    hosts = {network for argv, _, network in processes if "agent run --node" in argv}
    shares: dict[tuple[str, int], float] = defaultdict(float)
    for argv, share, network in processes:
        if MEMORY[:20] in argv:
            continue
        kind = "host" if network in hosts else "workload" if "webserver" in argv else "the rest"
        shares[kind, 0 if kind == "the rest" else network] += share / 1024
    return {kind: [share for (other, _), share in shares.items() if other == kind] for kind, _ in shares}


def main(hosts: int = 10, workloads: int = 10) -> int:
    name = f"bench-{os.getpid()}"
    begun = time.perf_counter()
    tortie("lab", "up", "--name", name, "--hosts", str(hosts), "--workloads", str(workloads))
    took = time.perf_counter() - begun
    try:
        print(f"{hosts} hosts with {workloads} workloads each are up after {took:.1f} s (bar {BAR_S:.0f})", flush=True)
        lab = Lab.find(name)
        with Meter(lab, timeout_s=2.0) as meter:
            begun = time.perf_counter()
            measured = meter.measure()
            print(f"{len(measured.outcomes)} flows measured in {time.perf_counter() - begun:.1f} s")
        for kind, shares in memory(lab).items():
            print(f"{kind}: {statistics.mean(shares):.1f} MiB (of {len(shares)}; largest {max(shares):.1f})")
    finally:
        tortie("lab", "down", "--name", name)
    return 0 if took <= BAR_S else 1


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
