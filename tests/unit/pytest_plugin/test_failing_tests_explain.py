"""A test that fails for an answer about a cluster shows why the answer is what it is; any other failure does not."""

from __future__ import annotations

import textwrap

import pytest

from projects import project, run

DENIED_LINES = [
    "DENIED  shop/host1-k8s-web-eth0 (10.65.0.1) → shop/host2-k8s-db-eth0 (10.65.0.2) TCP port 80",
    "*denied by the default action of tier default*",
    "*destination port 80 is none of the ports*",
]

FAILING = {
    "an assert": 'assert cluster.allows("web", "db", "tcp/80")',
    "an assert in several lines": """
        assert (
            cluster.allows("web", "db", "tcp/5432")
            and cluster.allows("web", "db", "tcp/80")
        )
        """,
    "what is denied": 'assert not cluster.denies("web", "db", "tcp/80")',
    "an expected value": 'assert cluster.allows("web", "db", "tcp/80") == True',
    "an expected value before it": 'assert True == cluster.allows("web", "db", "tcp/80")',
    "its truth": 'assert bool(cluster.allows("web", "db", "tcp/80")) is True',
    "all of several": 'assert all(cluster.allows("web", "db", f"tcp/{port}") for port in (5432, 80, 5432))',
    "any of several": 'assert not any(cluster.denies("web", "db", f"tcp/{port}") for port in (5432, 80, 5432))',
    "after others": """
        for port in (5432, 80):
            answer = cluster.allows("web", "db", f"tcp/{port}")
            assert answer
        """,
    "a failure by hand": """
        if not cluster.allows("web", "db", "tcp/80"):
            pytest.fail("no way to the database")
        """,
    "a failure by hand without traceback": """
        if not cluster.allows("web", "db", "tcp/80"):
            pytest.fail("no way to the database", pytrace=False)
        """,
    "an error by hand": """
        if not cluster.allows("web", "db", "tcp/80"):
            raise AssertionError("no way to the database")
        """,
    "unittest's assertTrue": 'unittest.TestCase().assertTrue(cluster.allows("web", "db", "tcp/80"))',
    "a function of the test's": """
        def check(answer):
            assert answer

        check(cluster.allows("web", "db", "tcp/80"))
        """,
    "a function of the test's, after another answer": """
        def check(answer):
            assert answer

        assert cluster.allows("web", "db", "tcp/5432") and check(cluster.allows("web", "db", "tcp/80"))
        """,
}


@pytest.mark.parametrize("body", FAILING.values(), ids=FAILING)
def test_the_answer_that_failed_is_explained(body: str, pytester: pytest.Pytester) -> None:
    result = run(project(pytester, in_a_test(body)))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- tortie explain -*", *escaped(DENIED_LINES)])
    assert str(result.stdout).count("TCP port") == 1, "the other answers were as the test wants them"


ELSEWHERE = {
    "another assert": """
        assert cluster.allows("web", "db", "tcp/5432")
        assert 1 == 2
        """,
    "an answer that nobody looked at": """
        cluster.allows("web", "db", "tcp/80")
        raise RuntimeError("something else")
        """,
    "an error after an answer": """
        assert cluster.allows("web", "db", "tcp/5432")
        raise RuntimeError("something else")
        """,
    "another assertion of unittest's": """
        assert cluster.allows("web", "db", "tcp/5432")
        unittest.TestCase().assertEqual(1, 2)
        """,
    "a function that asks nothing": """
        def check():
            raise RuntimeError("something else")

        assert cluster.allows("web", "db", "tcp/5432")
        assert check()
        """,
}


@pytest.mark.parametrize("body", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_failure_for_something_else_is_not_explained(body: str, pytester: pytest.Pytester) -> None:
    result = run(project(pytester, in_a_test(body)))
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*tortie explain*")


def test_what_one_test_has_asked_is_no_matter_of_the_next(pytester: pytest.Pytester) -> None:
    body = """
        import pytest

        @pytest.mark.parametrize("first", [True, False])
        def test_it(cluster, first):
            assert first and cluster.allows("web", "db", "tcp/5432")
        """
    result = run(project(pytester, textwrap.dedent(body)))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*tortie explain*")


@pytest.mark.parametrize(
    "arguments",
    [
        *(("--tb", style) for style in ("auto", "long", "short", "native")),
        ("--show-capture=no",),
        ("-q", "-q"),
        ("--capture=no",),
        ("-n", "1"),
        ("--assert=plain",),
    ],
    ids=" ".join,
)
def test_the_explanation_appears_however_pytest_is_called(
    arguments: tuple[str, ...], pytester: pytest.Pytester
) -> None:
    result = run(project(pytester, in_a_test(FAILING["an assert"])), *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*- tortie explain -*", *escaped(DENIED_LINES)])


def test_the_explanation_is_in_the_xml_report(pytester: pytest.Pytester) -> None:
    run(project(pytester, in_a_test(FAILING["an assert"])), "--junitxml=report.xml")
    assert "destination port 80 is none of the ports" in (pytester.path / "report.xml").read_text()


def test_the_assert_itself_says_what_was_found(pytester: pytest.Pytester) -> None:
    body = """
        def test_allowed(cluster):
            assert cluster.allows("web", "db", "tcp/80")

        def test_denied(cluster):
            assert cluster.denies("web", "db", "tcp/5432")
        """
    result = run(project(pytester, textwrap.dedent(body)))
    result.stdout.fnmatch_lines(
        [
            "E * assert DENIED web → db tcp/80",
            "E * where allows = <cluster of policies>.allows",
            "E * assert ALLOWED web → db tcp/5432",
        ]
    )


def test_a_name_that_nobody_has_is_told_in_the_line_that_asks(pytester: pytest.Pytester) -> None:
    result = run(project(pytester, in_a_test('assert cluster.allows("wbe", "db", "tcp/80")')))
    result.stdout.fnmatch_lines(
        ["E *UnknownEndError: *'wbe'; did you mean shop/web?", "", "test_*.py:5: UnknownEndError"]
    )
    result.stdout.no_fnmatch_line("*resolve*")


def test_items_of_other_plugins_that_show_no_traceback_are_explained_too(pytester: pytest.Pytester) -> None:
    conftest = """
        import pytest

        from tortie.pytest_plugin import load_cluster

        class Question(pytest.Item):
            def runtest(self):
                assert load_cluster("policies").allows("web", "db", "tcp/80")

            def repr_failure(self, failure):
                return "no way to the database"

        class Questions(pytest.File):
            def collect(self):
                yield Question.from_parent(self, name="question")

        def pytest_collect_file(parent, file_path):
            return Questions.from_parent(parent, path=file_path) if file_path.suffix == ".ask" else None
        """
    project(pytester, "").makeconftest(textwrap.dedent(conftest))
    pytester.makefile(".ask", "")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["no way to the database", "*- tortie explain -*", *escaped(DENIED_LINES)])


def in_a_test(body: str) -> str:
    """A test file; the body begins in line 5."""
    return f"import pytest, unittest\n\n\ndef test_it(cluster):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"


def escaped(lines: list[str]) -> list[str]:
    return [line.replace("[", "[[]") for line in lines]
