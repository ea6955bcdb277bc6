"""IPython profiles for the programs under test."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent


def write_config(ipython_dir: Path, text: str, profile: str = "default") -> Path:
    """Make `text`, which may be indented, the configuration of a profile; its path."""
    path = ipython_dir / f"profile_{profile}" / "ipython_config.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"c = get_config()\n{dedent(text)}", encoding="utf-8")
    return path
