"""pytest loads the plugin wherever Tortie is installed, so it must be light, and out of the way of our own suite."""

from __future__ import annotations

import importlib
import textwrap
import tomllib
from pathlib import Path

import pytest

from projects import project, run

ROOT = Path(__file__).parents[3]
LIGHT = {"tortie", "tortie.pytest_plugin", "tortie.pytest_plugin.answers", "tortie.pytest_plugin.failures"}


def test_the_entry_point_is_the_plugin() -> None:
    project_file = tomllib.loads((ROOT / "pyproject.toml").read_text())
    ((name, module),) = project_file["project"]["entry-points"]["pytest11"].items()
    assert hasattr(importlib.import_module(module), "pytest_addoption")
    assert f"-p no:{name}" in project_file["tool"]["pytest"]["ini_options"]["addopts"]


def test_nothing_of_tortie_is_loaded_until_a_fixture_is_asked_for(pytester: pytest.Pytester) -> None:
    body = f"""
        import sys

        def loaded():
            return {{name for name in sys.modules if name.partition(".")[0] in ("tortie", "msgspec", "yaml", "click")}}

        def test_before():
            assert loaded() == {LIGHT}

        def test_failing():
            assert 1 == 2

        def test_after_a_failure():
            assert loaded() == {LIGHT}

        def test_with_a_cluster(cluster):
            assert "tortie.analysis.ends" in loaded()
        """
    project(pytester, textwrap.dedent(body))
    light = ("-p", "no:tortie", "-p", "tortie.pytest_plugin", "-p", "no:hypothesispytest")
    result = pytester.runpytest_subprocess(*light)
    result.assert_outcomes(passed=3, failed=1)


def test_what_the_plugin_does_not_have_is_an_attribute_error() -> None:
    plugin = importlib.import_module("tortie.pytest_plugin")
    with pytest.raises(AttributeError, match="no attribute 'load_clutser'"):
        plugin.load_clutser  # noqa: B018 - to look is to fail


def test_a_fault_in_an_explanation_does_not_end_the_run(pytester: pytest.Pytester) -> None:
    body = """
        from tortie.pytest_plugin.answers import Answer

        def fail():
            raise RuntimeError("cannot be explained")

        def test_one():
            assert Answer(holds=False, sentence="DENIED", explain=fail)

        def test_two():
            pass
        """
    pytester.makepyfile(body)
    result = run(pytester)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["E *assert DENIED", "*- tortie explain -*", "RuntimeError: cannot be explained"])
