"""Write docs/policies.md from the traits of `LoopJuggler`, whose help is the one place where the
policies are explained.

Run it after a change there: python docs/make_policies.py    (a test fails while the page is stale)
"""

from __future__ import annotations

import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from ipyembed import LoopJuggler  # noqa: E402  # found by the line above
from ipyembed.policies import Policies  # noqa: E402

PAGE = ROOT / "docs" / "policies.md"

INTRODUCTION = """\
<!-- Made by docs/make_policies.py from the help of LoopJuggler's traits: change it there. -->

# Policies

A policy is a setting of the class `LoopJuggler`. There are four ways to set one:

| where | how |
|---|---|
| for one call | `ipyembed.embed(sync_cells="inside")`, likewise `embed_async` |
| for all shells of a profile | `c.LoopJuggler.sync_cells = "inside"` in `ipython_config.py` |
| on the command line | `ipyembed --LoopJuggler.sync_cells=inside` |
| in a running shell | `%config LoopJuggler.sync_cells = "inside"` |

`embed(config=...)` takes a `traitlets.config.Config` in place of your profile. A value that does
not exist is refused with an error that names the allowed ones. `%config LoopJuggler` lists all
policies of the running shell with their values; a change there takes effect at the next prompt.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(section(name, trait) for name, trait in policies())])


def policies() -> list[tuple[str, Any]]:
    """Names and traits, in the order in which the class defines them."""
    traits = LoopJuggler.class_traits(config=True)
    return [(name, traits[name]) for name in vars(Policies) if name in traits]


def section(name: str, trait: Any) -> str:
    """What one trait's help says: a sentence or two, then a value a line, which may go on below."""
    text: list[str] = []
    for line in cleandoc(trait.help).splitlines():
        if line.startswith("'"):
            value, _, meaning = line.partition(":")
            default = " (default)" if value == repr(trait.default_value) else ""
            text.append(f"{'' if _in_list(text) else chr(10)}- `{value}`{default}:{meaning}")
        else:
            text.append(f"  {line}" if _in_list(text) else line)
    if not _in_list(text):
        text.append(f"\nDefault: `{trait.default_value!r}`")
    return "\n".join([f"## `{name}`", "", *text, ""])


def _in_list(text: list[str]) -> bool:
    return any(line.lstrip().startswith("- ") for line in text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))
