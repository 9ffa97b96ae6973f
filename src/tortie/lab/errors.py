"""What can go wrong with a lab, for a person to read: every text is a sentence that says what to do."""

from __future__ import annotations


class LabError(OSError):
    """Base of these; also raised as it is, for what was asked of a lab and cannot be done.

    An OSError: to its callers a lab is a part of the system, which refuses, is missing, or does not answer.
    """


class UserNamespacesOffError(LabError):
    """This system keeps its users from making user namespaces."""


class MissingProgramError(LabError):
    """A program that the lab runs is not installed."""


class NameInUseError(LabError):
    """A lab of that name is running already."""


class NoSuchLabError(LabError):
    """There is no lab of that name."""


class LabStartError(LabError):
    """The lab could not be started, and is gone."""


class DemoError(Exception):
    """A demo could not go on; the text says at what and why."""
