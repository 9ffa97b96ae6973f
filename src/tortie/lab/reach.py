"""``reach URL``, the throw-away client of the demos: asks once in each family, and prints what came of it.

    $ reach http://nginx
    IPv4  Welcome to nginx-1
    IPv6  timed out

The two failures of the demos' texts are told apart: ``bad address`` (the name was not resolved) and ``timed out`` (resolved, and
then dropped). It exits with 0 whatever came of it: a measurement that finds nobody has not failed.
"""

from __future__ import annotations

import asyncio
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import NoReturn

from tortie.lab.families import FAMILIES
from tortie.lab.target import TIMEOUT_S, Attempt, Failure, attempt

_NAMES = {"ipv4": "IPv4", "ipv6": "IPv6"}


def describe(url: str, asked: Attempt) -> str:
    """What came of asking *url*: the first line of the answer, or why there is none."""
    if asked.outcome is not None:
        lines = asked.outcome.body.decode(errors="replace").splitlines()
        return lines[0] if lines else f"status {asked.outcome.status}"
    assert asked.failure is not None
    host = url.partition("://")[2].partition("/")[0]
    return f"{asked.failure} '{host}'" if asked.failure is Failure.BAD_ADDRESS else str(asked.failure)


async def _reach(url: str, connect_s: float) -> NoReturn:
    # both at once, so that two silences take no longer than one
    asked = await asyncio.gather(*(attempt(url, family, connect_s) for family in FAMILIES))
    for family, one in zip(FAMILIES, asked, strict=True):
        print(f"{_NAMES[family]}  {describe(url, one)}", flush=True)
    # at once: a resolver that nobody answers holds its thread for many seconds, and a thread cannot be cancelled
    os._exit(0)


def main(argv: Sequence[str] | None = None) -> None:
    """Ask the URL of the command line."""
    parser = ArgumentParser(prog="reach", description="Asks a URL once in each family, and prints what came of it.")
    parser.add_argument("url", help="such as http://nginx or icmp://outside.example; without a scheme, http")
    parser.add_argument(
        "--connect-seconds", type=float, default=TIMEOUT_S, help=f"(default and maximum: {TIMEOUT_S:.0f})"
    )
    options = parser.parse_args(argv)
    url = options.url if "://" in options.url else f"http://{options.url}"
    asyncio.run(_reach(url, options.connect_seconds))


if __name__ == "__main__":
    main()
