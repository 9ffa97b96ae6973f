"""What the policy plane makes of refusals: it tries again, says so once, and never calls itself in force in vain."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tortie.agent.policy import PolicyPlane
from tortie.dataplane.driver import KernelRefusedError
from tortie.ruleset.values import Flush


class Driver:
    """A driver whose kernel refuses the next *refusals* batches, and then all that is in ``refused``."""

    def __init__(self, refusals: int = 0, refused: dict[str, str] | None = None) -> None:
        self.refusals = refusals
        self.refused = refused or {}
        self.staged: list[Flush] = []
        self.read_backs = 0
        self.applied = 0

    def stage(self, flush: Flush) -> None:
        self.staged.append(flush)

    def plan(self) -> tuple[str, ...]:
        return ("batch",)

    def apply(self, _: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise KernelRefusedError(22, "add chain x: Invalid argument")
        self.applied += 1

    def read_back(self) -> None:
        self.read_backs += 1


def plane_on(driver: Any) -> PolicyPlane:
    return PolicyPlane(driver)


def test_the_stages_are_staged_before_anything_else() -> None:
    driver = Driver()
    plane_on(driver)
    assert [delta.name for delta in driver.staged[0].switch] == ["raw-pre", "fwd-2-wl-from", "fwd-3-wl-to", "inp-1-wl"]
    assert driver.applied == 0, "nothing is written before it is asked for"


@pytest.mark.parametrize(("refusals", "in_force"), [(0, True), (2, True), (3, False)])
def test_a_refused_batch_is_planned_again_a_few_times(refusals: int, in_force: bool) -> None:
    assert plane_on(Driver(refusals)).program() is in_force


def test_an_object_that_stays_refused_is_not_in_force_though_its_neighbours_are() -> None:
    driver = Driver(refused={"chain x": "Invalid argument"})
    assert plane_on(driver).program() is False
    assert driver.applied == 1


def test_a_refusal_that_goes_on_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    plane = plane_on(Driver(refusals=100))
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            plane.program()
    assert [record.message for record in caplog.records] == [
        "policy is not in force: [Errno 22] add chain x: Invalid argument"
    ]


def test_the_kernel_is_listed_once_after_it_was_distrusted() -> None:
    driver = Driver()
    plane = plane_on(driver)
    plane.program()
    assert driver.read_backs == 0
    plane.distrust()
    plane.program()
    plane.program()
    assert driver.read_backs == 1
