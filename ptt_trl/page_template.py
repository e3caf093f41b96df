"""The templates of pages, and what they have in common: one file each, which loads nothing."""

from __future__ import annotations

from importlib.resources import files

import jinja2
from markupsafe import Markup


def page_template(name: str) -> jinja2.Template:
    """Return a template of a page, in which every text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("post_training_toolkit.ptt_trl"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["inlined"] = _inlined
    return environment.get_template(name)


def _inlined(name: str) -> Markup:
    """Return a style or a script of ours, to stand in a page as it is."""
    resource = files("post_training_toolkit.ptt_trl") / "templates" / name
    return Markup(resource.read_text(encoding="utf-8"))  # noqa: S704 - our own file
