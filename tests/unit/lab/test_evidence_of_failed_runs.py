"""Where the evidence of a failed run is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tortie.lab.runner import failure_folder


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param("/elsewhere", "/elsewhere", id="where the user keeps such things"),
        pytest.param("", ".local/state", id="in the usual place"),
        pytest.param("state", ".local/state", id="there too if the variable is relative"),
    ],
)
def test_a_run_s_evidence_is_kept_in_the_user_s_folder_of_states(
    state: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", state)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert failure_folder("stars").parent == tmp_path / expected / "tortie" / "failures"
