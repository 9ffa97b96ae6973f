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


def test_a_crash_planted_in_the_parser_is_found_within_a_minute(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed; make fuzz does that")
    shutil.copytree(Path(tortie.__file__).parent, tmp_path / "src" / "tortie")
    parser = tmp_path / "src/tortie/selectors/parser.py"
    sound = parser.read_text()
    planted = sound.replace("        return node\n", "        assert self._depth < 2\n        return node\n")
    assert planted != sound
    parser.write_text(planted)
    fuzzing = subprocess.run(
        (sys.executable, FUZZ / "run.py", "selector", "--seconds", "60"),
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert fuzzing.returncode != 0
    assert "assert self._depth < 2" in fuzzing.stderr + fuzzing.stdout
    (crash,) = tmp_path.glob("crash-*")
    assert crash.read_bytes().count(b"(") >= 2
