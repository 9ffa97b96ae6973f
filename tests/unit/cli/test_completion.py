"""Completion: what is offered at each place of a command line, and that real shells offer it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tortie.cli.completion import names, words
from tortie.cli.completion.answer import answer
from tortie.cli.completion.scripts import SCRIPTS
from tortie.cli.completion.table import table_text

Tortie = Callable[..., Result]

MANIFEST = """
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: blue}, spec: {cidr: 10.0.0.0/16}}
---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: black}, spec: {cidr: 10.1.0.0/16}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {containers: []}}
"""


@pytest.fixture
def offered(tortie: Tortie, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[list[str], str]]:
    """The candidates for a line, whose last word is unfinished, and the directive; the datastore holds ``MANIFEST``."""
    tortie("apply", "-f", "-", stdin=MANIFEST)

    def ask(*line: str, shell: str = "zsh") -> tuple[list[str], str]:
        answer([shell, "tortie", *line])
        *candidates, directive = capsys.readouterr().out.splitlines()
        return [candidate.partition("\t")[0] for candidate in candidates], directive

    return ask


def test_the_table_is_up_to_date() -> None:
    assert Path(words.__file__).read_text(encoding="utf-8") == table_text(), "`make reference` rewrites it"


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        (["de"], ["delete", "demo"]),
        (["lab", "st"], ["status"]),
        (["--datastore", "x", "-n"], []),
        (["get", "ipp"], ["ippools"]),
        (["get", "gnp"], ["gnp", "gnps"]),
        (["get", "netp"], ["netpol"]),
        (["get", "networkpolicies"], ["networkpolicies", "networkpolicies.networking.k8s.io"]),
        (["get", "ippools", ""], ["black", "blue"]),
        (["get", "ippools", "blu"], ["blue"]),
        (["delete", "pool", "blue", "b"], ["black"]),
        (["delete", "pool/bl"], ["pool/black", "pool/blue"]),
        (["-n", "shop", "get", "pods", ""], []),
        (["get", "-n", "shop", "pods", ""], ["web"]),
        (["get", "pods", "--namespace=shop", "w"], ["web"]),
        (["get", "pods", "-n", "s"], ["shop"]),
        (["get", "nonsense", ""], []),
        (["get", "--al"], ["--all-namespaces"]),
        (["apply", "--dry-run", ""], ["none", "client", "server"]),
        (["get", "-o", "y"], ["yaml"]),
        (["get", "--output=y"], ["--output=yaml"]),
        (["--log-level", "d"], ["debug"]),
        (["fields", "ti"], ["tiers"]),
        (["patch", "-t", "s"], ["strategic"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["no-such-command", "comp"], ["completion"]),
    ],
    ids=" ".join,
)
def test_what_could_come_next_is_offered(
    offered: Callable[..., tuple[list[str], str]], line: list[str], candidates: list[str]
) -> None:
    found, _ = offered(*line)
    assert found == candidates


@pytest.mark.parametrize(
    ("line", "directive"),
    [(["apply", "-f", ""], ":files"), (["get", "-o", "js"], ":more"), (["get", "pools", "b"], ":"), (["apply", "--filename="], ":files")],
)  # fmt: skip
def test_shells_are_told_what_else_to_do(
    offered: Callable[..., tuple[list[str], str]], line: list[str], directive: str
) -> None:
    assert offered(*line)[1] == directive


def test_bash_takes_the_equals_sign_for_a_word(offered: Callable[..., tuple[list[str], str]]) -> None:
    assert offered("get", "--output", "=", "y", shell="bash") == (["yaml"], ":")
    assert offered("get", "--output", "=", shell="bash")[0][0] == "ps"


def test_a_datastore_that_does_not_answer_is_given_up(
    offered: Callable[..., tuple[list[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes the connection and is silent: etcd's own patience, for commands, is much longer."""
    monkeypatch.setattr(names, "_PATIENCE_S", 0.1)
    handler = signal.getsignal(signal.SIGALRM)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"etcd://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TimeoutError):
            names.names_below("/", url, None, None, 1)
        assert offered("--datastore", url, "get", "ippools", "") == ([], ":")
    assert signal.getsignal(signal.SIGALRM) is handler


def test_without_a_datastore_nothing_is_offered_and_nothing_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORTIE_DATASTORE", "sqlite:///no/such.db")
    answer(["zsh", "tortie", "get", "ippools", ""])
    assert capsys.readouterr() == (":\n", "")


# --- shells ----------------------------------------------------------------------------------------------------------------

_ASK = {
    "bash": 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tortie; printf "%s\\n" "${COMPREPLY[@]}"',
    # zsh's own functions are there only while somebody types, so what they are told is printed instead
    "zsh": (
        "compdef() { : }; compadd() { print -l -- ${(P)@[-1]} }; _files() { print files }; "
        'source "$1"; shift; words=("$@"); CURRENT=$#; _tortie'
    ),
    "fish": "source $argv[1]; complete --do-complete (string join ' ' -- $argv[2..]) | string split --fields 1 \\t",
}


@pytest.fixture
def terminal(tortie: Tortie, tmp_path: Path) -> Callable[..., list[str]]:
    """What a real shell offers for a line."""
    tortie("apply", "-f", "-", stdin=MANIFEST)
    program = tmp_path / "bin" / "tortie"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tortie "$@"\n')
    program.chmod(0o755)

    def ask(shell: str, *line: str) -> list[str]:
        if shutil.which(shell) is None:
            pytest.skip(f"needs {shell}")
        script = tmp_path / f"script.{shell}"
        script.write_text(SCRIPTS[shell])
        options = {"bash": ["--norc", "-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"]}[shell]
        names = [] if shell == "fish" else [shell]
        done = subprocess.run(
            [shell, *options, _ASK[shell], *names, str(script), "tortie", *line],
            capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path,
            env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.stderr == ""
        return sorted(done.stdout.split())

    return ask


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize(
    ("line", "candidates"),
    [(["de"], ["delete", "demo"]), (["get", "ippools", "b"], ["black", "blue"]), (["get", "-n", ""], ["shop"])],
    ids=["command", "name", "namespace"],
)
def test_shells_offer_it(
    terminal: Callable[..., list[str]], shell: str, line: list[str], candidates: list[str]
) -> None:
    assert terminal(shell, *line) == candidates


@pytest.mark.parametrize("shell", SCRIPTS)
def test_shells_offer_files(terminal: Callable[..., list[str]], shell: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").touch()
    assert terminal(shell, "apply", "-f", "pol") == (["files"] if shell == "zsh" else ["policy.yaml"])


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_printed_with_and_without_the_whole_command(tortie: Tortie, shell: str) -> None:
    assert tortie("completion", shell).stdout == SCRIPTS[shell]
    printed = subprocess.run(
        [sys.executable, "-m", "tortie", "completion", shell], capture_output=True, text=True, check=True
    )
    assert printed.stdout == SCRIPTS[shell]
