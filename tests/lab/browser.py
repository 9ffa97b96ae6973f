"""A headless Chromium for tests, and what of a page it sees."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZE = {"width": 1280, "height": 720}
"""Of the window, and so of screenshots: a projector's proportions."""

PATIENCE_MS = 20_000


@contextmanager
def browsing() -> Iterator[Page]:
    """A page of Debian's Chromium, in the dark and without motion; skips the test where that cannot be had.

    An error in the page's scripts fails the block.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the dev requirements")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's package chromium")
    # its sandbox wants an ordinary user, and namespaces that a container may not have; the page is our own
    options = ["--no-sandbox"]
    with (
        playwright.sync_playwright() as driver,
        driver.chromium.launch(executable_path=chromium, args=options) as browser,
    ):
        page = browser.new_page(viewport=SIZE, color_scheme="dark", reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert errors == []


# --- contrast (WCAG 2.2, 1.4.3 and 1.4.11) -------------------------------------------------------------------------------------

_CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const opaque = (colour) => colour !== "none" && channels(colour)[3] !== 0;
  const behind = (element) => {
    const shape = element.parentElement.querySelector(":scope > .star, :scope > rect");
    if (shape && element.matches(".id, .badge text") && opaque(getComputedStyle(shape).fill)) return getComputedStyle(shape).fill;
    for (let at = element; at; at = at.parentElement) {
      if (opaque(getComputedStyle(at).backgroundColor)) return getComputedStyle(at).backgroundColor;
    }
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const says = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    if (!says || !element.checkVisibility() || element.closest(".spoken")) continue;
    const style = getComputedStyle(element);
    const colour = element.closest("svg") ? style.fill : style.color;
    found.push({ what: `text "${element.textContent.trim().slice(0, 30)}"`, needs: 4.5, has: ratio(colour, behind(element)) });
  }
  for (const shape of document.querySelectorAll(".works .line, .cross circle, .badge rect, .absent .star")) {
    if (!shape.checkVisibility()) continue;
    const [stroke, sky] = [getComputedStyle(shape).stroke, behind(shape.closest("svg"))];
    found.push({ what: `${shape.parentElement.className.baseVal} ${shape.tagName}`, needs: 3, has: ratio(stroke, sky) });
  }
  return found;
}"""


def contrasts(page: Page) -> list[tuple[str, float, float]]:
    """Of every visible text, line and mark: what it is, the contrast that it needs, and the one that it has."""
    return [(found["what"], found["needs"], found["has"]) for found in page.evaluate(_CONTRASTS)]
