"""The report of a study: a page that opens by double-click, and a summary for the terminal."""

from __future__ import annotations

from pathlib import Path

from ..results import StudyResult
from .page import render_page
from .terminal import render_summary

__all__ = ["render_page", "render_summary", "write_report"]


def write_report(result: StudyResult, path: Path) -> None:
    """Write the page, complete in one file; a folder that is missing is made.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(result), encoding="utf-8", newline="\n")
