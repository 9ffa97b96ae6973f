"""What is said about a selector that cannot be read."""

from __future__ import annotations


class SelectorError(ValueError):
    """A text that is not a selector: where reading it stopped, and what was expected there."""

    def __init__(self, text: str, position: int, reason: str) -> None:
        super().__init__(f"{reason} at character {position + 1} of selector {text!r}")
        self.text = text
        self.position = position
        """How many characters precede the offending one; the text's length if it ended too early."""
        self.reason = reason

    def caret(self) -> str:
        """The text on one line, and below it a caret under the offending character."""
        one_line = "".join(" " if character.isspace() else character for character in self.text)
        return f"{one_line}\n{' ' * self.position}^"
