"""The command ``tortie``: its global options, and the table of its commands.

A command's module is loaded when the command runs, so that ``tortie --help`` is quick and a broken or missing part
concerns only who uses it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

import tortie
from tortie.cli import logs
from tortie.cli.errors import in_one_sentence
from tortie.cli.options import version_option
from tortie.cli.settings import Settings
from tortie.cli.start import INTERRUPTED, end_unread


class Source(NamedTuple):
    """Where a command is, and what the list of commands says about it."""

    module: str
    attribute: str
    summary: str


COMMANDS: Mapping[str, Source] = {
    "get": Source("tortie.cli.get", "get", "Show resources."),
    "apply": Source("tortie.cli.resources", "apply", "Create or change resources from files."),
    "create": Source("tortie.cli.resources", "create", "Create resources from files."),
    "replace": Source("tortie.cli.resources", "replace", "Change resources to what files say."),
    "diff": Source("tortie.cli.resources", "diff", "Show what apply would change."),
    "patch": Source("tortie.cli.modify", "patch", "Change parts of resources."),
    "label": Source("tortie.cli.modify", "label", "Set or remove labels of resources."),
    "edit": Source("tortie.cli.edit", "edit", "Change resources in an editor."),
    "delete": Source("tortie.cli.resources", "delete", "Delete resources."),
    "fields": Source("tortie.cli.fields", "fields", "Say what a kind or one of its fields is."),
    "schema": Source("tortie.cli.schema", "schema", "Print the JSON Schema of a kind, or write those of all."),
    "validate": Source("tortie.cli.validate", "validate", "Check files, without a datastore."),
    "lint": Source("tortie.cli.lint", "lint", "Find selectors that match nothing that exists."),
    "convert": Source("tortie.cli.convert", "convert", "Show what Kubernetes objects mean as Calico's."),
    "selector": Source("tortie.cli.selector", "selector", "Try out a selector."),
    "policy": Source("tortie.cli.policy", "policy", "Ask what policies mean, without enforcing them."),
    "explain": Source("tortie.cli.explain", "explain", "Say whether a connection is allowed, and by what."),
    "dataplane": Source("tortie.cli.dataplane", "dataplane", "Ask why something stands in a host's kernel."),
    "datastore": Source(
        "tortie.cli.datastore_group", "datastore", "Set a datastore up, keep it safe, move what it holds."
    ),
    "lab": Source("tortie.cli.lab", "lab", "Build hosts and workloads out of network namespaces on this machine."),
    "demo": Source("tortie.cli.demo", "demo", "Watch policies stop and admit real packets."),
    "agent": Source("tortie.cli.agent", "agent", "Run the agent that enforces policy on a host."),
    "completion": Source(
        "tortie.cli.completion.command", "completion", "Print the script that makes a shell complete."
    ),
    "version": Source("tortie.cli.main", "version", "Print the version."),
}


class LazyGroup(click.Group):
    """A group whose commands are those of ``COMMANDS``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        source = COMMANDS.get(cmd_name)
        if source is None:
            return None
        command = getattr(importlib.import_module(source.module), source.attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, source.summary) for name, source in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        with in_one_sentence():
            return super().invoke(ctx)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--datastore", metavar="URL", help="The datastore to use; see below.")
@click.option("--lab", metavar="NAME", help="Use the datastore of the lab NAME; the same as --datastore lab://NAME.")
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A settings file: Tortie's, or Calico's CalicoAPIConfig.",
)
@version_option
@click.version_option(tortie.__version__, message="tortie %(version)s")
@click.option(
    "-l",
    "--log-level",
    type=click.Choice(tuple(logs.LEVELS)),
    default="warning",
    show_default=True,
    envvar="TORTIE_LOG_LEVEL",
    show_envvar=True,
    help="What to log.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    envvar="TORTIE_LOG_FORMAT",
    show_envvar=True,
    help="How to log it.",
)
@click.pass_context
def cli(
    ctx: click.Context, datastore: str | None, lab: str | None, config: Path | None, log_level: str, log_format: str
) -> None:
    """Network policy and routing for workloads, compatible with Project Calico.

    \b
    Datastores:
      sqlite:///PATH                a file on this machine
      etcd://HOST:PORT,HOST:PORT    etcd, version 3; etcds:// over TLS
      lab://NAME                    that of a lab started with `tortie lab up`

    The first that names a datastore wins: --datastore or --lab; TORTIE_DATASTORE=URL or TORTIE_LAB=NAME; the file given with
    -c; Calico's environment variables (DATASTORE_TYPE, ETCD_ENDPOINTS, …); /etc/tortie/tortie.yaml. Without any, it is
    /var/lib/tortie/tortie.db for root, and for others tortie/tortie.db in $XDG_STATE_HOME (~/.local/state).

    \b
    Examples:
      tortie demo stars                    see it work
      tortie lab up --hosts 2              hosts to play with
      tortie --lab lab apply -f demo.yaml  give them policies
      tortie --lab lab get netpol -A       look at them
    """
    logs.configure(log_level, log_format)
    ctx.obj = Settings(datastore, lab, config)


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"tortie {tortie.__version__}")


def main() -> None:
    """Run the command line of this process and exit: 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C."""
    try:
        result = cli.main(prog_name="tortie", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except OSError as error:  # others' have become a sentence in ``LazyGroup.invoke``
        end_unread(error)
    sys.exit(result if isinstance(result, int) else 0)
