"""What the command loads before it does its work: times are measured by ``bench/startup.py``, modules are counted here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import Result

import tortie as package

Tortie = Callable[..., Result]

POOL = "{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.0.0.0/16}}"

_REPORT = """
import sys
sys.argv[0] = "tortie"
from tortie.cli.start import main
try:
    main()
finally:
    print("\\n".join(sorted(sys.modules)), file=sys.stderr)
"""

SLOW = {
    "asyncio",
    "rich",
    "yaml",
    "grpc",
    "ssl",
    "uuid",
    "json",
    "tempfile",
    "subprocess",
    "tortie.lab",
    "tortie.agent",
}
"""Each takes some milliseconds; uuid and json come with msgspec and click, where those are loaded."""


def loaded(*words: str) -> set[str]:
    """The modules that ``tortie WORDS`` has loaded when it ends."""
    done = subprocess.run([sys.executable, "-c", _REPORT, *words], capture_output=True, text=True, check=False)
    return set(done.stderr.splitlines())


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["version"],
        ["completion", "bash"],
        ["__complete", "bash", "tortie", "de"],
        ["__complete", "zsh", "tortie", "get", "ip"],
    ],
    ids=" ".join,
)
def test_what_shells_ask_needs_no_command_line(words: list[str]) -> None:
    found = loaded(*words)
    assert "tortie.cli.start" in found
    assert (
        found & (SLOW | {"click", "msgspec", "sqlite3", "typing", "logging", "tortie.model", "tortie.cli.main"})
        == set()
    )


def test_completing_a_name_needs_only_the_datastore(tortie: Tortie) -> None:
    tortie("apply", "-f", "-", stdin=POOL)
    found = loaded("__complete", "bash", "tortie", "get", "ippools", "")
    assert "tortie.datastore.sqlite.store" in found
    assert found & (SLOW | {"click", "msgspec", "logging", "tortie.model.kinds"}) == set()


@pytest.mark.parametrize("form", ["ps", "json", "name"])
def test_get_loads_no_rules_and_no_event_loop(tortie: Tortie, form: str) -> None:
    tortie("apply", "-f", "-", stdin=POOL)
    found = loaded("get", "ippools", "p", "-o", form)
    assert "tortie.datastore.sqlite.store" in found
    assert found & (SLOW - {"uuid", "json"}) == set()
    ours = {name for name in found if name.startswith("tortie.")}
    assert {
        name for name in ours if name.startswith(("tortie.selectors", "tortie.conversion", "tortie.model.checks"))
    } == set()
    assert (
        ours & {"tortie.model.policy", "tortie.model.validation", "tortie.model.document", "tortie.cli.writing"}
        == set()
    )


def test_the_version_is_told_with_and_without_the_command_line(tortie: Tortie) -> None:
    printed = subprocess.run([sys.executable, "-m", "tortie", "--version"], capture_output=True, text=True, check=True)
    assert printed.stdout == tortie("--version").stdout == tortie("version").stdout == f"tortie {package.__version__}\n"


def test_loading_is_not_held_up_by_the_collector(tortie: Tortie) -> None:
    """Which would look at all that is loaded, and finds nothing."""
    tortie("apply", "-f", "-", stdin=POOL)
    script = """
import gc, sys
sys.argv[:] = ["tortie", "get", "ippools", "p", "-o", "yaml"]
from tortie.cli.start import main
before = sum(generation["collections"] for generation in gc.get_stats())
try:
    main()
finally:
    assert "yaml" in sys.modules
    print(sum(generation["collections"] for generation in gc.get_stats()) - before, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "0\n"
