"""The file that names the datastore: Tortie's own (``/etc/tortie/tortie.yaml``), or Calico's CalicoAPIConfig.

Both are declared as structs and read by the reader of people's resources, so a mistake is told with file, line and field.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import click
from msgspec import Struct

from tortie.cli.calico_settings import CalicoAPIConfig, CalicoSettingError, choose
from tortie.cli.errors import CommandError, refuse_for
from tortie.cli.manifests import decoded
from tortie.cli.place import Said, parse_place
from tortie.datastore.connection import TLS, EtcdAccess, StoreURLError
from tortie.model.codec import InvalidResourceError, from_document
from tortie.model.document import locate
from tortie.model.fieldpath import FieldPath, path_text
from tortie.model.meta import Value
from tortie.model.walk import Finding, Walk
from tortie.model.yamltree import MappingNode, Node, Position, ScalarNode, YAMLSyntaxError, documents

S = TypeVar("S", bound=Struct)


class EtcdSettings(Value, frozen=True, kw_only=True):
    """How to prove who we are to etcd, wherever it is: a datastore's URL holds no secrets."""

    ca_file: str = ""
    """The authorities that sign the servers' certificates, PEM; absent: those of the system."""
    cert_file: str = ""
    """Our certificate, PEM; goes with ``keyFile``."""
    key_file: str = ""
    """The key of our certificate, PEM."""
    username: str = ""
    """Our user in etcd; goes with ``password`` or ``passwordFile``."""
    password: str = ""
    """The user's password. Let nobody else read the file. It is read when a program starts: a running agent has to be restarted
    for another one."""
    password_file: str = ""
    """A file that holds the password: a running agent reads it, as it does certificates, whenever it has to show who it is."""


class TortieSettings(Value, frozen=True, kw_only=True):
    """Tortie's settings file."""

    datastore: str = ""
    """The URL of the datastore, as for ``--datastore``."""
    etcd: EtcdSettings = EtcdSettings()
    """For any datastore in etcd that is named by an URL."""


def read_settings(path: Path) -> Said:
    """The settings in the file *path*, which must be there; CommandError names file, line and field."""
    source = str(path)
    node = _root(source, path.read_bytes())
    if _is_calicos(node):
        return _calicos(source, node, _read(source, node, CalicoAPIConfig))
    return _ours(source, node, _read(source, node, TortieSettings))


def _root(source: str, content: bytes) -> MappingNode:
    try:
        roots = list(documents(decoded(source, content)))
    except YAMLSyntaxError as error:
        raise _failure(source, error.position, (), str(error)) from error
    if not roots or (isinstance(roots[0], ScalarNode) and not roots[0].text):
        return MappingNode(Position(1, 1), ())
    if len(roots) > 1 or not isinstance(roots[0], MappingNode):
        raise _failure(source, roots[-1].position, (), "expected one mapping of settings, such as datastore: URL")
    return roots[0]


def _is_calicos(node: MappingNode) -> bool:
    return any(key.text.lower() in ("kind", "apiversion") for key, _ in node.entries)


def _read(source: str, node: MappingNode, struct: type[S]) -> S:
    walk = Walk(omit_zero=False)
    document = walk.struct(struct, node)
    for warning in walk.warnings:
        click.echo(f"Warning: {_sentence(source, warning)}", err=True)
    refuse_for([_sentence(source, error) for error in walk.errors])
    try:
        return from_document(document, struct)
    except InvalidResourceError as error:
        raise _failure(source, node.position, (), str(error)) from error


def _sentence(source: str, finding: Finding) -> str:
    place = f"{source}:{finding.position.line}:{finding.position.column}: "
    return place + (f"{path_text(finding.path)}: " if finding.path else "") + finding.message


def _failure(source: str, position: Position, path: FieldPath, message: str) -> CommandError:
    return CommandError(_sentence(source, Finding(position, path, "", message)))


# --- what they mean --------------------------------------------------------------------------------------------------------


def _calicos(source: str, node: Node, config: CalicoAPIConfig) -> Said:
    try:
        return choose(config.spec)
    except CalicoSettingError as error:
        path: FieldPath = ("spec", error.field)
        raise _failure(source, locate(node, path).position, path, str(error)) from error


_FIELDS = {"certificate": "certFile", "key": "keyFile", "username": "username", "password": "password"}


def _ours(source: str, node: Node, settings: TortieSettings) -> Said:
    if settings.etcd.password and settings.etcd.password_file:
        given: FieldPath = ("etcd", "passwordFile")
        raise _failure(source, locate(node, given).position, given, "excludes password: give one of the two")
    access = _access(Path(source).parent, settings.etcd)
    if access is not None and access.missing:
        path: FieldPath = ("etcd", _FIELDS[access.missing])
        raise _failure(source, locate(node, path).position, path, "is missing beside the other half of its pair")
    try:
        place = parse_place(settings.datastore) if settings.datastore else None
    except StoreURLError as error:
        path = ("datastore",)
        raise _failure(source, locate(node, path).position, path, str(error)) from error
    return Said(place, access)


def _access(folder: Path, etcd: EtcdSettings) -> EtcdAccess | None:
    """A relative path is one beside the settings file."""
    files = (etcd.ca_file, etcd.cert_file, etcd.key_file, etcd.password_file)
    ca, certificate, key, password = (folder / name if name else None for name in files)
    access = EtcdAccess(TLS(ca, certificate, key), etcd.username, password or etcd.password)
    return None if access == EtcdAccess() else access
