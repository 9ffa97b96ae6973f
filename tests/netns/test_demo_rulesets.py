"""The whole way from the Stars demo's manifests to what ``nft list ruleset`` shows on each host, against golden files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from isolation import isolated, run

from tortie.calc.graph import Calculation
from tortie.dataplane.nft import NftDriver
from tortie.lab.stars import STARS
from tortie.model.kinds import key_of
from tortie.model.meta import HostName
from tortie.model.updates import ResourceUpdate
from tortie.ruleset.compiler import Compiler
from tortie.ruleset.options import Options
from tortie.ruleset.stages import initial
from tortie.testing.demos import demo_resources
from tortie.testing.hosts import program

GOLDEN = Path(__file__).parents[1] / "golden" / "ruleset" / "stars"


@pytest.mark.parametrize("host", ["host1", "host2", "host3"])
@isolated
def test_the_listing_of_a_host_at_the_last_step_is_as_written_down(
    host: str, golden: Callable[[Path, str], None]
) -> None:
    calculation = Calculation(HostName(host))
    for resource in demo_resources(STARS, len(STARS.steps)):
        calculation.update(ResourceUpdate(key_of(resource), resource, 1))
    calculation.in_sync()
    compiler = Compiler(Options())
    for delta in calculation.flush():
        compiler.update(delta)
    with NftDriver() as driver:
        program(driver, initial(Options()), compiler.flush())
        assert driver.plan() == ()
    golden(GOLDEN / f"{host}.nft", run("nft", "list", "ruleset"))
