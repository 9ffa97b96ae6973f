"""``tortie patch`` and ``label``: changes of what is stored, made again from what is there then if somebody else was faster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tortie.cli.carrying_out import Report, carry_out, new_stamp
from tortie.cli.errors import CommandError
from tortie.cli.manifests import decoded
from tortie.cli.naming import required_keys
from tortie.cli.options import namespace_option, write_options
from tortie.cli.patching import PatchError, json_patch, merge_patch, parse_patch, strategic_patch
from tortie.cli.settings import Settings
from tortie.cli.writing import Modification, plan_modify
from tortie.model.checks.metadata import label_name_error, label_value_error
from tortie.model.codec import Document
from tortie.model.kinds import ResourceKey


def _carry_out(
    settings: Settings, modifications: Mapping[ResourceKey, Modification], report: Report, *, ignore_policy_tests: bool
) -> None:
    stamp = new_stamp()
    carry_out(
        settings.connection(),
        lambda store: plan_modify(store, modifications, stamp),
        report,
        ignore_policy_tests=ignore_policy_tests,
    )


# --- patch -----------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="KIND NAME...")
@click.option("-p", "--patch", "text", metavar="PATCH", help="The patch, in JSON or YAML.")
@click.option(
    "--patch-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="A file with the patch."
)
@click.option(
    "-t", "--type", "patch_type", type=click.Choice(["strategic", "merge", "json"]), default="strategic", show_default=True,
    help="Strategic merge patch, JSON merge patch (RFC 7396) or JSON patch (RFC 6902).",
)  # fmt: skip
@namespace_option("Of the resources named.")
@write_options
@click.pass_obj
def patch(
    settings: Settings, words: tuple[str, ...], text: str | None, patch_file: Path | None, patch_type: str,
    namespace: str | None, form: str, dry_run: str, ignore_policy_tests: bool, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Change parts of resources.

    A merge patch holds the fields to change, null for those to remove; lists are replaced. A strategic one does the same, and
    merges Kubernetes' lists that have a key: a Pod's containers and volumes by name, a Service's ports by port; it knows
    $patch, $retainKeys, $setElementOrder and $deleteFromPrimitiveList. A JSON patch is a list of operations (add, remove,
    replace, move, copy, test). What comes of it is checked as a file is.

    \b
    Examples:
      tortie patch gnp allow-dns -p '{"spec": {"order": 20}}'
      tortie patch node host1 -t merge -p 'spec: {bgp: {asNumber: null}}'
      tortie patch gnp allow-dns -t json -p '[{"op": "remove", "path": "/spec/order"}]'
    """
    if (text is None) == (patch_file is None):
        raise click.UsageError("which patch? Give -p PATCH or --patch-file FILE")
    keys = required_keys(words, namespace)
    wanted = _parsed(decoded(str(patch_file), patch_file.read_bytes()) if patch_file else text or "")
    modifications = {key: _patching(key, patch_type, wanted) for key in keys}
    report = Report(form, dry_run, changed="patched")
    _carry_out(settings.over(datastore, lab), modifications, report, ignore_policy_tests=ignore_policy_tests)


def _parsed(text: str) -> Any:
    """Values as in JSON, or in YAML as people expect them; what a field takes is judged afterwards."""
    try:
        return parse_patch(text)
    except PatchError as error:
        raise click.UsageError(str(error)) from error


def _patching(key: ResourceKey, patch_type: str, wanted: Any) -> Modification:
    def apply(document: Document) -> Document:
        try:
            match patch_type:
                case "json":
                    patched = json_patch(document, wanted)
                case "merge":
                    patched = merge_patch(document, wanted)
                case _:
                    patched = strategic_patch(document, wanted, key.kind)
        except PatchError as error:
            raise CommandError(f"{key}: {error}") from error
        if not isinstance(patched, dict) or not isinstance(patched.get("metadata"), dict):
            raise CommandError(f"{key}: the patch leaves no resource, which is a mapping with metadata")
        return patched

    return apply


# --- label -----------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="KIND NAME... LABEL=VALUE...")
@click.option(
    "--overwrite", is_flag=True, help="Change labels that have another value; otherwise nothing is changed then."
)
@click.option("--remove", is_flag=True, help="Remove the labels, which stand without a value; the same as LABEL-.")
@namespace_option("Of the resources named.")
@write_options
@click.pass_obj
def label(
    settings: Settings, words: tuple[str, ...], overwrite: bool, remove: bool, namespace: str | None, form: str, dry_run: str,
    ignore_policy_tests: bool, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Set or remove labels of resources: LABEL=VALUE sets one, LABEL- removes one.

    \b
    Examples:
      tortie label node host1 rack=r1
      tortie label node host1 rack=r2 zone=a --overwrite
      tortie label node host1 rack --remove
      tortie label wep host1-k8s-web-eth0 -n shop canary-
    """
    named, wanted = _labels(words, remove=remove)
    keys = required_keys(named, namespace)
    modifications = {key: _labelling(key, wanted, overwrite=overwrite) for key in keys}
    report = Report(form, dry_run, changed="labeled")
    _carry_out(settings.over(datastore, lab), modifications, report, ignore_policy_tests=ignore_policy_tests)


def _labels(words: tuple[str, ...], *, remove: bool) -> tuple[tuple[str, ...], Mapping[str, str | None]]:
    """The words that name resources, and the labels with their values, None for those to remove; UsageError."""
    wanted: dict[str, str | None] = {}
    if remove:
        # calicoctl's form: KIND NAME LABEL; with KIND/NAME the labels begin one word sooner
        first = 1 if "/" in words[0] else 2
        named, rest = words[:first], words[first:]
        wanted = dict.fromkeys(word.removesuffix("-") for word in rest)
    else:
        first = next((at for at, word in enumerate(words) if "=" in word or word.endswith("-")), len(words))
        named, rest = words[:first], words[first:]
        for word in rest:
            name, equals, text = word.partition("=")
            wanted[name if equals else word.removesuffix("-")] = text if equals else None
    if not wanted:
        raise click.UsageError("which labels? Give LABEL=VALUE, LABEL-, or LABEL with --remove")
    for name, value in wanted.items():
        if problem := label_name_error(name) or label_value_error(value or ""):
            raise click.UsageError(problem)
    return named, wanted


def _labelling(key: ResourceKey, wanted: Mapping[str, str | None], *, overwrite: bool) -> Modification:
    def apply(document: Document) -> Document:
        labels = dict(document["metadata"].get("labels") or {})
        for name, value in wanted.items():
            if value is None and name not in labels:
                raise CommandError(f"cannot remove label {name} from {key}: it has none of that name")
            if value is not None and not overwrite and labels.get(name, value) != value:
                raise CommandError(
                    f"{key}: key {name} is already present with the value {labels[name]!r}; --overwrite changes it"
                )
        labels |= {name: value for name, value in wanted.items() if value is not None}
        left = {name: value for name, value in labels.items() if wanted.get(name, value) is not None}
        return {**document, "metadata": {**document["metadata"], "labels": left}}

    return apply
