"""`python -m c3d_export`, the same as `c3d-export`."""

from __future__ import annotations

from .cli.main import main

if __name__ == "__main__":
    main(prog_name="c3d-export")
