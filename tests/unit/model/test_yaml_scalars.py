"""Scalars mean what Calico's command takes them for."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.model.yamlscalars import as_integer, as_number, as_text, resolve
from tortie.model.yamltree import Position, ScalarNode

AS_TEXT = {
    "no": "false", "Off": "false", "yes": "true", "on": "true", "y": "true", "True": "true", "TRUE": "true",
    "010": "8", "0777": "511", "0o17": "15", "0x1F": "31", "0b11": "3", "1_000": "1000", "+5": "5", "-0x10": "-16",
    "1e3": "1000", "1E3": "1000", ".5": "0.5", "1.50": "1.5", "5.": "5", "08": "8", "0.1e-2": "0.001", "1e6": "1e+06",
    "1e-5": "1e-05", "123456.7": "123456.7", "0.123456789": "0.12345679", "18446744073709551616": "1.8446744e+19",
    "0xFFFFFFFFFFFFFFFF": "18446744073709551615", "07777777777777777777777777": "7.777778e+24",
    "822222222222222222222222222220": "8.2222226e+29",
    "~": "", "null": "", "": "",
}  # fmt: skip
AS_WRITTEN = [
    "1:30",
    "12:30:45",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "0x",
    "1e400",
    "=",
    "<<",
    "-",
    ".",
    "nO",
    "tRue",
    "1.2.3",
    "0o9",
    "9" * 400,
    "9" * 5000,
    "0x1" + "0" * 16,
]


def scalar(text: str, *, plain: bool = True, tag: str = "") -> ScalarNode:
    return ScalarNode(Position(1, 1), text, plain, tag)


@pytest.mark.parametrize(("written", "text"), AS_TEXT.items())
def test_plain_text_that_looks_like_something_else_changes(written: str, text: str) -> None:
    assert as_text(resolve(scalar(written))) == text


@pytest.mark.parametrize("written", AS_WRITTEN, ids=lambda text: text[:20])
def test_other_plain_text_stays(written: str) -> None:
    assert resolve(scalar(written)) == written


@given(st.text())
def test_quoted_text_stays(written: str) -> None:
    assert resolve(scalar(written, plain=False)) == written


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("tag:yaml.org,2002:str", "no", "no"),
        ("tag:yaml.org,2002:int", "7", 7),
        ("tag:yaml.org,2002:binary", "aGVs\nbG8=", "hello"),
        ("!has(a)", "", ""),
    ],
)
def test_tags_decide_before_looks(tag: str, text: str, value: object) -> None:
    assert resolve(scalar(text, plain=False, tag=tag)) == value


@pytest.mark.parametrize("text", ["a", "/w=="], ids=["not base64", "not UTF-8"])
def test_binary_must_be_base64_of_text(text: str) -> None:
    with pytest.raises(ValueError, match="is not base64"):
        resolve(scalar(text, tag="tag:yaml.org,2002:binary"))


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_decimal_integers_are_themselves(number: int) -> None:
    assert resolve(scalar(str(number))) == number
    assert as_text(number) == str(number)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_text_of_a_single_precision_number_reads_back_as_it(number: float) -> None:
    read = resolve(scalar(as_text(number)))
    assert isinstance(read, (int, float))
    assert struct.unpack("f", struct.pack("f", read)) == (number,)


@given(st.floats(width=32, min_value=2**-100, max_value=2**100), st.floats(min_value=0.49, max_value=0.51))
def test_a_number_between_two_of_single_precision_gets_the_text_of_the_nearer(low: float, share: float) -> None:
    high = struct.unpack("f", struct.pack("I", struct.unpack("I", struct.pack("f", low))[0] + 1))[0]
    number = low + (high - low) * share
    (nearer,) = struct.unpack("f", struct.pack("f", number))
    assert as_text(number) == as_text(nearer)


def test_whole_numbers_may_be_written_as_floats() -> None:
    assert (as_integer(80.0), as_integer(80.5), as_integer(True), as_integer("80")) == (80, None, None, None)


def test_numbers_are_finite() -> None:
    assert (as_number(1.5), as_number(1e3), as_number(float("inf")), as_number(True)) == (1.5, 1000, None, None)
