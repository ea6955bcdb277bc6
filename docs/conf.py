"""Sphinx's settings for these documents: `make docs`."""

from __future__ import annotations

from ipyembed import __version__

project = "ipyembed"
author = "the ipyembed authors"
project_copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"ipyembed {__version__}"

# Links to headings are written as they work where a forge shows the files.
myst_heading_anchors = 3

# Docstrings: `name` is code, as in Markdown.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# What the classes take over from IPython and traitlets is described there.
autodoc_inherit_docstrings = False
# The REPL's output in the call table is checked by tests, and not all of it parses as Python.
highlight_language = "none"
