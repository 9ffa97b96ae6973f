"""The command itself: its list, its options, its exit statuses."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import tortie as package
from tortie.cli import logs, start
from tortie.cli.datastore import open_store
from tortie.cli.errors import CommandError, in_one_sentence
from tortie.cli.main import COMMANDS, Source, cli, main
from tortie.datastore.store import UnavailableError

Tortie = Callable[..., Result]


@pytest.fixture(autouse=True)
def same_logging_afterwards() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tortie", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_lists_every_command_without_loading_one() -> None:
    code = "import sys; from tortie.cli.main import cli; cli(['--help'], standalone_mode=False); print(sorted(m for m in sys.modules if m in {'sqlite3', 'yaml', 'rich', 'msgspec', 'asyncio'}))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "[]"
    for name, source in COMMANDS.items():
        assert f"  {name} " in printed
        assert source.summary.split()[0] in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_the_options_explained(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


def test_python_m_tortie_is_the_command() -> None:
    done = run("version")
    assert (done.returncode, done.stdout) == (0, f"tortie {package.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["get"], 2, "what is to be shown? Give KIND, or -f FILE; not both"),
        (["--datastore", "postgres://x", "get", "pods"], 1, "Error: --datastore: 'postgres://x' does not name a datastore; expected sqlite:///PATH"),
        (["--datastore", "sqlite:///no/such/file.db", "get", "pods"], 1, "Error: the datastore: "),
        (["--datastore", "sqlite:///x", "--lab", "y", "get", "pods"], 2, "--datastore and --lab exclude each other"),
        (["--lab", "no-such-lab", "get", "pods"], 1, "Error: "),
    ],
)  # fmt: skip
def test_failures_are_told_on_standard_error_by_sentence_and_status(
    arguments: list[str], status: int, message: str
) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert status == 2 or done.stderr.count("\n") == 1


@click.command()
def interrupted() -> None:
    raise KeyboardInterrupt


def test_a_command_that_is_interrupted_while_it_loads_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(words: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "_answer", interrupted)
    monkeypatch.setattr("gc.set_threshold", lambda _: None)
    monkeypatch.setattr("atexit.register", lambda _: None)
    with pytest.raises(SystemExit) as caught:
        start.main()
    assert caught.value.code == 130


def test_an_interrupted_command_exits_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(COMMANDS, "wait", Source(__name__, "interrupted", ""))
    monkeypatch.setattr(sys, "argv", ["tortie", "wait"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    assert capsys.readouterr().err.strip() == ""


def test_a_reader_that_goes_away_is_no_failure_to_talk_about() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tortie", "version"], stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("command", ["version", "--help", "datastore status", "get tiers -o json", "datastore export"])
def test_output_that_cannot_be_written_is_one_sentence(database: Path, tortie: Tortie, command: str) -> None:
    """The disk is full, or the process was started without standard output; the datastore, opened first, does not become it."""
    tortie("datastore", "init")
    before = database.read_bytes()
    for redirected, problem in {">/dev/full": "No space left on device", ">&-": "Bad file descriptor"}.items():
        shell = f"{sys.executable} -m tortie {command} {redirected}"
        done = subprocess.run(["/bin/sh", "-c", shell], stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.splitlines() in ([f"Error: {problem}"], [f"Error: standard output: {problem}"])
    assert database.read_bytes() == before


@pytest.mark.parametrize("command", ["apply -f - <&-", "get gns nobody 2>&-", "get gns nobody >&- 2>&- <&-"])
def test_a_missing_stream_is_a_failure_where_it_is_needed_alone(tortie: Tortie, command: str) -> None:
    tortie("datastore", "init")
    shell = f"{sys.executable} -m tortie {command}"
    done = subprocess.run(["/bin/sh", "-c", shell], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ("Error: Bad file descriptor\n" if "apply" in command else "")


# --- the datastore ---------------------------------------------------------------------------------------------------------


def test_the_datastore_may_also_be_named_after_the_command(tortie: Tortie, tmp_path: Path) -> None:
    pool = "{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.0.0.0/16}}"
    tortie("apply", "-f", "-", "--datastore", f"sqlite://{tmp_path}/other/x.db", stdin=pool)
    assert (
        tortie("get", "pools", "-o", "name", "--datastore", f"sqlite://{tmp_path}/other/x.db").stdout
        == "ippool.projectcalico.org/p\n"
    )


@pytest.mark.parametrize(
    "words", [["-c", "FILE", "get", "tiers"], ["get", "-c", "FILE", "tiers"], ["get", "tiers", "--config=FILE"]]
)
def test_the_settings_file_may_be_named_anywhere(
    tortie: Tortie, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    """calicoctl has it after the command's name."""
    tortie("datastore", "init", "--datastore", f"sqlite://{tmp_path}/x.db")
    monkeypatch.delenv("TORTIE_DATASTORE")
    file = tmp_path / "settings.yaml"
    file.write_text(f"datastore: sqlite://{tmp_path}/x.db\n")
    assert "kube-admin" in tortie(*(word.replace("FILE", str(file)) for word in words)).stdout


def test_the_settings_file_named_last_wins(tortie: Tortie, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TORTIE_DATASTORE")
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"nothing: {name}\n")
    said = tortie("-c", str(tmp_path / "a"), "get", "tiers", "-c", str(tmp_path / "b"), status=1).stderr
    assert str(tmp_path / "b") in said


def test_only_a_writer_makes_a_datastore(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/deep/er/x.db"
    with pytest.raises(UnavailableError):
        open_store(url)
    open_store(url, create=True).close()
    open_store(url).close()


def test_a_lab_is_joined_and_its_own_store_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client = pytest.importorskip("tortie.lab.client")
    open_store(f"sqlite://{tmp_path}/x.db", create=True).close()
    joined: list[str] = []

    def enter(name: str) -> str:
        joined.append(name)
        return f"sqlite://{tmp_path}/x.db"

    monkeypatch.setattr(client, "enter_datastore", enter)
    open_store("lab://mine").close()
    assert joined == ["mine"]


# --- errors and logs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UnavailableError("it is away"), "the datastore: it is away"),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_expected_failures_become_one_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(CommandError) as caught, in_one_sentence():
        raise error
    assert caught.value.message == sentence


@pytest.mark.parametrize("error", [BrokenPipeError(), click.UsageError("x"), AssertionError("ours")])
def test_other_exceptions_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, in_one_sentence():
        raise error
    assert caught.value is error


def test_json_logs_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    logging.getLogger("tortie.x").info("a %s\nb", 1)
    logging.getLogger("tortie.x").debug("not this")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("tortie.x").exception("failed")
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["level"], first["logger"], first["message"]) == ("info", "tortie.x", "a 1\nb")
    assert first["time"].endswith("Z")
    assert "ValueError: why" in second["exception"]


@pytest.mark.parametrize("words", [["-l", "panic"], ["--log-level=fatal"], ["-l", "warn"]])
def test_calicoctls_log_levels_are_understood(words: list[str]) -> None:
    assert CliRunner().invoke(cli, [*words, "version"]).exit_code == 0


def test_text_logs_say_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning", "text")
    logging.getLogger("tortie.x").warning("look")
    assert "WARNING tortie.x: look" in capsys.readouterr().err


def test_how_to_log_may_be_said_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORTIE_LOG_FORMAT", "json")
    monkeypatch.setenv("TORTIE_LOG_LEVEL", "debug")
    configured: list[tuple[str, str]] = []
    monkeypatch.setattr("tortie.cli.logs.configure", lambda level, style: configured.append((level, style)))
    assert CliRunner().invoke(cli, ["version"]).exit_code == 0
    assert configured == [("debug", "json")]
