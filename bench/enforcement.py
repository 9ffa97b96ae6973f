"""From the commit of a policy to the first packet that gets the new verdict, on the last host that changes.

Steps 2 to 5 of the Stars demo, in a lab of three hosts, each repeated. The policies go in through ``tortie apply``; the packets are
TCP handshakes every 5 ms between the demo's workloads, so a figure is good to 5 ms. Bar: 100 ms (median).

    python bench/enforcement.py [REPETITIONS]
"""

from __future__ import annotations

import statistics
import sys

from tortie.lab.client import Lab
from tortie.lab.runner import running
from tortie.lab.stars import STARS

BAR_MS = 100.0


def measure(repetitions: int) -> dict[int, list[float]]:
    """For each step, the time on the last host in each repetition, in milliseconds."""
    took: dict[int, list[float]] = {number: [] for number in range(2, len(STARS.steps) + 1)}
    with Lab.launch("bench-enforcement", hosts=STARS.hosts) as lab, running(STARS, lab) as runner:
        runner.skip_step(1)
        for _ in range(repetitions):
            for number, times in took.items():
                hosts = runner.enforce(number).took_ms
                if None in hosts.values():
                    raise SystemExit(f"step {number} was not enforced in time: {hosts}")
                times.append(max(value for value in hosts.values() if value is not None))
            runner.undo()
    return took


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    took = measure(repetitions)
    print(f"{'step':<24}{'median':>10}{'worst':>10}   median / bar ({BAR_MS:.0f} ms)")
    for number, times in took.items():
        median = statistics.median(times)
        title = f"{number} {STARS.steps[number - 1].title}"
        print(f"{title:<24}{median:>7.1f} ms{max(times):>7.1f} ms   {median / BAR_MS:.2f}")


if __name__ == "__main__":
    main()
