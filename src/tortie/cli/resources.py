"""``tortie create``, ``apply``, ``replace``, ``diff`` and ``delete``: resources from files into the datastore, and out of it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tortie.cli.carrying_out import Report, carry_out, new_stamp
from tortie.cli.datastore import open_store
from tortie.cli.difference import difference
from tortie.cli.errors import failures_are_no_answer
from tortie.cli.manifests import read_manifests
from tortie.cli.naming import resource_keys
from tortie.cli.options import F, files_options, namespace_option, version_option, write_options
from tortie.cli.settings import Settings, datastore_options
from tortie.cli.unmatched import warn_of_unknown_labels
from tortie.cli.writing import Change, Existing, plan_apply, plan_comparison, plan_delete
from tortie.datastore.store import Store
from tortie.model.document import ReadResource

_NAMESPACE_HELP = "For namespaced resources that do not name theirs."


# --- create, apply, replace ------------------------------------------------------------------------------------------------


def _manifest_options(command: F) -> F:
    command = click.option("--skip-empty", is_flag=True, help="Do not mind if nothing is in what -f names.")(
        write_options(command)
    )
    return files_options(required=True)(namespace_option(_NAMESPACE_HELP)(command))


@click.command()
@_manifest_options
@click.option(
    "--skip-exists", is_flag=True, help="Leave alone what is there already; otherwise nothing is created then."
)
@click.pass_obj
def create(
    settings: Settings, files: tuple[str, ...], recursive: bool, namespace: str | None, skip_exists: bool, form: str,
    dry_run: str, skip_empty: bool, ignore_policy_tests: bool, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Create the resources of files, none of which may be there already.

    What is read, checked and written is as with `tortie apply`.

    \b
    Examples:
      tortie create -f policy.yaml
      tortie create -f manifests/ -R --skip-exists
    """
    resources = read_manifests(files, namespace=namespace, recursive=recursive, may_be_empty=skip_empty)
    existing = Existing.SKIPPED if skip_exists else Existing.REFUSED
    _store(resources, existing, settings.over(datastore, lab), Report(form, dry_run), ignore_policy_tests)


@click.command()
@_manifest_options
@click.pass_obj
def apply(
    settings: Settings, files: tuple[str, ...], recursive: bool, namespace: str | None, form: str, dry_run: str,
    skip_empty: bool, ignore_policy_tests: bool, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Create or change resources, so that they are as files say.

    Files hold YAML or JSON: one or more documents, or a List. Calico's kinds (projectcalico.org/v3) and Kubernetes' Namespace,
    ServiceAccount, NetworkPolicy, ClusterNetworkPolicy, Pod, Service and EndpointSlice are known. Everything is read and checked
    first, so that a mistake anywhere changes nothing; then all of it is written in one transaction. A Kubernetes object is stored
    with the Calico objects that it means. Where a datastore bounds its transactions (etcd: 128 operations), a larger apply is
    written in several, which is said; one resource and what it means are never apart.

    A resource that exists gets the file's spec, labels and annotations, and keeps its uid, creation time and status, and fields
    that a newer version has stored in it. A file with metadata.resourceVersion, as `tortie get -o yaml` prints it, changes that
    revision only; others are changed as they are then, also where somebody else was faster.

    Scalars are read as Calico's command reads them (YAML 1.1: `no` is a truth value, 010 is eight). A warning says where the
    text that is stored is not the text that was written, and where a selector has a label that nothing has, if the datastore
    is not too large to be looked through (`tortie lint --live` always does).

    A change that would break a PolicyTest of the datastore, one that holds now, is refused with what decides then; a new test that
    does not hold is a warning.

    With -o json, each resource is reported with the revision of its write and committedAtNs, the machine's monotonic clock
    just before its commit.

    \b
    Examples:
      tortie apply -f policy.yaml
      tortie apply -f manifests/ -n stars --dry-run
      cat policy.yaml | tortie --lab demo apply -f -
    """
    # Read before a lab is joined: inside it, /run and the like are the lab's.
    resources = read_manifests(files, namespace=namespace, recursive=recursive, may_be_empty=skip_empty)
    _store(resources, Existing.CHANGED, settings.over(datastore, lab), Report(form, dry_run), ignore_policy_tests)


@click.command()
@_manifest_options
@click.pass_obj
def replace(
    settings: Settings, files: tuple[str, ...], recursive: bool, namespace: str | None, form: str, dry_run: str,
    skip_empty: bool, ignore_policy_tests: bool, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Change resources to what files say; all of them must be there.

    What is read, checked and written is as with `tortie apply`.

    \b
    Examples:
      tortie replace -f policy.yaml
      tortie get gnp allow-dns -o yaml | sed s/53/5353/ | tortie replace -f -
    """
    resources = read_manifests(files, namespace=namespace, recursive=recursive, may_be_empty=skip_empty)
    report = Report(form, dry_run, changed="replaced")
    _store(resources, Existing.REQUIRED, settings.over(datastore, lab), report, ignore_policy_tests)


def _store(
    resources: tuple[ReadResource, ...],
    existing: Existing,
    settings: Settings,
    report: Report,
    ignore_policy_tests: bool,
) -> None:
    if not resources:
        click.echo("No resources were found in what -f names.", err=True)
        return
    stamp = new_stamp()

    def plan(store: Store) -> Sequence[Change]:
        if report.dry_run == "client":
            return plan_comparison(store, resources, stamp)
        return plan_apply(store, resources, stamp, existing)

    carry_out(
        settings.connection(),
        plan,
        report,
        create=existing is not Existing.REQUIRED,
        is_repeatable=existing is not Existing.REFUSED,
        ignore_policy_tests=ignore_policy_tests,
        then=lambda store: warn_of_unknown_labels(store, resources),
    )


# --- diff ------------------------------------------------------------------------------------------------------------------


@click.command()
@files_options(required=True)
@namespace_option(_NAMESPACE_HELP)
@version_option
@datastore_options
@click.pass_context
def diff(
    ctx: click.Context,
    files: tuple[str, ...],
    recursive: bool,
    namespace: str | None,
    datastore: str | None,
    lab: str | None,
) -> None:
    """Show what `tortie apply` of files would change, as a unified diff; write nothing.

    The exit status is 0 if nothing would change, 1 if something would, and greater if that cannot be told.

    \b
    Examples:
      tortie diff -f policy.yaml
      tortie diff -f manifests/ -R
    """
    with failures_are_no_answer():
        resources = read_manifests(files, namespace=namespace, recursive=recursive)
        with open_store(ctx.obj.over(datastore, lab).connection()) as store:
            lines = list(difference(store, plan_apply(store, resources, new_stamp())))
    for line in lines:
        click.echo(line)
    ctx.exit(1 if lines else 0)


# --- delete ----------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("words", nargs=-1, metavar="[KIND NAME...]")
@files_options()
@namespace_option("Of the resources named, or of those in files that do not name theirs.")
@click.option("-s", "--ignore-not-found", "--skip-not-exists", is_flag=True, help="Do not mind what does not exist.")
@write_options
@click.pass_obj
def delete(
    settings: Settings, words: tuple[str, ...], files: tuple[str, ...], recursive: bool, namespace: str | None,
    ignore_not_found: bool, form: str, dry_run: str, ignore_policy_tests: bool, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Delete resources, by KIND and NAME (or KIND/NAME) or as named by files.

    A Kubernetes object goes together with the Calico objects that it means, and a Namespace with everything in it. All
    of it is one transaction, as with `tortie apply`: if one resource does not exist, nothing is deleted, unless
    --ignore-not-found is given. A tier that still has policies stays. A file with metadata.resourceVersion deletes that
    revision only.

    \b
    Examples:
      tortie delete netpol default-deny -n stars
      tortie delete -f policy.yaml --skip-not-exists
      tortie delete namespace stars client management-ui
    """
    if files and words:
        raise click.UsageError("-f and KIND exclude each other")
    if files:
        read = read_manifests(files, namespace=namespace, recursive=recursive)
        keys = {item.key: item.document["metadata"].get("resourceVersion", "") for item in read}
    else:
        keys = dict.fromkeys(resource_keys(words, namespace), "")
    if not keys:
        raise click.UsageError("what is to be deleted? Give KIND and NAME, or -f FILE")
    carry_out(
        settings.over(datastore, lab).connection(),
        lambda store: plan_delete(store, keys, ignore_not_found=ignore_not_found),
        Report(form, dry_run),
        is_repeatable=ignore_not_found,
        ignore_policy_tests=ignore_policy_tests,
    )
