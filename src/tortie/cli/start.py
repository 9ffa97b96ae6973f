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


_YOUNG_OBJECTS = 100_000
"""More than a command loads. So many make the collector look at what is new; Python's own number is 700."""


def main() -> None:
    """Run the command line of this process and exit."""
    gc.set_threshold(_YOUNG_OBJECTS)
    atexit.register(gc.freeze)  # all that is left goes with the process
    try:
        if _answer(sys.argv[1:]):
            sys.stdout.flush()
            return
    except BrokenPipeError:
        end_unread()
    from tortie.cli.main import main as whole  # noqa: PLC0415 - what is answered above needs none of it

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


def end_unread() -> NoReturn:
    """Exit with status 1 when whoever read our output has gone.

    The interpreter flushes standard output once more at its end, which must not complain either.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
