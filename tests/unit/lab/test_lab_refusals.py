"""Where something is missing or switched off, one sentence says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tortie.lab.client import Lab
from tortie.lab.errors import LabError, MissingProgramError, NoSuchLabError
from tortie.lab.namespaces import explain_refusal
from tortie.lab.processes import check_programs


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        pytest.param(
            {"kernel/unprivileged_userns_clone": "0\n"}, "sysctl -w kernel.unprivileged_userns_clone=1", id="debian"
        ),
        pytest.param(
            {"user/max_user_namespaces": "0\n"}, "sysctl -w user.max_user_namespaces=15000", id="none-allowed"
        ),
        pytest.param(
            {"user/max_user_namespaces": "96365\n", "kernel/apparmor_restrict_unprivileged_userns": "1\n"},
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            id="ubuntu",
        ),
        pytest.param({"user/max_user_namespaces": "96365\n"}, "inside a container", id="nothing-switched-off"),
    ],
)
def test_the_setting_that_is_in_the_way_is_named(settings: Mapping[str, str], remedy: str) -> None:
    text = explain_refusal(settings.get)
    assert remedy in text
    assert "run it as root" in text


def test_only_the_settings_that_are_in_the_way_are_named() -> None:
    text = explain_refusal({"kernel/unprivileged_userns_clone": "1\n", "user/max_user_namespaces": "0\n"}.get)
    assert "unprivileged_userns_clone" not in text


def test_missing_programs_are_named_with_their_packages(tmp_path: Path) -> None:
    for name in ("ip", "nsenter"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(MissingProgramError) as caught:
        check_programs(str(tmp_path))
    assert "nft, bird" in str(caught.value)
    assert "apt-get install nftables bird2" in str(caught.value)


@pytest.mark.parametrize(
    "name", [pytest.param("", id="empty"), pytest.param("x" * 200, id="longer than a socket's address")]
)
def test_a_name_that_no_lab_can_have_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(NoSuchLabError, match="cannot be the name of a lab: at most 40 lower-case letters"):
        Lab.find(name)


def test_every_failure_of_a_lab_reads_as_its_sentence() -> None:
    assert str(LabError("there is no lab")) == "there is no lab"
