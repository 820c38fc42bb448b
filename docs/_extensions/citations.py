"""Citations: each key in brackets, such as [LeCun1998], is a link to its entry in the references.

The keys are those of ``references.md``, where each entry begins with ``**[Key]**``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

PAGE = "references"
_ENTRY = re.compile(r"\*\*\[([\w.]+)\]\*\*")
_CITATION = re.compile(r"\[([A-Za-z]+[\d.]+[a-z]?)\]")
# In these, text in brackets is no citation.
_LITERAL = (nodes.literal, nodes.literal_block, nodes.reference, nodes.math, nodes.math_block)
_logger = logging.getLogger(__name__)


def known_keys(references: Path) -> set[str]:
    """Return the keys of all entries."""
    return set(_ENTRY.findall(references.read_text(encoding="utf-8")))


def anchor(key: str) -> str:
    """Return the id of an entry on the page of the references."""
    return "reference-" + nodes.make_id(key)


def _mark_entries(app: Sphinx, doctree: nodes.document) -> None:
    """Give every entry of the references its id."""
    if app.env.docname != PAGE:
        return
    for strong in doctree.findall(nodes.strong):
        key = strong.astext().strip("[]")
        if key in app.env.unknot_keys:
            strong["ids"].append(anchor(key))


def _link(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if docname == PAGE:
        return
    for text in list(doctree.findall(nodes.Text)):
        parent: Any = text.parent
        if "[" not in text or any(isinstance(node, _LITERAL) for node in _ancestors(text)):
            continue
        parts: list[nodes.Node] = []
        end = 0
        for match in _CITATION.finditer(text):
            key = match[1]
            if key not in app.env.unknot_keys:
                if re.search(r"\d{4}", key):
                    _logger.warning("no entry %r in references.md", key, location=docname)
                continue
            uri = f"{app.builder.get_relative_uri(docname, PAGE)}#{anchor(key)}"
            parts += [nodes.Text(text[end : match.start()])]
            parts += [nodes.reference("", f"[{key}]", refuri=uri, internal=True)]
            end = match.end()
        if parts:
            parent.replace(text, [*parts, nodes.Text(text[end:])])


def _ancestors(node: nodes.Node) -> list[nodes.Node]:
    found = []
    while (node := node.parent) is not None:
        found.append(node)
    return found


def _resolve(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> nodes.Node | None:
    """Resolve [Key]_, as docstrings write it."""
    key = node["reftarget"]
    if node.get("refdomain") != "citation" or key not in env.unknot_keys:
        return None
    uri = f"{app.builder.get_relative_uri(node['refdoc'], PAGE)}#{anchor(key)}"
    return nodes.reference("", f"[{key}]", refuri=uri, internal=True)


def _read_keys(app: Sphinx) -> None:
    app.env.unknot_keys = known_keys(Path(app.srcdir) / f"{PAGE}.md")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", _read_keys)
    app.connect("doctree-read", _mark_entries)
    app.connect("doctree-resolved", _link)
    app.connect("missing-reference", _resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
