"""Where the command ``tortie`` starts: what is asked at every prompt is answered here, before the command line is loaded.

Loading click alone takes three times as long as starting Python; ``tortie --version`` and what shells ask while the user types
(``tortie.cli.completion``) need none of it. A sixth of what is left would be Python's collector of cycles, which looks at all
that is loaded again and again, and once more when the process ends.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn  # typing takes a third as long to load as Python to start


INTERRUPTED = 128 + 2
"""The exit status after Ctrl-C, as shells have it."""

_YOUNG_OBJECTS = 100_000
"""More than a command loads. So many make the collector look at what is new; Python's own number is 700."""


def main() -> None:
    """Run the command line of this process and exit."""
    gc.set_threshold(_YOUNG_OBJECTS)
    atexit.register(gc.freeze)  # all that is left goes with the process
    atexit.register(_drop_unwritten)
    open_missing_streams()
    try:
        if _answer(sys.argv[1:]):
            sys.stdout.flush()
            return
        from tortie.cli.main import main as whole  # noqa: PLC0415 - what is answered above needs none of it
    except OSError as error:
        end_unread(error)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    whole()


def _answer(words: Sequence[str]) -> bool:
    """Answer *words*, if that is quickly done; whether it was."""
    match words:
        case ["--version"] | ["version"]:
            import tortie  # noqa: PLC0415 - only who asks for it

            print(f"tortie {tortie.__version__}")
        case ["completion", "bash" | "zsh" | "fish" as shell]:
            from tortie.cli.completion.scripts import SCRIPTS  # noqa: PLC0415 - only who asks for it

            print(SCRIPTS[shell], end="")
        case ["__complete", *line]:
            from tortie.cli.completion.answer import answer  # noqa: PLC0415 - only shells ask it

            answer(line)
        case _:
            return False
    return True


def open_missing_streams() -> None:
    """Give a process that was started without standard input or output (``>&-``) one that fails when it is used.

    Otherwise the next file that is opened, a datastore perhaps, has its number, and whatever a child writes goes there. What is
    told on standard error and cannot be is lost.
    """
    flags = {"stdin": os.O_WRONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
    for number, (name, wrong_way) in enumerate(flags.items()):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, wrong_way)  # the lowest number that is free: this one
            os.set_inheritable(opened, True)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def end_unread(error: OSError) -> NoReturn:
    """Exit with status 1 when our output cannot be written; without a word if whoever read it has gone."""
    if not isinstance(error, BrokenPipeError):
        sys.stderr.write(f"Error: standard output: {error.strerror}\n")
    sys.exit(1)


def _drop_unwritten() -> None:
    """Let go of output that cannot be written: the interpreter tries once more at its end, and would complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
