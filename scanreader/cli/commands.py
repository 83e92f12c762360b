"""The names of the commands; each is a module in this folder, imported when it is used."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scanreader.cli.messages import errors_as_messages
from scanreader.cli.other_names import answer
from scanreader.errors import ScanKeyError
from scanreader.version import __version__

COMMANDS = (
    "list",
    "info",
    "fields",
    "metadata",
    "frames",
    "events",
    "check",
    "preview",
    "report",
    "convert",
    "verify",
    "demo",
    "tiff",
)
"""Each is the function of that name in the module of that name, or the module's ``app`` if it has subcommands."""


def is_no_command(word: str) -> bool:
    """Whether a word is an option or a path, rather than a command or a misspelt one."""
    return word not in COMMANDS and (word.startswith("-") or any(c in word for c in "*?/\\") or Path(word).exists())


def _join_lines(text: str) -> str:
    """Join the lines of each paragraph: a terminal, narrower than a source file, would break them a second time."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


class Commands(TyperGroup):
    """Commands that are imported when they are used, and whose errors are printed as messages."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        names: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands = names  # typer suggests one of them for a wrong name

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """List the commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Import a command; None if there is no command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"scanreader.cli.{cmd_name}")
        command_app: typer.Typer | None = getattr(module, "app", None)
        if command_app is None:
            command_app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
            command_app.command(cmd_name, cls=getattr(module, "Command", None))(getattr(module, cmd_name))
        command = typer.main.get_command(command_app)
        command.name = cmd_name
        command.help = _join_lines(command.help or "")
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the program; words of another scanreader in place of a command are answered."""
        with errors_as_messages():
            message = answer(args, is_convert=False) if args and is_no_command(args[0]) else ""
            if message:
                raise ScanKeyError(message)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with errors_as_messages():
            return super().invoke(ctx)


app = typer.Typer(
    name="scanreader",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read ScanImage recordings."""
