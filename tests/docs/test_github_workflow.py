"""The workflow that a page gives to copy is one: it is YAML that GitHub takes, and its steps do what the page says.

The steps that say something of policies are typed as they stand, in a repository with two commits; those that need GitHub are not.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from click_parsing import parse_only
from pages import blocks

PAGE = Path("docs/howto/github-actions.md")
NEED_GITHUB = ("pip install", "gh ")

WORKLOADS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {role: web}}, spec: {containers: [{name: main}]}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {role: db}}, spec: {containers: [{name: main}]}}
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {role: db}}
  ingress: [{from: [{podSelector: {matchLabels: {role: web}}}], ports: [{port: PORT}]}]
tests:
- allow: {from: web, to: db, ports: tcp/PORT}
"""


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    (block,) = (block for block in blocks(PAGE) if block.language == "yaml")
    found = yaml.safe_load("\n".join(block.lines))
    assert isinstance(found, dict)
    return found


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_it_has_what_github_asks_for(workflow: dict[Any, Any]) -> None:
    assert True in workflow, "`on` is there, which YAML 1.1 reads as true"
    assert all("runs-on" in job for job in workflow["jobs"].values())
    assert all(("uses" in step) != ("run" in step) for step in steps(workflow))
    assert all(set(step) <= {"name", "uses", "with", "run", "env", "if"} for step in steps(workflow))


def test_every_command_of_it_exists_with_its_options(workflow: dict[Any, Any]) -> None:
    lines = [line.strip() for step in steps(workflow) for line in step.get("run", "").splitlines()]
    typed = [shlex.split(line.partition("||")[0]) for line in lines if line.startswith("tortie ")]
    assert len(typed) == 3
    for words in typed:
        parse_only(words[1:])


def test_its_steps_check_test_and_compare(workflow: dict[Any, Any], tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{_tools(tmp_path)}:{os.environ['PATH']}", "GITHUB_BASE_REF": "main"}
    environment |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    repository = _repository(tmp_path)
    scripts = [step["run"] for step in steps(workflow) if "run" in step]
    for script in (script for script in scripts if not script.startswith(NEED_GITHUB)):
        # as GitHub runs it
        done = subprocess.run(
            ["bash", "-e", "-c", script], check=False, cwd=repository, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, script + done.stdout + done.stderr
    assert "shop/web   shop/db   TCP 5433" in (tmp_path / "summary.md").read_text()
    assert ET.parse(repository / "results.xml").getroot().get("tests") == "1"


def _tools(tmp_path: Path) -> Path:
    """A folder with the command ``tortie`` in it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    tool = folder / "tortie"
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tortie "$@"\n')
    tool.chmod(0o755)
    return folder


def _repository(tmp_path: Path) -> Path:
    """One in which the change of a pull request is checked out, and ``origin/main`` is what it is to be merged into."""
    repository = tmp_path / "repository"
    (repository / "deploy" / "policies").mkdir(parents=True)
    (repository / "deploy" / "workloads.yaml").write_text(WORKLOADS)
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    for port in ("5432", "5433"):
        (repository / "deploy" / "policies" / "shop.yaml").write_text(POLICY.replace("PORT", port))
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", port], check=True)
    subprocess.run([*git, "update-ref", "refs/remotes/origin/main", "HEAD~1"], check=True)
    return repository
