"""The pytest plugin: tests that ask who can reach whom, by reading the policies or with real packets.

    def test_the_shop_reaches_its_database(cluster):
        assert cluster.allows("shop/web", "shop/db", "tcp/5432")

pytest loads this module wherever Tortie is installed, so it loads nothing of Tortie's machinery until a fixture is asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tortie.pytest_plugin.answers import forget
from tortie.pytest_plugin.failures import explain

if TYPE_CHECKING:
    from tortie.pytest_plugin.clusters import Cluster as Cluster
    from tortie.pytest_plugin.clusters import UnreadableClusterError as UnreadableClusterError
    from tortie.pytest_plugin.clusters import load_cluster as load_cluster
else:

    def __getattr__(name: str) -> object:
        """What tests import from here, loaded when they do (PEP 562)."""
        if name not in ("Cluster", "UnreadableClusterError", "load_cluster"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from tortie.pytest_plugin import clusters  # noqa: PLC0415 - all of Tortie, which most runs of pytest do not need

        return getattr(clusters, name)


_FOLDERS = ("policies", "manifests")
"""Where a project usually has its policies, below the folder of its pytest configuration."""
_PATHS = "tortie_cluster"
_RECURSIVE = "tortie_recursive"


# --- options -----------------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tortie", "policies")
    group.addoption(
        "--tortie-cluster", action="append", metavar="PATH",
        help="a file or folder of the cluster that the fixtures `cluster` and `lab` ask about; may be given several times",
    )  # fmt: skip
    parser.addini(
        _PATHS, type="paths",
        help=f"the same, from the folder of this file; if neither is given: {' or '.join(f'{name}/' for name in _FOLDERS)}",
    )  # fmt: skip
    parser.addini(_RECURSIVE, type="bool", default=False, help="read folders below the cluster's folders too")


def _cluster_paths(config: pytest.Config) -> list[Path]:
    """What the cluster is read from; pytest's failure if nobody has said."""
    if given := config.getoption("--tortie-cluster"):
        return [config.invocation_params.dir / path for path in given]
    usual = [config.rootpath / name for name in _FOLDERS if (config.rootpath / name).is_dir()]
    found: list[Path] = config.getini(_PATHS) or usual[:1]
    if not found:
        pytest.fail(
            f"no cluster to ask about: {config.rootpath} has no folder {' or '.join(_FOLDERS)}; "
            f"name one with --tortie-cluster, or with {_PATHS} in the configuration of pytest",
            pytrace=False,
        )
    return found


def _told(paths: Iterable[Path], config: pytest.Config) -> list[Path]:
    """*paths* as pytest tells others: from where it was called, as far as they are below that."""
    here = config.invocation_params.dir
    return [path.relative_to(here) if path.is_relative_to(here) else path for path in paths]


# --- fixtures ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """The cluster of the project's YAML: `cluster.allows(...)`, `cluster.denies(...)`, `cluster.explain(...)`."""
    from tortie.pytest_plugin.clusters import UnreadableClusterError, load_cluster  # noqa: PLC0415 - the same

    paths = _told(_cluster_paths(pytestconfig), pytestconfig)
    try:
        with contextlib.chdir(pytestconfig.invocation_params.dir):
            return load_cluster(*paths, recursive=pytestconfig.getini(_RECURSIVE))
    except (UnreadableClusterError, OSError) as error:
        said = str(error)
    pytest.fail(said, pytrace=False)  # out here, where no exception is shown with it


@pytest.fixture(scope="session")
def lab(cluster: Cluster) -> Iterator[Cluster]:
    """The same cluster, asked with real packets: `lab.allows(...)` sends one through the kernel."""
    from tortie.lab.errors import LabError  # noqa: PLC0415 - the same

    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(cluster.lab())
        except LabError as error:
            said = str(error)
        else:
            yield found
            return
    pytest.fail(said, pytrace=False)


# --- failures ----------------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001 - given by pytest
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Explain the answer that a failing test has just asked for."""
    report = yield
    if report.failed and call.excinfo is not None:
        explain(report, call.excinfo)
    forget()
    return report
