"""What probe, collector and web server have in common as programs: options, log, and an end without a traceback."""

from __future__ import annotations

import asyncio
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine
from pathlib import Path


def add_common_options(parser: ArgumentParser, *, port: int) -> None:
    """Where to listen and where to log."""
    parser.add_argument(
        "--http-address", default="0.0.0.0", help="where to listen (default: everywhere, IPv4 and IPv6)"
    )
    parser.add_argument("--http-port", type=int, default=port, help=f"(default: {port})")
    parser.add_argument(
        "--http-connect-seconds", type=float, default=2, help="how long a connection may take to be made (default: 2)"
    )
    parser.add_argument("--logfile", type=Path, help="where to log (default: standard error)")


def run(options: Namespace, main: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run *main* until it ends or SIGINT comes; ``options.say`` writes a line to the log. Exits 1 if it fails."""
    try:
        output = options.logfile.open("a", buffering=1) if options.logfile else sys.stderr
        options.say = lambda text: print(f"{time.strftime('%H:%M:%S')} {text}", file=output, flush=True)
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"cannot start: {error}")
