"""``tortie policy``: what policies mean, without enforcing them."""

from __future__ import annotations

import click

from tortie.cli.hoststate import hoststate
from tortie.cli.policy_connectivity import connectivity
from tortie.cli.policy_diff import diff
from tortie.cli.policy_test import test
from tortie.cli.query import query


@click.group()
def policy() -> None:
    """Ask what policies mean, without a kernel or a cluster."""


policy.add_command(query)
policy.add_command(hoststate)
policy.add_command(connectivity)
policy.add_command(diff)
policy.add_command(test)
