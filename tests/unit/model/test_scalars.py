"""Durations, choices and numbers with bounds: what may be written, and what is stored of it."""

from __future__ import annotations

from typing import Any

import pytest
from kinddocuments import reading

from tortie.model import kinds
from tortie.model.document import ReadResult
from tortie.model.scalars import format_duration, parse_duration


def felix(**spec: Any) -> ReadResult:
    return reading(kinds.FELIX_CONFIGURATION, spec, "default")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0", "0s"), ("0s", "0s"), ("90s", "1m30s"), ("120s", "2m0s"), ("5m", "5m0s"), ("1h", "1h0m0s"),
        ("90m", "1h30m0s"), ("86400s", "24h0m0s"), ("50ms", "50ms"), ("1500ms", "1.5s"), ("0.5ms", "500µs"),
        ("1.5m", "1m30s"), ("1m0.25s", "1m0.25s"), ("0.001ms", "1µs"),
    ],
)  # fmt: skip
def test_durations_are_stored_as_go_prints_them(text: str, stored: str) -> None:
    assert format_duration(parse_duration(text)) == stored
    result = felix(netlinkTimeout=text)
    assert result.resources[0].document["spec"] == {"netlinkTimeout": stored}
    assert result.warnings == ()


@pytest.mark.parametrize("text", ["0s", "1ns", "500µs", "50ms", "1.5s", "2m0s", "1h30m0.5s"])
def test_what_go_prints_stays_as_it_is(text: str) -> None:
    assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["5", "5 s", "s", "-5s", "1d", "five", "", "1.s", "1m 5s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    [error] = felix(netlinkTimeout=text).errors
    assert error.message == f"{text!r} is not a duration such as 90s, 2m or 1h30m"


def test_a_bare_number_is_no_duration() -> None:
    [error] = felix(netlinkTimeout=10).errors
    assert error.path == ("spec", "netlinkTimeout")


@pytest.mark.parametrize("text", ["Accept", "accept", "ACCEPT", "Return"])
def test_a_choice_in_any_case_is_stored_as_it_was_written(text: str) -> None:
    assert felix(iptablesFilterAllowAction=text).resources[0].document["spec"] == {"iptablesFilterAllowAction": text}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("iptablesFilterAllowAction", "Drop", "'Drop' is not one of Accept, Return"),
        ("iptablesFilterAllowAction", "Accepted", "'Accepted' is not one of Accept, Return"),
        ("nftablesMode", "auto", "'auto' is not one of Auto, Disabled, Enabled; did you mean Auto?"),
        ("healthPort", 65536, "'65536' is not a port 0-65535, where 0 turns it off"),
        ("wireguardListeningPort", 0, "'0' is not a port 1-65535"),
        ("healthPort", "http", "expected a whole number, got 'http'"),
        ("goGCThreshold", -2, "'-2' is not a number, or -1 for no limit"),
        ("logActionRateLimit", "10/week", "'10/week' is not a rate such as 10/second or 100/minute"),
    ],
)
def test_what_was_expected_is_said_in_words(field: str, value: Any, message: str) -> None:
    [error] = felix(**{field: value}).errors
    assert (error.path, error.message) == (("spec", field), message)
