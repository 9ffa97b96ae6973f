"""Which kinds and resources the words of a command line name."""

from __future__ import annotations

import click

from tortie.model.kinds import KINDS, Kind, ResourceKey, find_kind

DEFAULT_NAMESPACE = "default"


def resolve_kind(name: str) -> Kind:
    """The kind that *name* calls: a name, plural or short name, with a group after a dot where it must be told apart."""
    plain, _, group = name.partition(".")
    versions = [kind.api_version for kind in KINDS if group and kind.api_version.rpartition("/")[0] == group.lower()]
    kind = find_kind(plain, versions[0]) if versions else None if group else find_kind(plain)
    if kind is None:
        raise click.UsageError(f"{name!r} is not a kind{_nearest(plain)}")
    return kind


def _nearest(name: str) -> str:
    """What else to say of a *name* that no kind has: the one it resembles, or all kinds."""
    from tortie.model.fieldvalues import suggestion  # noqa: PLC0415 - takes time to load, and names are mostly right

    names = [name for kind in KINDS for name in (kind.name.lower(), kind.plural, *kind.short_names)]
    return suggestion(name, names) or f"; there are {', '.join(sorted({kind.plural for kind in KINDS}))}"


def namespace_of(kind: Kind, namespace: str | None) -> str:
    """The namespace that a command means by ``--namespace``; UsageError where one is named for what belongs to none."""
    if kind.namespaced:
        return _text(namespace or DEFAULT_NAMESPACE)
    if namespace is not None:
        raise click.UsageError(f"{kind.name} is not namespaced: leave out --namespace")
    return ""


def resource_key(kind: Kind, namespace: str | None, name: str) -> ResourceKey:
    """The resource called *name*, which may also be written ``kind/name``; UsageError."""
    before, slash, plain = name.rpartition("/")
    if slash and resolve_kind(before) is not kind:
        raise click.UsageError(f"{name!r} is not a {kind.name}")
    if not plain:
        raise click.UsageError("a name cannot be empty")
    return ResourceKey(kind, namespace_of(kind, namespace), _text(plain))


def _text(word: str) -> str:
    """*word*, where it is text: bytes of a command line that are not UTF-8 come as surrogates (PEP 383), which no store has."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise click.UsageError(f"{word!r} is not UTF-8 text, and so no name") from None
    return word


def resource_keys(words: tuple[str, ...], namespace: str | None) -> tuple[ResourceKey, ...]:
    """What ``KIND NAME…``, or ``KIND/NAME…`` as ``get -o name`` prints it, names; each once. UsageError."""
    if words and "/" in words[0]:
        pairs = [(before, name) for before, _, name in (word.rpartition("/") for word in words)]
        if any(not before for before, _ in pairs):
            raise click.UsageError("KIND/NAME and KIND NAME cannot be mixed")
    else:
        pairs = [(words[0], name) for name in words[1:]] if words else []
    keys = (resource_key(resolve_kind(kind), namespace, name) for kind, name in pairs)
    return tuple(dict.fromkeys(keys))


def required_keys(words: tuple[str, ...], namespace: str | None) -> tuple[ResourceKey, ...]:
    """The same for a command that is about one resource at least; UsageError if there is none."""
    keys = resource_keys(words, namespace)
    if not keys:
        raise click.UsageError("which resource? Give KIND and NAME")
    return keys
