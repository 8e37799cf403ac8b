"""Optional parts of peerwatt: imported when used, and named with their install command when missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

EXTRAS = ("grid", "bridge", "agent", "data", "dev")


class MissingExtra(ImportError):
    """A module is not installed because the extra that brings it was not asked for."""

    def __init__(self, extra: str, module: str) -> None:
        super().__init__(
            f"{module} is not installed; install it with: pip install 'peerwatt[{extra}]'", name=module
        )
        self.extra = extra


def require(extra: str, module: str) -> ModuleType:
    """Import a module that one of the extras brings.

    Args:
        extra: name of the extra, one of `EXTRAS`.
        module: dotted name of the module to import.
    Returns:
        The imported module.
    Raises:
        MissingExtra: the module's package is not installed.
        ValueError: no such extra.
    """
    if extra not in EXTRAS:
        raise ValueError(f"no extra {extra!r}; there are {', '.join(EXTRAS)}")
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        # A missing dependency of an installed module is a broken install, not a missing extra.
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtra(extra, module) from error
