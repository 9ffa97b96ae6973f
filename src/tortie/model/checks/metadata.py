"""Names, labels, annotations: the rules that all kinds share (Kubernetes' validation of object metadata)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tortie.model.checks.violation import Violation, under
from tortie.model.fieldpath import FieldPath
from tortie.model.meta import ObjectMeta

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_POLICY_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})?|(knp|ossg)\.default\.{_LABEL}(\.{_LABEL})*")
_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
_ANNOTATIONS_BYTES = 256 * 1024


def is_dns_label(text: str) -> bool:
    """RFC 1123: at most 63 of ``a-z0-9-``, beginning and ending with a letter or digit."""
    return len(text) <= 63 and _DNS_LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """Labels joined by dots, at most 253 characters."""
    return len(text) <= 253 and _DNS_SUBDOMAIN.fullmatch(text) is not None


def is_port_name(text: str) -> bool:
    """RFC 6335 §5.1 as Kubernetes reads it: at most 15 of ``a-z0-9-``, with a letter and no ``--``."""
    return _PORT_NAME.fullmatch(text) is not None


def check_name(path: FieldPath, text: str, *, at_door_only: bool = False) -> Iterator[Violation]:
    """*text* can name an object."""
    if not is_dns_subdomain(text):
        message = f"{text!r} is not a name: lower-case letters, digits, '-' and '.', at most 253"
        yield Violation(path, message, at_door_only)


def check_port_name(path: FieldPath, text: str) -> Iterator[Violation]:
    """*text* can name a port."""
    if not is_port_name(text):
        yield Violation(path, f"{text!r} is not a port's name: at most 15 of a-z, 0-9 and '-', with a letter")


def check_port_number(path: FieldPath, number: int) -> Iterator[Violation]:
    """*number* is that of a port."""
    if not 1 <= number <= 65535:
        yield Violation(path, f"{number} is not a port 1-65535")


def label_name_error(text: str) -> str | None:
    """What is wrong with a label's name, such as ``role`` or ``example.com/role``."""
    prefix, slash, name = text.rpartition("/")
    if (slash and not is_dns_subdomain(prefix)) or len(name) > 63 or not _QUALIFIED.fullmatch(name):
        return f"{text!r} is not a label's name such as role or example.com/role"
    return None


def label_value_error(text: str) -> str | None:
    """What is wrong with a label's value."""
    if text and (len(text) > 63 or not _QUALIFIED.fullmatch(text)):
        return f"{text!r} is not a label's value: at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends"
    return None


def check_labels(labels: Mapping[str, str]) -> Iterator[Violation]:
    """Every name and value must be allowed."""
    for name, value in labels.items():
        for error in (label_name_error(name), label_value_error(value)):
            if error:
                yield Violation((name,), error)


def check_annotations(annotations: Mapping[str, str]) -> Iterator[Violation]:
    """Names as of labels, in any case; the total size is bounded."""
    for name in annotations:
        if label_name_error(name.lower()):
            yield Violation((name,), f"{name!r} is not an annotation's name such as note or example.com/note")
    size = sum(len(name.encode()) + len(value.encode()) for name, value in annotations.items())
    if size > _ANNOTATIONS_BYTES:
        text = f"{size} bytes of annotations are too many; at most {_ANNOTATIONS_BYTES} are allowed"
        yield Violation((), text, at_door_only=True)


def check_metadata(metadata: ObjectMeta) -> Iterator[Violation]:
    """What holds for every kind."""
    yield from check_name(("name",), metadata.name)
    if metadata.namespace and not is_dns_label(metadata.namespace):
        yield Violation(
            ("namespace",), f"{metadata.namespace!r} is not a namespace's name: lower-case letters, digits and '-'"
        )
    yield from under(("labels",), check_labels(metadata.labels))
    yield from under(("annotations",), check_annotations(metadata.annotations))


def check_label_name(metadata: ObjectMeta) -> Iterator[Violation]:
    """For kinds whose names have no dots: namespaces, tiers."""
    if is_dns_subdomain(metadata.name) and not is_dns_label(metadata.name):
        yield Violation(
            ("name",), f"{metadata.name!r} is not a name here: lower-case letters, digits and '-', at most 63"
        )


def check_policy_name(metadata: ObjectMeta) -> Iterator[Violation]:
    """``name`` or ``tier.name``; what a Kubernetes object means is named ``knp.default.<its name>``."""
    parts = metadata.name.split(".")
    too_long = len(parts) <= 2 and any(len(part) > 63 for part in parts)
    if is_dns_subdomain(metadata.name) and (too_long or not _POLICY_NAME.fullmatch(metadata.name)):
        yield Violation(
            ("name",),
            f"{metadata.name!r} is not a policy's name: one word, or two joined by a dot (tier.name)",
            at_door_only=_POLICY_NAME.fullmatch(metadata.name) is not None,
        )


def check_default_name(metadata: ObjectMeta) -> Iterator[Violation]:
    """There is only one of these."""
    if metadata.name != "default":
        yield Violation(("name",), f"{metadata.name!r} is not a name here; the only one is named default")
