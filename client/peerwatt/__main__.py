"""`python -m peerwatt` is the `peerwatt` command."""

from __future__ import annotations

from peerwatt.cli import main

if __name__ == "__main__":
    main()
