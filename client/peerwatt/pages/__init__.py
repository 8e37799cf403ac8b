"""Pages that open by double-click: elements, tables, numbers as people read them, and one style for all."""

from __future__ import annotations
