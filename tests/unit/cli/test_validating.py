"""``tortie validate``: every finding with its place, in the form that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from example_manifests import GOOD, REGRETTED, WRONG

Tortie = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "bad.yaml").write_text(WRONG)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "sub" / "odd.yml").write_text(REGRETTED)
    return tmp_path


def test_what_is_right_is_counted(tortie: Tortie) -> None:
    assert tortie("validate", "-f", "-", stdin=f"{GOOD}---\n{REGRETTED}").stdout.splitlines()[-1] == (
        "2 valid resources in 1 file, 1 warning"
    )


def test_it_opens_no_datastore(tortie: Tortie, database: Path) -> None:
    tortie("validate", "-f", "-", stdin=GOOD)
    assert not database.exists()


def test_every_error_and_warning_of_every_file_is_told(tortie: Tortie, folder: Path) -> None:
    assert tortie("validate", "-R", "-f", ".", status=1).stdout.splitlines() == [
        "Error: bad.yaml:3:24: metadata.labls: there is no field 'labls' here; did you mean labels?",
        "Warning: sub/odd.yml:6:12: spec.ingress: the ingress rules are ignored, since types is only Egress; add Ingress to it",
        "2 valid resources in 3 files, 1 error, 1 warning",
    ]


def test_directories_in_a_directory_need_to_be_asked_for(tortie: Tortie, folder: Path) -> None:
    assert "2 files" in tortie("validate", "-f", ".", status=1).stdout


def test_files_may_stand_without_an_option(tortie: Tortie, folder: Path) -> None:
    assert tortie("validate", "good.yaml", "sub/odd.yml").stdout.endswith("2 valid resources in 2 files, 1 warning\n")


@pytest.mark.parametrize(
    ("text", "strict", "status"),
    [
        pytest.param(GOOD, True, 0, id="nothing"),
        pytest.param(REGRETTED, False, 0, id="warning"),
        pytest.param(REGRETTED, True, 1, id="warning, strict"),
        pytest.param(WRONG, False, 1, id="error"),
        pytest.param("a: [", False, 1, id="no YAML"),
        pytest.param("", True, 0, id="empty"),
    ],
)
def test_the_exit_status_says_whether_it_may_pass(tortie: Tortie, text: str, strict: bool, status: int) -> None:
    tortie("validate", "-f", "-", *(["--strict"] if strict else []), stdin=text, status=status)


def test_a_resource_that_stands_twice_is_a_warning_with_both_places(tortie: Tortie) -> None:
    lines = tortie("validate", "-f", "-", stdin=f"{GOOD}---\n{GOOD}").stdout.splitlines()
    assert lines[0] == (
        "Warning: <stdin>:5:1: Namespace shop is given twice; the first is at <stdin>:1, and they cannot be applied together"
    )


def test_what_cannot_be_converted_is_an_error_as_for_apply(tortie: Tortie) -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "x" * 250},
        "spec": {},
    }
    for command in ("validate", "apply"):
        result = tortie(command, "-f", "-", stdin=json.dumps(policy), status=1)
        assert "at most 241 are allowed" in result.output


def test_json_has_everything_apart(tortie: Tortie, folder: Path) -> None:
    report = json.loads(tortie("validate", "-R", "-f", ".", "-o", "json", status=1).stdout)
    assert (report["valid"], report["resources"], len(report["warnings"])) == (False, 2, 1)
    assert report["errors"] == [
        {
            "file": "bad.yaml", "line": 3, "column": 24, "field": "metadata.labls", "text": "labls",
            "message": "there is no field 'labls' here; did you mean labels?",
        }
    ]  # fmt: skip


def test_github_gets_annotations_with_what_it_would_misread_escaped(tortie: Tortie, folder: Path) -> None:
    (folder / "a,b:c.yaml").write_text(WRONG.replace("labls", '"10%\\n"'))
    (line,) = tortie("validate", "a,b:c.yaml", "-o", "github", status=1).stdout.splitlines()
    assert line == (
        "::error file=a%2Cb%3Ac.yaml,line=3,col=24::metadata[10%25%0A]: there is no field '10%25\\n' here"
    )  # fmt: skip


def test_sarif_points_to_lines_by_relative_uri(tortie: Tortie, folder: Path) -> None:
    (folder / "with space.yaml").write_text(REGRETTED)
    log = json.loads(tortie("validate", "with space.yaml", "-o", "sarif").stdout)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    (result,) = run["results"]
    assert result["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert result["level"] == "warning"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "with%20space.yaml"},
        "region": {"startLine": 6, "startColumn": 12},
    }


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        pytest.param(["validate"], 2, "what is to be checked?", id="nothing to read"),
        pytest.param(["validate", "--jsonl", "x"], 2, "reads standard input", id="lines and files"),
        pytest.param(["validate", "/no/such.yaml"], 1, "/no/such.yaml: No such file", id="no such file"),
        pytest.param(["validate", "sub/.."], 0, "", id="a directory"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tortie: Tortie, folder: Path, arguments: list[str], status: int, message: str
) -> None:
    (folder / "bad.yaml").unlink()
    assert message in tortie(*arguments, status=status).stderr


def test_a_file_that_is_no_text_is_an_error_among_the_others(tortie: Tortie, folder: Path) -> None:
    (folder / "latin.yaml").write_bytes(GOOD.encode() + "# ä\n# é".encode("latin-1"))
    report = json.loads(tortie("validate", ".", "-o", "json", status=1).stdout)
    assert [(error["file"], error["line"], error["column"]) for error in report["errors"]] == [
        ("bad.yaml", 3, 24),
        ("latin.yaml", 4, 3),
    ]


def test_a_directory_without_files_does_not_pass(tortie: Tortie, tmp_path: Path) -> None:
    assert "there are no .yaml" in tortie("validate", str(tmp_path), status=1).stderr


# --- JSON lines ------------------------------------------------------------------------------------------------------------


def answers(tortie: Tortie, command: str, *lines: str | bytes) -> list[Any]:
    stdin = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    return [json.loads(line) for line in tortie(*command.split(), "--jsonl", stdin=stdin).stdout.splitlines()]


def namespace(**metadata: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", **metadata}})


VALID = {"valid": True, "errors": [], "warnings": []}


def test_each_line_is_judged_and_the_rest_goes_on(tortie: Tortie) -> None:
    lines = [namespace(), "{", namespace(labls={}), "", "[]", b"\xff", namespace()]
    first, syntax, wrong, empty, array, no_text, last = answers(tortie, "validate", *lines)
    assert first == last == VALID
    assert wrong == {
        "valid": False,
        "errors": [{"field": "metadata.labls", "message": "there is no field 'labls' here; did you mean labels?"}],
        "warnings": [],
    }
    assert all(list(answer) == ["error"] for answer in (syntax, empty, array, no_text))


def test_warnings_do_not_make_a_line_invalid(tortie: Tortie) -> None:
    policy = {
        "apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": "x"},
        "spec": {"types": ["Egress"], "ingress": [{"action": "Allow"}]},
    }  # fmt: skip
    (answer,) = answers(tortie, "validate", json.dumps(policy))
    assert (answer["valid"], [warning["field"] for warning in answer["warnings"]]) == (True, ["spec.ingress"])


def test_any_text_of_json_is_read(tortie: Tortie) -> None:
    odd = '"\\ud83d\\ude00\\u0000\\/"'
    assert answers(tortie, "validate", namespace(annotations={"k": "v"}).replace('"v"', odd)) == [VALID]


@pytest.mark.parametrize("character", ["\x7f", "\x85", "\u2028", "\ufeff"], ids=ascii)
def test_what_yaml_would_not_read_is_read_as_json_has_it(tortie: Tortie, character: str) -> None:
    assert answers(tortie, "validate", namespace(annotations={"k": "v"}).replace('"v"', f'"{character}"')) == [VALID]
    (wrong,) = answers(tortie, "validate", namespace().replace('"x"', f'"{character}"'))
    assert repr(character) in wrong["errors"][0]["message"]


def test_a_key_given_twice_is_seen(tortie: Tortie) -> None:
    (answer,) = answers(tortie, "validate", namespace().replace('"name": "x"', '"name": "x", "name": "y"'))
    assert [error["field"] for error in answer["errors"]] == ["metadata.name"]
