"""`marine-gen completion`: the script that teaches a shell to complete commands, options and engines."""

from __future__ import annotations

import click

from marine_gen.cli.options import examples
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.output import write_text

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "marine-gen"
VARIABLE = "_MARINE_GEN_COMPLETE"
"""The variable in which click finds a request to complete; it follows from the name of the program."""


@click.command(
    "completion",
    cls=StrictCommand,
    short_help="Print the completion script of a shell.",
    epilog=examples(
        'eval "$(marine-gen completion bash)"                             # in ~/.bashrc',
        'eval "$(marine-gen completion zsh)"                              # in ~/.zshrc',
        "marine-gen completion fish > ~/.config/fish/completions/marine-gen.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and engines in a shell."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    # The script as such: bash's own `source` first starts bash to look at its version.
    write_text(ShellComplete.source(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE)))
