"""The documents say what the package does."""

from __future__ import annotations

import ast
import builtins
import json
import re
from pathlib import Path
from typing import Any

import pytest

import ipyembed
from docs import cost_table, make_performance
from docs.make_policies import PAGE, ROOT, page, policies
from ipyembed import LoopJuggler

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def name_of(path: Path) -> str:
    return path.name


def test_policies_are_described_as_they_are() -> None:
    message = "docs/policies.md is stale; run: python docs/make_policies.py"
    assert PAGE.read_text(encoding="utf-8") == page(), message


def test_the_performance_page_says_what_was_measured() -> None:
    results = json.loads(make_performance.RECORDED.read_text(encoding="utf-8"))
    folder = make_performance.RECORDED.parent
    said = make_performance.page(results, "images/performance")
    message = "docs/performance.md is stale; run: python docs/make_performance.py"
    assert (folder / "performance.md").read_text(encoding="utf-8") == said, message
    principles = make_performance.PRINCIPLES.read_text(encoding="utf-8")
    assert principles == cost_table.put_into(principles, results), message
    plots = set(re.findall(r"\((images/performance/[^)]+)\)", said))
    assert plots == {
        path.relative_to(folder).as_posix() for path in folder.glob("images/performance/*")
    }


def test_readme_lists_each_policy_with_its_values() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (`[^|]+) \|", DOCUMENTS[0].read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [
        (name, ", ".join(f"`{value}`" for value in values(trait))) for name, trait in policies()
    ]


def values(trait: Any) -> list[str]:
    """The default first."""
    named = re.findall(r"^\s*'(\w+)':", trait.help, re.MULTILINE)
    others = [value for value in getattr(trait, "values", named) if value != trait.default_value]
    return [str(trait.default_value), *others]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_policies_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(r"LoopJuggler\.([a-z]\w+)", path.read_text(encoding="utf-8")))
    assert named <= set(LoopJuggler.class_trait_names(config=True))


#: Nobody meets these: they are what Python itself says, or never leave the package.
NOT_FOR_USERS = {
    " has no attribute ",
    "Background processes not supported.",  # IPython's, word for word
    "EOF when reading a line",
    "driven by a task only",
    "this system has no timerfd",
    "timerfd_create failed",
    "timerfd_settime failed",
    "write() argument must be str, not ",
}
#: What is called with a message: an exception, or one of these.
TELLS = ("print", "warn", "add_note", "_error", "_fail", "_say", "exit_with", "say", "say_once")


def test_each_message_is_explained() -> None:
    """By the longest fixed piece of its text."""
    explained = squeeze((ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"))
    found = messages()
    assert found >= NOT_FOR_USERS
    assert {text for text in found - NOT_FOR_USERS if squeeze(text) not in explained} == set()


def messages() -> set[str]:
    """What the package raises, warns of or prints, as far as it is written out there."""
    found: set[str] = set()
    for path in sorted((ROOT / "ipyembed").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and tells(ast.unparse(node.func).rpartition(".")[2]):
                found.update(longest_piece(argument) for argument in node.args[:2])
    return {text for text in found if len(text) > 16 and " " in text.strip()}


def tells(function: str) -> bool:
    """Whether a function of that name is one that tells the user something."""
    named = getattr(builtins, function, None)
    if isinstance(named, type) and issubclass(named, Exception):
        return True
    return function in TELLS or function.endswith(("Error", "Detach", "Embedded"))


def longest_piece(node: ast.expr) -> str:
    """The longest constant part of a string or an f-string."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    texts = [
        part.value
        for part in parts
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    # Of a message that goes on with advice, the document quotes the beginning.
    return max((text.split(";")[0] for text in texts), key=len, default="")


def squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("`", "'")).strip()


def test_the_api_page_has_every_public_name() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\.\. auto\w+:: ipyembed\.(\w+)$", text, re.MULTILINE))
    assert described == set(ipyembed.__all__) - {"__version__"}


def test_each_page_is_in_the_table_of_contents() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = text.split("{toctree}")[1].split("```")[0].split()
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= set(listed)


def test_the_package_says_what_each_module_is_for() -> None:
    package = ROOT / "ipyembed"
    modules = {path.stem for path in package.glob("[a-z]*.py")} | {"engine", "gui"}
    assert set(re.findall(r"^``(\w+)``", ipyembed.__doc__ or "", re.MULTILINE)) == modules
