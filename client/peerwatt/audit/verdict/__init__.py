"""A report for people: in the terminal, and as a page."""

from __future__ import annotations

from peerwatt.audit.verdict.page import render_page
from peerwatt.audit.verdict.terminal import render_verdict

__all__ = ["render_page", "render_verdict"]
