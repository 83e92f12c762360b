"""Options of the Miller Brain Observatory's scanreader, answered with the command to type here."""

from __future__ import annotations

import shlex
from typing import NamedTuple

WITH_VALUES = {"--save": 1, "--zplanes": 1, "--frames": 1, "--trim_x": 2, "--trim_y": 2, "--trim-x": 2, "--trim-y": 2}
"""Options of theirs, and those of ours that they share, with the number of words that follow."""
ANSWERED_OPTIONS = ("--zplanes", "--roi", "--zarr", "--metadata", "--debug")
SHARED_OPTIONS = ("--tiff", "--assemble")
"""Options of theirs, without a value, that convert has too."""
PROGRAM = "scanreader"


class Words(NamedTuple):
    """The words of a command, taken apart."""

    paths: list[str]
    """What belongs to no option."""
    options: dict[str, list[str]]
    """Options that are known here, with the words that follow."""
    other_options: list[str]
    """Other options, and what follows them with ``=``."""


def take_apart(args: list[str]) -> Words:
    """Take the words of a command apart; options are given as ``--name value`` or ``--name=value``."""
    words = Words([], {}, [])
    todo = list(args)
    while todo:
        word = todo.pop(0)
        name, equals, value = word.partition("=")
        if name in WITH_VALUES:
            count = WITH_VALUES[name]
            words.options[name] = [value] if equals else [todo.pop(0) for _ in range(min(count, len(todo)))]
        elif name in ANSWERED_OPTIONS or name in SHARED_OPTIONS:
            words.options[name] = []
        elif word.startswith("-") and len(word) > 1:
            words.other_options.append(word)
        else:
            words.paths.append(word)
    return words


def with_target_last(args: list[str]) -> list[str]:
    """The words of convert, with what follows ``--save`` as the target."""
    words, target = list(args), ""
    for i, word in enumerate(args):
        if word == "--save" and i + 1 < len(args):
            target, words = args[i + 1], args[:i] + args[i + 2 :]
        elif word.startswith("--save="):
            target, words = word.removeprefix("--save="), args[:i] + args[i + 1 :]
    return [*words, target] if target else words


def answer(args: list[str], *, is_convert: bool = True) -> str:
    """Say what to type instead of the words of a command; '' if all of them are ours.

    Parameters
    ----------
    args : list of str
        The words after ``convert``, or after the name of the program.
    is_convert : bool
        Whether it was convert.
    """
    words = take_apart(args)
    their_options = [name for name in ANSWERED_OPTIONS if name in words.options]
    if not their_options and (is_convert or not ({"--save", *SHARED_OPTIONS} & set(words.options))):
        return ""
    names = ", ".join(their_options) or "a path without a command"
    verb = "is" if len(their_options) < 2 else "are"
    return f"{names} {verb} of another scanreader: type {_command(words)}{_remark(words)}"


def _remark(words: Words) -> str:
    if "--assemble" in words.options:
        return "; --stitch places the ROIs of a slice in one image, by their centres"
    if "--zplanes" in words.options:
        return (
            "; its z-planes are the channels that were saved, which count from 1 here, the last included; --planes "
            "gives them depths"
        )
    return ""


def _command(words: Words) -> str:
    """The whole command."""
    paths, options = list(words.paths), words.options
    if "--save" not in options and "--metadata" in options:
        return f"{PROGRAM} metadata {shlex.join(paths)}"
    if "--save" in options:
        paths += options["--save"]
    elif len(paths) < 2:
        paths += ["TARGET"]
    flags: list[str] = []
    if "--zarr" in options:
        paths[-1] = paths[-1] if paths[-1].endswith(".zarr") else f"{paths[-1].rstrip('/')}.zarr"
    elif "." not in paths[-1].rsplit("/", maxsplit=1)[-1].lstrip("."):
        flags += ["--tiff"]
    for name in ("--frames", "--trim_x", "--trim_y", "--trim-x", "--trim-y"):
        flags += [name.replace("_", "-"), *options[name]] if name in options else []
    if "--zplanes" in options:
        flags += ["--channels", _channels(*options["--zplanes"][:1])]
    flags += ["--per-field"] if "--roi" in options else []
    flags += ["--stitch"] if "--assemble" in options else []
    return shlex.join([PROGRAM, "convert", *paths, *flags, *words.other_options])


def _channels(text: str = ":") -> str:
    """Planes from 0, without the last, as channels from 1, with the last: ``1:6`` is ``2:6``."""
    try:
        parts = [int(part) if part.strip() else None for part in text.split(":")]
    except ValueError:
        return text
    if len(parts) == 1 and parts[0] is not None:
        return str(parts[0] + 1)
    start, stop, step = (*parts, None, None)[:3]
    if any(part is not None and part < 0 for part in (start, stop)):
        return "FIRST:LAST"
    first = (start or 0) + 1
    if stop is None:
        return f"{first}:" if step in (None, 1) else f"{first}::{step}"
    return f"{first}:{stop}" if step in (None, 1) else f"{first}:{stop}:{step}"
