"""Configuration of the documentation's site; ``nox -s docs`` builds it."""

import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))
sys.path.insert(0, str(HERE.parent / "src"))

import unknot  # noqa: E402

# Numba warns while it is imported under a profiler, which is of no interest here.
warnings.filterwarnings("ignore", module="numba")

project = "unknot"
author = "The unknot developers"
copyright = author  # noqa: A001
version = release = unknot.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "citations",
    "command_line",
    "public_names",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "README.md"]
nitpicky = True
# Every name in a docstring is checked except these.
nitpick_ignore_regex = [
    # Bases that belong to other packages or have no page of their own.
    ("py:class", r"(sklearn|anywidget|collections|typing|abc|dataclasses)\..*"),
    ("py:class", r"unknot\..*\._.*"),
    # Siblings in other packages; their inventories would have to be downloaded.
    ("py:obj", r"(keras|numpy|scipy|sklearn|torch)\..*"),
]

# Pages are Markdown; the notebook shows its stored outputs.
myst_enable_extensions = ["attrs_block", "colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "off"
suppress_warnings = [
    # Single keys of a lexer that highlights the shell.
    "misc.highlighting_failure",
]

autosummary_generate = True
autosummary_ignore_module_all = False
# Types stand in the tables of parameters; in signatures they would hide the defaults.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
python_use_unqualified_type_names = True
default_role = "name"
smartquotes = False
toc_object_entries = False

html_theme = "pydata_sphinx_theme"
html_title = "unknot"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "unknot"},
    "show_prev_next": False,
    "navigation_with_keys": False,
    "navigation_depth": 3,
    "show_nav_level": 1,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": []}
html_context = {"default_mode": "auto"}
mathjax_path = "https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-mml-chtml.js"


# Files of the repository that are pages as well: where each lies, and its page.
COPIED = {
    "CHANGELOG.md": "explanation/changelog.md",
    "CONTRIBUTING.md": "explanation/contributing.md",
    "SECURITY.md": "explanation/security.md",
    "examples/lab.ipynb": "tutorials/lab-notebook.ipynb",
}


def _link(target: str, page: Path) -> str | None:
    """Return a link of a repository's file as one of a page; None if its target is no page."""
    path, hashtag, anchor = target.partition("#")
    if path in COPIED:
        path = COPIED[path]
    elif path.startswith("docs/"):
        path = path.removeprefix("docs/")
    else:
        return None
    return os.path.relpath(path, page.parent).replace(os.sep, "/") + hashtag + anchor


def _with_links(text: str, folder: str, page: Path) -> str:
    """Point the links of Markdown to pages; links to other files of the repository become text."""

    def replace(match: re.Match[str]) -> str:
        words, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        found = os.path.normpath(f"{folder}/{target}" if folder else target).replace(os.sep, "/")
        link = _link(found, page)
        return words if link is None else f"[{words}]({link})"

    return re.sub(r"(?<!!)\[([^\]\[]+)\]\(([^)\s]+)\)", replace, text)


def _copy_pages() -> None:
    for source, page in COPIED.items():
        text = (HERE.parent / source).read_text(encoding="utf-8")
        if page.endswith(".md"):
            text = _with_links(text, "", Path(page))
        copied = HERE / page
        if not copied.exists() or copied.read_text(encoding="utf-8") != text:
            copied.write_text(text, encoding="utf-8")


def _point_links(app: Any, docname: str, source: list[str]) -> None:
    """Point links that leave this folder, as they do on GitHub, to pages."""
    folder = "docs/" + docname.rpartition("/")[0]
    if "](../" in source[0] and f"{docname}.md" not in COPIED.values():
        source[0] = _with_links(source[0], folder, Path(f"{docname}.md"))


def setup(app: Any) -> None:
    """Copy the pages from elsewhere, and mend links to them."""
    _copy_pages()
    app.connect("source-read", _point_links)
