"""The hook that other repositories use: its command is ours, and judges the files that pre-commit appends."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from example_manifests import GOOD, REGRETTED, WRONG

Tortie = Callable[..., Result]

ROOT = Path(__file__).parents[3]


@pytest.fixture
def hook() -> dict[str, Any]:
    (only,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert isinstance(only, dict)
    return only


@pytest.fixture
def arguments(hook: dict[str, Any]) -> list[str]:
    """Of the hook's command, which begins with a program that installing the repository gives."""
    program, *arguments = shlex.split(hook["entry"])
    assert program in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    return [*arguments, *hook.get("args", ())]


def test_it_has_what_pre_commit_asks_for(hook: dict[str, Any]) -> None:
    assert (hook["id"], hook["language"]) == ("tortie-validate", "python")
    assert hook["name"]


@pytest.mark.parametrize(
    ("name", "chosen"), [("web.yaml", True), ("a/web.yml", True), ("web.json", False), ("web.yaml.md", False)]
)
def test_it_chooses_yaml_files(hook: dict[str, Any], name: str, chosen: bool) -> None:
    assert bool(re.search(hook["files"], name)) is chosen


@pytest.mark.parametrize(
    ("texts", "more", "status"),
    [
        pytest.param([GOOD], [], 0, id="good"),
        pytest.param([GOOD, WRONG], [], 1, id="good-and-wrong"),
        pytest.param([REGRETTED], [], 0, id="a-warning-passes"),
        pytest.param([REGRETTED], ["--strict"], 1, id="a-warning-fails-if-strict"),
    ],
)
def test_the_commit_fails_for_what_validate_refuses(
    tortie: Tortie, tmp_path: Path, arguments: list[str], texts: list[str], more: list[str], status: int
) -> None:
    files = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    tortie(*arguments, *more, *map(str, files), status=status)
