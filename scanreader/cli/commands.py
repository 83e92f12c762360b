"""The names of the commands; each is a module beside this one, imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scanreader.cli.telling import telling
from scanreader.version import __version__

COMMANDS = ("info", "fields", "metadata", "frames", "events", "check", "preview", "report", "convert", "demo", "tiff")
"""Each is a function of that name in the module of that name; or its ``app``, where it has commands of its own."""


class Commands(TyperGroup):
    """Commands that are imported when they are asked for, and what goes wrong with any of them is said alike."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        names: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands = names  # for what typer suggests where a name is none of them

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Import a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"scanreader.cli.{cmd_name}")
        one: typer.Typer | None = getattr(module, "app", None)
        if one is None:
            one = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
            one.command(cmd_name)(getattr(module, cmd_name))
        command = typer.main.get_command(one)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with telling():
            return super().invoke(ctx)


app = typer.Typer(
    name="scanreader",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read ScanImage recordings."""
