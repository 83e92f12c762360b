"""Texts of headers and file names, which may hold anything, made fit for the place where they are shown or stored."""

from __future__ import annotations

import re
import unicodedata

MOST_ON_A_LINE = 2000  # characters of a text in a message
MOST_IN_A_PICTURE = 40  # widths of a letter, of a label: more do not fit
MOST_MARKS = 2  # on a letter
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not have (its rule 2, Char): HDF5's texts refuse some of them too."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell of a spreadsheet begins with that is run as a formula."""
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def on_one_line(text: str) -> str:
    """Text for a terminal or a message: without line ends, control characters, and those that change its direction."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else UNKNOWN for c in text)


def in_lines(text: str) -> str:
    """Text for a terminal or a page, whose lines and tabs are kept."""
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("\t".join(on_one_line(part) for part in line.split("\t")) for line in lines)


def in_a_message(text: str) -> str:
    """Text for a warning: one line, which is cut if it is very long."""
    return _cut(on_one_line(text), MOST_ON_A_LINE)


def in_a_picture(text: str) -> str:
    """Text for a label of a picture: one short line, of characters that are no higher than others."""
    words = " ".join(on_one_line(text[: 100 * MOST_IN_A_PICTURE]).split())
    label, width, marks = "", 0, 0
    for c in words:
        marks = marks + 1 if unicodedata.combining(c) else 0  # marks are drawn on one another
        width += width_in_letters(c)
        if width > MOST_IN_A_PICTURE:
            return f"{label}…"
        label += c if marks <= MOST_MARKS else ""
    return label


def width_in_letters(text: str) -> int:
    """Width of a text, in letters: characters of East Asia and emoji are two wide, marks on a letter none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def in_a_cell(text: str) -> str:
    """Text for comma-separated values, which no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def in_xml(text: str) -> str:
    """Text that XML 1.0, HDF5 and napari take: control characters and lone surrogates become U+FFFD."""
    return NOT_IN_XML.sub(UNKNOWN, text)


def name_in_xml(text: str) -> str:
    """Name for XML's attributes and HDF5, on one line: readers of XML turn line ends and tabs into blanks."""
    return in_xml(re.sub(r"[\t\n\r]", " ", text))


def _cut(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"
