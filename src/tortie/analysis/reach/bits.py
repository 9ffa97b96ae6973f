"""Sets of small numbers as the bits of one integer, and matrices of them: Python's integers do a machine word of members at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

_DENSE = 64
"""From so many single bits a row on, turning the whole matrix is cheaper."""
_LARGEST = 1 << 14
"""Rows and columns of the largest matrix that is turned as a whole: 32 MB."""


def members(bits: int) -> Iterator[int]:
    """The numbers in *bits*, ascending."""
    text = bin(bits)[:1:-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)


def of_members(numbers: Iterable[int]) -> int:
    found = bytearray()
    for number in numbers:
        byte = number >> 3
        if byte >= len(found):
            found.extend(bytes(byte + 1 - len(found)))
        found[byte] |= 1 << (number & 7)
    return int.from_bytes(found, "little")


def below(count: int) -> int:
    """All numbers below *count*."""
    return (1 << count) - 1


def columns(rows: Sequence[tuple[int, int]], count: int) -> list[int]:
    """For each number below *count* the union of the second sets of all *rows* whose first set has it.

    The second sets are disjoint. A row that has most of the numbers costs as little as one that has few.
    """
    cost = sum(min(size, count - size) for size in (row.bit_count() for row, _ in rows))
    height = max((owners.bit_length() for _, owners in rows), default=0)
    if cost > _DENSE * max(height, count) and max(height, count) <= _LARGEST:
        return _turned(rows, height, count)
    everyone, base = below(count), 0
    found = [0] * count
    for row, owners in rows:
        is_dense = 2 * row.bit_count() > count
        base ^= owners if is_dense else 0
        for number in members(row ^ everyone if is_dense else row):
            found[number] ^= owners
    return [column ^ base for column in found] if base else found


def _turned(rows: Sequence[tuple[int, int]], height: int, count: int) -> list[int]:
    """By turning the square matrix, as one integer, over its diagonal: quarters of it, then quarters of those, and so on."""
    size = 1 << max(3, (max(height, count) - 1).bit_length())
    width = size // 8
    lines = [bytes(width)] * size
    for row, owners in rows:
        line = row.to_bytes(width, "little")
        for number in members(owners):
            lines[number] = line
    matrix = int.from_bytes(b"".join(lines), "little")
    step = size // 2
    while step:
        away = step * (size - 1)
        swapped = ((matrix >> away) ^ matrix) & _upper_right(step, size)
        matrix ^= swapped ^ (swapped << away)
        step //= 2
    turned = matrix.to_bytes(size * width, "little")
    return [int.from_bytes(turned[at * width : (at + 1) * width], "little") for at in range(count)]


def _upper_right(step: int, size: int) -> int:
    """Of every square of twice *step* rows and columns along the diagonals, the upper right quarter."""
    if step >= 8:
        line = (bytes(step // 8) + b"\xff" * (step // 8)) * (size // (2 * step))
    else:
        line = bytes([{1: 0xAA, 2: 0xCC, 4: 0xF0}[step]]) * (size // 8)
    return int.from_bytes((line * step + bytes(len(line) * step)) * (size // (2 * step)), "little")
