"""Markup as text: elements with everything escaped that comes from outside."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

# Characters that XML 1.0 has no way to write, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# HTML wants these without an end tag; "<br/>" is right in HTML and in XML.
_VOID = {"meta", "br", "hr", "rect", "line", "path", "circle", "polygon"}


class Markup(str):
    """Text that is markup already; every other string is escaped when it is put into an element."""

    __slots__ = ()


Child = str | int | Iterable[str] | None
Attribute = str | int | float | None


def escape(text: str) -> Markup:
    """A string as character data, also safe between double quotes."""
    clean = _FORBIDDEN.sub("\ufffd", text)
    for raw, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        clean = clean.replace(raw, safe)
    return Markup(clean)


def coordinate(value: float) -> str:
    """A number as SVG reads it, to a tenth of a unit.

    Raises:
        ValueError: not finite; a picture has no such place.
    """
    if not math.isfinite(value):
        raise ValueError(f"coordinate is {value}; check the scale it was drawn with")
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """An element; `class_` writes class, `stroke_width` writes stroke-width, None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = join(*children)
    if not inner and name in _VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{inner}</{name}>")


def join(*children: Child) -> Markup:
    """Children one after the other: markup as it is, other strings escaped, iterables opened."""
    return Markup("".join(_child(child) for child in children))


def _attribute(value: str | int | float) -> str:
    return escape(value if isinstance(value, str) else coordinate(value))


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(child)
    if isinstance(child, int):
        return str(child)
    return "".join(_child(part) for part in child)
