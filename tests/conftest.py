"""What every suite shares: golden files, and how hard Hypothesis tries."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("soak", max_examples=2000, deadline=None)
settings.register_profile("test", print_blob=True, deadline=None)  # a busy machine is no fault
settings.load_profile("soak" if "TORTIE_SOAK" in os.environ else "test")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing with them")
    parser.addoption("--update-screenshots", action="store_true", help="take the screenshots in docs/screenshots anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """``golden(path, text)`` fails with a diff where *text* is not the file's; with ``--update-golden`` it rewrites the file."""
    update = bool(request.config.getoption("--update-golden"))

    def compare(path: Path, text: str) -> None:
        if update:
            path.write_text(text, encoding="utf-8")
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text.splitlines() == expected.splitlines(), f"{path} differs; --update-golden rewrites it"

    return compare
