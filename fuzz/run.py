"""Fuzz one target under atheris: until its time is up (exit 0), or until it crashes or hangs (exit status not 0).

    python fuzz/run.py yaml|selector [--seconds N] [--corpus DIR]

What made it fail is kept in the current directory as ``crash-…`` or ``timeout-…``. Needs ``requirements/fuzz.lock`` (``make fuzz``).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tortie", "yaml"]):
    from targets import TARGETS, Target


HANG_S = 10


def quoted(word: str) -> str:
    """A line of libFuzzer's dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n'


def prepare(target: Target, corpus: Path, dictionary: Path) -> None:
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_text(seed)
    dictionary.write_text("".join(map(quoted, target.words)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="how long (default: 60)")
    parser.add_argument(
        "--corpus", type=Path, help="a directory to begin with and to add to (default: a temporary one)"
    )
    arguments = parser.parse_args()
    target = TARGETS[arguments.target]
    with tempfile.TemporaryDirectory() as folder:
        corpus, dictionary = arguments.corpus or Path(folder, "corpus"), Path(folder, "words")
        prepare(target, corpus, dictionary)
        options = (f"-max_total_time={arguments.seconds}", f"-timeout={HANG_S}", f"-dict={dictionary}", "-max_len=4096")
        atheris.Setup([sys.argv[0], *options, str(corpus)], target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
