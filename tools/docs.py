"""`make docs`: the documents as web pages, in build/docs. A warning of Sphinx's is an error."""

from __future__ import annotations

import subprocess
import sys

from tools import pythons, venvs
from tools.pythons import Python

PAGES = venvs.ROOT / "build" / "docs"


def main() -> None:
    build(pythons.find()[-1])
    print(PAGES.relative_to(venvs.ROOT) / "index.html")


def build(python: Python) -> None:
    """Exits if something is wrong with them."""
    interpreter = venvs.prepare(python, ".venv-docs", ".[docs]")
    sphinx = [interpreter, "-m", "sphinx", "--quiet", "--fail-on-warning", "--fresh-env"]
    print("building the documents", flush=True)
    result = subprocess.run(
        [*sphinx, "docs", str(PAGES)], cwd=venvs.ROOT, stdin=subprocess.DEVNULL, check=False
    )
    if result.returncode:
        sys.exit(result.returncode)


if __name__ == "__main__":
    main()
