"""Names in docstrings: `TSNE`, `unknot.TSNE` and `unknot.projection.TSNE` link to one page.

A public name has one page, under the shortest name by which it can be reached. The default role
links what is such a name and sets everything else as code, as `out` for a parameter.
"""

from __future__ import annotations

import importlib
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

import unknot

ROOMS = (
    "datasets",
    "networks",
    "training",
    "representations",
    "neighbors",
    "projection",
    "metrics",
    "figures",
    "studies",
    "report",
    "lab",
)


def public_names() -> dict[str, str]:
    """Return every dotted name of a public object, and the name under which it has its page."""
    names: dict[str, str] = {}
    top = {name for name in unknot._PUBLIC if name not in ROOMS}
    for name in top:
        names[name] = names[f"unknot.{name}"] = f"unknot.{name}"
    for room in ROOMS:
        for name in importlib.import_module(f"unknot.{room}").__all__:
            page = f"unknot.{name}" if name in top else f"unknot.{room}.{name}"
            names[f"unknot.{room}.{name}"] = names[f"{room}.{name}"] = page
            names.setdefault(name, page)
    return names


class NameRole(SphinxRole):
    """The default role: a link if the text is a public name, code otherwise."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the node."""
        literal = nodes.literal(self.rawtext, self.text, classes=["xref", "py", "py-obj"])
        node = addnodes.pending_xref(
            self.rawtext,
            literal,
            refdomain="py",
            reftype="obj",
            reftarget=self.text.removesuffix("()"),
            refdoc=self.env.docname,
            unknot_optional=True,
            **{
                "py:module": self.env.ref_context.get("py:module"),
                "py:class": self.env.ref_context.get("py:class"),
            },
        )
        self.set_source_info(node)
        return [node], []


def _resolve(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> nodes.Node | None:
    if node.get("refdomain") != "py":
        return None
    names, target = env.unknot_names, node["reftarget"]
    owner, _, member = target, "", ""
    page = names.get(target)
    if page is None:
        owner, _, member = target.rpartition(".")
        page = names.get(owner)
    if page is not None:
        full = f"{page}.{member}" if member else page
        found = env.get_domain("py").find_obj(env, None, None, full, "obj", 0)
        # An attribute has no entry of its own; its class describes it.
        if not found and member and node.get("unknot_optional"):
            found = env.get_domain("py").find_obj(env, None, None, page, "obj", 0)
        if found:
            entry = found[0][1]
            uri = app.builder.get_relative_uri(node["refdoc"], entry.docname)
            return nodes.reference("", "", contnode, refuri=f"{uri}#{entry.node_id}", internal=True)
    return contnode if node.get("unknot_optional") else None


def _read_names(app: Sphinx) -> None:
    app.env.unknot_names = public_names()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_role("name", NameRole())
    app.connect("builder-inited", _read_names)
    app.connect("missing-reference", _resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
