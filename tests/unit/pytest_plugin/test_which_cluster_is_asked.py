"""The fixture ``cluster``: where its files are looked for, and what is said of those that cannot be read."""

from __future__ import annotations

import textwrap

import pytest

from projects import SHOP, project, run

PASSING = 'def test_it(cluster):\n    assert cluster.allows("web", "db", "tcp/5432")\n'
"""Passes only if the cluster is the shop."""


@pytest.mark.parametrize("folder", ["policies", "manifests"])
def test_the_projects_usual_folder(folder: str, pytester: pytest.Pytester) -> None:
    run(project(pytester, PASSING, folder)).assert_outcomes(passed=1)


def test_the_usual_folder_is_the_projects_wherever_pytest_is_called(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(pytester, PASSING).mkdir("below"))
    run(pytester, "..").assert_outcomes(passed=1)


def test_the_usual_folder_is_found_from_wherever_a_test_has_gone(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f"import os\n\n\ndef test_gone():\n    os.chdir('/')\n\n\n{PASSING}"
    monkeypatch.chdir(project(pytester, body).path)  # and back, whatever the inner test does
    run(pytester).assert_outcomes(passed=2)


def test_policies_come_before_manifests(pytester: pytest.Pytester) -> None:
    project(pytester, PASSING).mkdir("manifests").joinpath("broken.yaml").write_text("kind: [")
    run(pytester).assert_outcomes(passed=1)


def test_the_configuration_names_files_and_folders_from_where_it_is(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods, policy = split_shop()
    project(pytester, PASSING, "elsewhere").makeini("[pytest]\ntortie_cluster = pods policy.yaml\n")
    pytester.mkdir("pods").joinpath("pods.yaml").write_text(pods)
    (pytester.path / "policy.yaml").write_text(policy)
    monkeypatch.chdir(pytester.mkdir("below"))
    run(pytester, "..").assert_outcomes(passed=1)


def test_the_option_wins_and_is_from_where_pytest_is_called(pytester: pytest.Pytester) -> None:
    pods, policy = split_shop()
    project(pytester, PASSING, "elsewhere").makeini("[pytest]\ntortie_cluster = nowhere\n")
    pytester.mkdir("pods").joinpath("pods.yaml").write_text(pods)
    (pytester.path / "policy.yaml").write_text(policy)
    run(pytester, "--tortie-cluster", "pods", "--tortie-cluster", "policy.yaml").assert_outcomes(passed=1)


@pytest.mark.parametrize(("recursive", "outcome"), [("", {"failed": 1}), ("tortie_recursive = true", {"passed": 1})])
def test_folders_below_are_read_only_if_asked_for(
    recursive: str, outcome: dict[str, int], pytester: pytest.Pytester
) -> None:
    pods, policy = split_shop()
    body = 'def test_it(cluster):\n    assert cluster.denies("web", "db", "tcp/80")\n'
    policies = pytester.mkdir("policies")
    policies.joinpath("pods.yaml").write_text(pods)
    policies.joinpath("below").mkdir()
    policies.joinpath("below", "policy.yaml").write_text(policy)
    pytester.makeini(f"[pytest]\n{recursive}\n")
    pytester.makepyfile(body)
    run(pytester).assert_outcomes(**outcome)


def test_without_any_folder_a_test_is_told_how_to_name_one(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(PASSING)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["no cluster to ask about: * has no folder policies or manifests; *--tortie-cluster*tortie_cluster*"]
    )


UNREADABLE = {
    "a field that is none": (
        "kind: Tier\napiVersion: projectcalico.org/v3\nmetadata: {name: a}\nspce: {}\n",
        "policies/broken.yaml:4:1: *spce*",
    ),
    "a value that means nothing": (
        "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nstatus: {podIP: 10.65.0.300}\n",
        "policies/broken.yaml:1:1: Pod default/a: '10.65.0.300' is not an IP address*",
    ),
    "YAML that is none": ("kind: [\n", "policies/broken.yaml:2:1: *"),
    "bytes that are no text": ("# \udcff\n", "policies/broken.yaml:1:3: not UTF-8 text*"),
    "a resource that is there twice": (SHOP.split("---\n")[0], "*Pod shop/web is given twice*"),
}


@pytest.mark.parametrize(("text", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_one_unreadable_file_answers_nothing_and_names_its_place(
    text: str, said: str, pytester: pytest.Pytester
) -> None:
    folder = project(pytester, PASSING).path / "policies"
    folder.joinpath("broken.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_it*", said])
    result.stdout.no_fnmatch_line("*xception*")


def test_a_file_that_is_not_there_is_named(pytester: pytest.Pytester) -> None:
    result = run(project(pytester, PASSING), "--tortie-cluster", "missing.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["[[]Errno 2[]] No such file or directory: 'missing.yaml'"])


def test_warnings_about_files_are_in_pytests_summary(pytester: pytest.Pytester) -> None:
    policy = """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: odd}
        spec: {selector: role == "web" && role == "db"}
        """
    (project(pytester, PASSING).path / "policies" / "odd.yaml").write_text(textwrap.dedent(policy))
    result = run(pytester, "-W", "default")  # the outer pytest makes them errors
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*ClusterWarning: policies/odd.yaml:5:*selector: *"])


def split_shop() -> tuple[str, str]:
    """The shop's pods, and its policy."""
    pods, _, policy = SHOP.rpartition("---\n")
    return pods, policy


def test_a_project_may_have_a_cluster_of_its_own_making(pytester: pytest.Pytester) -> None:
    conftest = """
        from pathlib import Path

        import pytest

        from tortie.pytest_plugin import load_cluster

        @pytest.fixture(scope="session")
        def cluster():
            return load_cluster(Path(__file__).parent / "elsewhere")
        """
    project(pytester, PASSING, "elsewhere").makeconftest(textwrap.dedent(conftest))
    run(pytester).assert_outcomes(passed=1)


def test_help_tells_of_options_and_configuration(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--help")
    result.stdout.fnmatch_lines(["*--tortie-cluster=PATH*", "*tortie_cluster (paths)*", "*tortie_recursive (bool)*"])


def test_fixtures_say_what_they_are(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--fixtures")
    result.stdout.fnmatch_lines(
        ["cluster [[]session scope[]] -- *", "*cluster.allows*", "lab [[]session scope[]] -- *"]
    )
