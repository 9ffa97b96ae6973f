"""``tortie completion``: prints the script that makes a shell complete commands, kinds and names."""

from __future__ import annotations

import click

from tortie.cli.completion.scripts import SCRIPTS


@click.command()
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete tortie's commands, options, kinds, and names from the datastore.

    \b
    Examples:
      source <(tortie completion bash)     now; put this line into ~/.bashrc for always
      source <(tortie completion zsh)      in ~/.zshrc
      tortie completion fish               for ~/.config/fish/completions/tortie.fish
    """
    click.echo(SCRIPTS[shell], nl=False)
