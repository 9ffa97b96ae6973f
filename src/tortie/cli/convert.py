"""``tortie convert``: which Calico objects Kubernetes objects mean, without storing anything."""

from __future__ import annotations

import click

from tortie.cli import output
from tortie.cli.errors import CommandError
from tortie.cli.jsonl import Answer, UnanswerableError, answer_lines, json_object
from tortie.cli.manifests import read_manifests
from tortie.cli.options import files_options, namespace_option
from tortie.conversion import ConversionError, Meaning, endpoint_of_pod
from tortie.conversion import convert as converted
from tortie.model.codec import Document, InvalidResourceError, from_document, to_document
from tortie.model.fieldvalues import suggestion
from tortie.model.kinds import KINDS, Kind, key_of
from tortie.model.kubernetes import Pod
from tortie.model.meta import Resource
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy
from tortie.model.yamltext import yaml_text


@click.command()
@files_options()
@namespace_option("For namespaced resources that do not name theirs.")
@click.option(
    "-o", "--output", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True,
    help="YAML documents, or one JSON list.",
)  # fmt: skip
@click.option(
    "--jsonl",
    is_flag=True,
    help="Convert objects from standard input, one a line in JSON, and answer each with a line.",
)
def convert(files: tuple[str, ...], recursive: bool, namespace: str | None, form: str, jsonl: bool) -> None:
    """Show the Calico objects that Kubernetes objects mean.

    A NetworkPolicy is a NetworkPolicy of the tier default, a ClusterNetworkPolicy a GlobalNetworkPolicy of the tier kube-admin
    or kube-baseline, a Namespace and a ServiceAccount a Profile. `tortie apply` stores these beside the objects. A Pod that has
    a node is a WorkloadEndpoint, which its host stores when it connects the pod. What cannot be converted is left out and told on
    standard error; it never opens anything.

    With --jsonl, each line of standard input is an object and each line of the output its meaning, in order and as soon
    as it is known: {"objects", "error"}, no objects for one that means nothing, and "warnings" where
    a part of it is left out. The objects are taken as a Kubernetes
    API server has let them pass: they are not validated.

    \b
    Examples:
      tortie convert -f policy.yaml
      tortie convert -f manifests/ -R -o json
      tortie convert --jsonl
    """
    if jsonl:
        if files:
            raise click.UsageError("--jsonl reads standard input and no files")
        answer_lines(_answer)
        return
    if not files:
        raise click.UsageError("what is to be converted? Give -f FILE, or --jsonl")
    documents: list[Document] = []
    for item in read_manifests(files, namespace=namespace, recursive=recursive):
        try:
            means = _meaning(item.resource)
        except ConversionError as error:
            raise CommandError(f"{item.key}: {error}") from error
        for sentence in means.left_out or () if means.objects else (*means.left_out, "it means no Calico object"):
            click.echo(f"Warning: {item.key}: {sentence}", err=True)
        documents += map(_without_revision, _documents(means))
    if form == "json":
        output.print_json(documents)
    else:
        click.echo("---\n".join(map(yaml_text, documents)), nl=False)


def _meaning(resource: Resource) -> Meaning:
    """As for the store, and the endpoint of a pod, which there is written by the host that connects it."""
    endpoint = endpoint_of_pod(resource) if isinstance(resource, Pod) else None
    if endpoint is None:
        return converted(resource)
    return Meaning({key_of(endpoint): endpoint})


def _documents(means: Meaning) -> list[Document]:
    return [_document(resource) for resource in means.objects.values()]


def _document(resource: Resource) -> Document:
    """*resource* as people would write it: a policy says its tier, though it is the default, and 1000 has no point."""
    document = to_document(resource)
    if isinstance(resource, NetworkPolicy | GlobalNetworkPolicy):
        document["spec"] = {"tier": resource.spec.tier, **document["spec"]}
        if resource.spec.order is not None and resource.spec.order.is_integer():
            document["spec"]["order"] = int(resource.spec.order)
    return document


def _without_revision(document: Document) -> Document:
    """To be applied, a document must not claim to be a change of a certain revision."""
    return output.without_metadata(document, ("resourceVersion",))


# --- JSON lines ------------------------------------------------------------------------------------------------------------


def _answer(line: bytes) -> Answer:
    document = json_object(line)
    kind = _kind(document)
    metadata = document.get("metadata")
    if kind.namespaced and isinstance(metadata, dict) and not metadata.get("namespace"):
        document = {**document, "metadata": {**metadata, "namespace": "default"}}
    try:
        means = _meaning(from_document(document, kind.struct))
    except (InvalidResourceError, ConversionError) as error:
        return {"objects": [], "error": str(error)}
    warnings = {"warnings": list(means.left_out)} if means.left_out else {}
    return {"objects": _documents(means), "error": None, **warnings}


def _kind(document: Document) -> Kind:
    name, api_version = document.get("kind"), document.get("apiVersion")
    for kind in KINDS:
        if (kind.name, kind.api_version) == (name, api_version):
            return kind
    if not isinstance(name, str) or not isinstance(api_version, str):
        raise UnanswerableError("expected an object with apiVersion and kind")
    hint = suggestion(name, (kind.name for kind in KINDS))
    raise UnanswerableError(f"{api_version} {name} is not a known kind{hint}")
