"""Fuzz one target under atheris until its time is up (exit status 0), or it crashes or hangs (not 0). ``fuzz/run.py`` starts this.

Arguments: the target's name, and a directory in which it works and leaves what made it fail; then options of libFuzzer.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tortie", "yaml"]):
    from targets import TARGETS, Target


def quoted(word: str) -> str:
    """A line of libFuzzer's dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n'


def prepare(target: Target, folder: Path) -> list[str]:
    """Put seeds and words into *folder*; the arguments that name them."""
    corpus, dictionary = folder / "corpus", folder / "words"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_text(seed)
    dictionary.write_text("".join(map(quoted, target.words)))
    return [f"-dict={dictionary}", f"-artifact_prefix={folder}/found-", "-max_len=4096", str(corpus)]


def main() -> None:
    _, name, folder, *options = sys.argv
    target = TARGETS[name]
    atheris.Setup([sys.argv[0], *options, *prepare(target, Path(folder))], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
