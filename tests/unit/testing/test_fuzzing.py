"""The fuzz targets hold for the texts they begin with, and the fuzzer finds what they are there to find."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tortie

FUZZ = Path(__file__).parents[3] / "fuzz"


@pytest.fixture(scope="module")
def targets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("targets", FUZZ / "targets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["yaml", "selector"])
def test_a_target_holds_for_its_seeds_its_words_and_for_no_text_at_all(targets: ModuleType, name: str) -> None:
    target = targets.TARGETS[name]
    for data in (b"", b"\xff\x00", *map(str.encode, (*target.seeds, *target.words))):
        target.run(data)


SOUND = "        self._depth += 1\n"
"""Where the selector parser has met an opening parenthesis."""


def fuzz_planted(tmp_path: Path, fault: str, *options: str) -> tuple[str, Path]:
    """Fuzz a parser that has *fault* after ``SOUND``; the report, and the file with the input that met it."""
    if importlib.util.find_spec("atheris") is None:
        assert "TORTIE_FUZZ" not in os.environ, (
            "atheris is not installed, and TORTIE_FUZZ says that it is; make fuzzer does that"
        )
        pytest.skip("atheris is not installed; make fuzzer does that")
    shutil.copytree(Path(tortie.__file__).parent, tmp_path / "src" / "tortie")
    parser = tmp_path / "src/tortie/selectors/parser.py"
    assert parser.read_text().count(SOUND) == 1
    parser.write_text(parser.read_text().replace(SOUND, f"{SOUND}        {fault}\n"))
    fuzzing = subprocess.run(
        (sys.executable, FUZZ / "run.py", "selector", "--seconds", "60", *options),
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert fuzzing.returncode == 1, fuzzing.stdout + fuzzing.stderr
    (found,) = tmp_path.glob("selector-*")
    assert repr(found.read_bytes()) in fuzzing.stdout
    return fuzzing.stdout, found


def test_a_crash_planted_in_the_parser_is_found_within_a_minute(tmp_path: Path) -> None:
    report, found = fuzz_planted(tmp_path, "assert self._depth < 2")
    assert "assert self._depth < 2" in report
    assert found.name.startswith("selector-crash-")
    assert found.read_bytes().count(b"(") >= 2


def test_a_hang_planted_in_the_parser_is_found_within_a_minute(tmp_path: Path) -> None:
    report, found = fuzz_planted(tmp_path, "while self._depth >= 2: pass", "--hang", "2")
    assert "timeout after" in report
    assert found.name.startswith("selector-timeout-")
    assert found.read_bytes().count(b"(") >= 2
