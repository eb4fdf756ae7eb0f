"""Drawings as files, and as part of a page that follows its theme and can be read aloud.

Matplotlib's SVG is rewritten for the page: CSS variables replace fixed colours, ids are made unique
among the page's drawings or dropped, the accessible name is attached, and marked elements get a
tooltip, a class to style and a place in the tab order.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from xml.etree import ElementTree

from matplotlib.text import Text

from mtl_laws.pipeline.errors import printable
from mtl_laws.pipeline.report.figures.canvas import TONES, Drawing, drawing_style

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
HREF = f"{{{XLINK}}}href"
PNG_DPI = 200
BACKGROUND = '<rect width="100%" height="100%" fill="#ffffff"/>'
COLOURS = {tone.light: f"var(--{tone.variable})" for tone in TONES}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def render_svg(drawing: Drawing) -> str:
    """The drawing as SVG text, in light colours without a background; its layout is final then."""
    text = _save(drawing, "svg", background="none").decode("utf-8")
    text = _CONTROL.sub("\ufffd", text)  # in ids made of names from data
    with drawing_style():  # None asks the settings for an engine, and these have none
        drawing.figure.set_layout_engine(None)
    return text


def svg_file(text: str) -> str:
    """`render_svg`'s text as a file of its own, on white."""
    return text.replace('<g id="figure_1">', f'{BACKGROUND}\n <g id="figure_1">', 1)


def png_file(drawing: Drawing) -> bytes:
    """The drawing as a bitmap, in light colours on white."""
    return _save(drawing, "png", background="#ffffff")


def _save(drawing: Drawing, kind: str, background: str) -> bytes:
    stream = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    for text in drawing.figure.findobj(Text):
        text.set_text(printable(text.get_text()))
    with drawing_style(hashsalt=drawing.name):
        drawing.figure.savefig(
            stream, format=kind, dpi=PNG_DPI, facecolor=background, metadata=metadata
        )
    return stream.getvalue()


def inline_svg(drawing: Drawing, text: str = "") -> str:
    """The drawing as an ``<svg>`` element for an HTML page.

    Parameters
    ----------
    text : `render_svg`'s text; rendered here if empty.
    """
    root = ElementTree.fromstring(text or render_svg(drawing))
    unwanted = {f"{{{SVG}}}metadata", f"{{{SVG}}}style"}
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in unwanted]:
            parent.remove(child)
    _rename_ids(root, drawing.name, set(drawing.tips))
    _add_tips(root, drawing.name, drawing.tips)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("class", "drawing")
    root.set("role", "group" if drawing.tips else "img")
    root.set("aria-label", drawing.alt)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    markup = ElementTree.tostring(root, encoding="unicode")
    return _COLOUR.sub(lambda match: COLOURS.get(match[0], match[0]), markup)


def _rename_ids(root: ElementTree.Element, prefix: str, marks: set[str]) -> None:
    """Prefix the ids that something refers to; drop the rest, which repeat between drawings."""
    used = set(marks)
    for element in root.iter():
        for name, value in element.attrib.items():
            used |= {value[1:]} if name == HREF and value.startswith("#") else set()
            used |= set(_REFERENCE.findall(value))
    for element in root.iter():
        identity = element.attrib.pop("id", None)
        if identity in used:
            element.set("id", f"{prefix}-{identity}")
        for name, value in element.attrib.items():
            if name == HREF and value.startswith("#"):
                element.set(name, f"#{prefix}-{value[1:]}")
            elif "url(#" in value:
                element.set(name, _REFERENCE.sub(rf"url(#{prefix}-\1)", value))


def _add_tips(root: ElementTree.Element, prefix: str, tips: Mapping[str, str]) -> None:
    by_id = {element.get("id"): element for element in root.iter()}
    for key, text in tips.items():
        element = by_id.get(f"{prefix}-{key}")
        if element is None:
            continue
        element.set("class", "mark")
        element.set("tabindex", "0")
        element.set("role", "img")
        element.set("aria-label", text)
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = text
        element.insert(0, title)
