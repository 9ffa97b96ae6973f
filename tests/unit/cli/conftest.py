"""A command line on a datastore of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tortie.cli.main import cli
from tortie.datastore.sqlite import SQLiteStore

Tortie = Callable[..., Result]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store" / "tortie.db"
    monkeypatch.setenv("TORTIE_DATASTORE", f"sqlite://{path}")
    monkeypatch.delenv("TORTIE_LAB", raising=False)
    return path


@pytest.fixture
def tortie(database: Path) -> Tortie:
    """Run ``tortie ARGUMENTS…``; *stdin* is its standard input, *status* the exit status that it must have."""

    def run(*arguments: str, stdin: str | bytes = "", status: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments, input=stdin)
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def store(database: Path) -> Iterator[SQLiteStore]:
    """The same datastore, seen from beside the command."""
    database.parent.mkdir(exist_ok=True)
    with SQLiteStore.open(database) as opened:
        yield opened
