"""What a datastore holds, for telling people about selectors that match none of it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping

import click

from tortie.analysis.existing import SELECTED_KINDS, Existing, existing
from tortie.analysis.selecting import SELECTING_KINDS
from tortie.analysis.unmatched import unmatched
from tortie.datastore.store import Entry, Store, entries
from tortie.model.codec import InvalidResourceError
from tortie.model.document import Problem, ReadResource
from tortie.model.kinds import Kind, ResourceKey, parse_path
from tortie.model.meta import Resource
from tortie.model.validation import stored_resource

AT_MOST = 20_000
"""Stored resources that a command reads only to warn: half a second's worth."""


def stored_resources(store: Store, kinds: Iterable[Kind]) -> Mapping[ResourceKey, Resource]:
    """All resources of *kinds*; what is stored and invalid is left out, and told on standard error."""
    resources = dict(_resources(_entries(store, kinds)))
    for key, found in resources.items():
        if isinstance(found, InvalidResourceError):
            click.echo(f"Warning: {key} counts as absent: {found}", err=True)
    return _valid(resources)


def valid_resources(found: Iterable[Entry]) -> dict[ResourceKey, Resource]:
    """The resources of entries; what is invalid is left out."""
    return _valid(dict(_resources(found)))


def _entries(store: Store, kinds: Iterable[Kind]) -> Iterator[Entry]:
    return (entry for kind in dict.fromkeys(kinds) for entry in entries(store, kind.prefix))


def _resources(found: Iterable[Entry]) -> Iterator[tuple[ResourceKey, Resource | InvalidResourceError]]:
    for entry in found:
        if key := parse_path(entry.key):
            try:
                yield key, stored_resource(key, entry.value)
            except InvalidResourceError as error:
                yield key, error


def _valid(resources: Mapping[ResourceKey, Resource | InvalidResourceError]) -> dict[ResourceKey, Resource]:
    return {key: found for key, found in resources.items() if not isinstance(found, InvalidResourceError)}


def unknown_labels(item: ReadResource, exist: Existing) -> Iterator[Problem]:
    """The selectors of *item* with a label that nothing has of what exists."""
    for found in unmatched(item.resource, exist):
        if found.unknown_label:
            yield item.problem(found.path, found.message)


def warn_of_unknown_labels(store: Store, items: Collection[ReadResource]) -> None:
    """The same, on standard error, for what is applied; nothing in a store so large that reading it would be felt."""
    if not any(item.key.kind in SELECTING_KINDS for item in items):
        return
    stored = list(itertools.islice(_entries(store, SELECTED_KINDS), AT_MOST + 1))
    if len(stored) > AT_MOST:
        return
    resources = valid_resources(stored) | {item.key: item.resource for item in items}
    exist = existing(resources.values())
    for problem in (problem for item in items for problem in unknown_labels(item, exist)):
        click.echo(f"Warning: {problem}", err=True)
