"""What came of tests of policies: as text, as JSON, and as JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import click

from tortie.analysis.assertions import CounterExample, Located, Outcome
from tortie.analysis.assertions.coverage import State
from tortie.analysis.assertions.written import WrittenCoverage, WrittenRule, percent
from tortie.analysis.explanation import Explanation, explanation_lines
from tortie.analysis.near import near_misses
from tortie.analysis.provenance import Provenance
from tortie.cli import output
from tortie.cli.decisions import decision_document, place_document
from tortie.cli.reports import counted
from tortie.verdict import Cluster, Verdict


class Results(NamedTuple):
    """All that a report tells."""

    outcomes: tuple[Outcome, ...]
    provenance: Provenance
    cluster: Cluster
    coverage: WrittenCoverage | None
    """None: not asked for."""

    @property
    def passed(self) -> int:
        return sum(outcome.passed for outcome in self.outcomes)

    @property
    def failed(self) -> int:
        return sum(bool(outcome.failing) for outcome in self.outcomes)

    @property
    def errors(self) -> int:
        return sum(bool(outcome.error) for outcome in self.outcomes)


# --- text ------------------------------------------------------------------------------------------------------------------


def print_text(results: Results) -> None:
    """Every test in a line, below one that does not hold why; then counts, then coverage."""
    for outcome in results.outcomes:
        located = outcome.located
        word = "ok" if outcome.passed else "ERROR" if outcome.error else "FAILED"
        click.echo(f"{word:6}  {_where(located)}: {located.name}")
        for line in _reason(outcome, results):
            click.echo(f"        {line}")
    click.echo(f"{counted(len(results.outcomes), 'test')}: {_counts(results)}")
    if results.coverage is not None:
        click.echo()
        print_coverage(results.coverage)


def _where(located: Located) -> str:
    return str(located.place) if located.place is not None else f"{located.group}, test {located.number}"


def _counts(results: Results) -> str:
    counts = ((results.passed, "passed"), (results.failed, "failed"), (results.errors, "could not be asked"))
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _reason(outcome: Outcome, results: Results) -> Iterator[str]:
    """Why a test does not hold; nothing for one that does."""
    located = outcome.located
    if not outcome.passed and located.assertion.name:
        yield located.sentence
    if outcome.error:
        yield outcome.error
    for number, example in enumerate(outcome.counter_examples):
        yield _sentence(outcome, example)
        if number == 0:  # one packet of those that should fare otherwise
            yield from (f"  {line}" for line in explained(example.verdict, results.cluster, results.provenance))
    if (more := outcome.failing - len(outcome.counter_examples)) > 0:
        yield f"and {more} more of {counted(outcome.asked, 'pair')}"


def _sentence(outcome: Outcome, example: CounterExample) -> str:
    verb = "cannot reach" if outcome.located.assertion.is_allow else "can reach"
    return f"{example.source} {verb} {example.destination}: {', '.join(example.packets)}"


def explained(verdict: Verdict, cluster: Cluster, provenance: Provenance) -> list[str]:
    """A verdict as ``tortie explain`` has it, but for what would change it."""
    near = near_misses(cluster, verdict)
    return explanation_lines(Explanation(verdict, near, provenance, is_edit_known=False))


def print_coverage(coverage: WrittenCoverage) -> None:
    """A table of policies, then the rules that are not tested."""
    by_policy: dict[str, list[WrittenRule]] = {}
    for rule in coverage.rules:
        by_policy.setdefault(rule.policy, []).append(rule)
    rows = [_row(policy, rules) for policy, rules in by_policy.items()]
    output.print_table(("POLICY", "RULES", "TESTED", ""), [*rows, _row("all", coverage.rules)])
    for rule in coverage.rules:
        if rule.state is not State.TESTED:
            click.echo(f"{_place(rule)}: {rule.policy}, {rule.name}: {_state(rule)}")


def _row(name: str, rules: Iterable[WrittenRule]) -> tuple[str, ...]:
    states = [rule.state for rule in rules]
    tested = states.count(State.TESTED)
    return name, str(len(states)), str(tested), f"{percent(tested, len(states)):.0f} %"


def _place(rule: WrittenRule) -> str:
    place = None if rule.origin is None else rule.origin.place
    return "stored" if place is None else str(place)


def _state(rule: WrittenRule) -> str:
    match rule.state:
        case State.SHADOWED:
            return f"never decides, since {'; '.join(rule.shadowed_by)} does"
        case State.IDLE:
            return "matches nothing in this cluster"
        case _:
            return "not tested"


# --- JSON ------------------------------------------------------------------------------------------------------------------


def document(results: Results) -> dict[str, Any]:
    """For programs."""
    found: dict[str, Any] = {
        "passed": results.passed,
        "failed": results.failed,
        "errors": results.errors,
        "tests": [_test(outcome) for outcome in results.outcomes],
    }
    if results.coverage is not None:
        rules = [_rule(rule) for rule in results.coverage.rules]
        found["coverage"] = {"percent": round(results.coverage.percent, 2), "rules": rules}
    return found


def _test(outcome: Outcome) -> dict[str, Any]:
    located = outcome.located
    return {
        "name": located.name,
        "of": located.group,
        "number": located.number,
        **place_document(located.place),
        "says": located.sentence,
        "result": "passed" if outcome.passed else "error" if outcome.error else "failed",
        "pairs": outcome.asked,
        "failingPairs": outcome.failing,
        **({"error": outcome.error} if outcome.error else {}),
        "counterExamples": [_example(example) for example in outcome.counter_examples],
    }


def _example(example: CounterExample) -> dict[str, Any]:
    return {
        "from": example.source,
        "to": example.destination,
        "packets": list(example.packets),
        "port": example.port,
        "allowed": example.verdict.allowed,
        "reason": example.verdict.reason,
        "decisions": [decision_document(decision) for decision in example.verdict.decisions],
    }


def _rule(rule: WrittenRule) -> dict[str, Any]:
    return {
        "policy": rule.policy,
        "rule": rule.name,
        **place_document(None if rule.origin is None else rule.origin.place),
        "state": rule.state,
        "shadowedBy": list(rule.shadowed_by),
    }


# --- JUnit -----------------------------------------------------------------------------------------------------------------


def junit(results: Results) -> bytes:
    """A suite for each object or file with tests, a case for each test (the XML that JUnit's Ant task writes, as CI systems read it)."""
    by_group: dict[str, list[Outcome]] = {}
    for outcome in results.outcomes:
        by_group.setdefault(outcome.located.group, []).append(outcome)
    root = ET.Element("testsuites", _totals(results) | {"name": "tortie policy test"})
    for group, outcomes in by_group.items():
        suite = ET.SubElement(
            root, "testsuite", _totals(results._replace(outcomes=tuple(outcomes))) | {"name": _xml(group)}
        )
        for outcome in outcomes:
            _case(suite, outcome, results)
    ET.indent(root)
    whole: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return whole + b"\n"


def _totals(results: Results) -> dict[str, str]:
    counts = {"tests": len(results.outcomes), "failures": results.failed, "errors": results.errors}
    return {name: str(count) for name, count in counts.items()}


def _case(suite: ET.Element, outcome: Outcome, results: Results) -> None:
    located = outcome.located
    place = {} if located.place is None else {"file": located.place.source, "line": str(located.place.position.line)}
    names = {"classname": _xml(located.group), "name": _xml(located.name)}
    case = ET.SubElement(suite, "testcase", names | place)
    if outcome.passed:
        return
    message = outcome.error or _sentence(outcome, outcome.counter_examples[0])
    reason = ET.SubElement(case, "error" if outcome.error else "failure", {"message": _xml(message)})
    reason.text = _xml("\n".join([_where(located), *_reason(outcome, results)]))


def _xml(text: str) -> str:
    """Without what XML 1.0 has no form for, not even an escaped one (XML 1.0 §2.2)."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)


_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
