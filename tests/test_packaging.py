"""What an installed ipyembed says about itself; tools/package.py runs this on the wheel, too."""

from __future__ import annotations

import os
import re
from importlib.metadata import PackageNotFoundError, entry_points, metadata, version
from importlib.resources import files
from pathlib import Path

import pytest

import ipyembed
from ipyembed import __main__ as command_line
from tools import package, pythons

try:
    META = metadata("ipyembed")
except PackageNotFoundError:
    if os.environ.get("CI"):
        raise
    pytest.skip("ipyembed is on the path, but not installed", allow_module_level=True)


def test_the_version_comes_from_one_place() -> None:
    assert version("ipyembed") == ipyembed.__version__


def test_type_checkers_find_the_annotations() -> None:
    assert files("ipyembed").joinpath("py.typed").is_file()
    assert "Typing :: Typed" in META.get_all("Classifier", [])


def test_entry_points() -> None:
    (command,) = entry_points(group="console_scripts", name="ipyembed")
    assert command.load() is command_line.main
    (plugin,) = entry_points(group="pytest11", name="ipyembed")
    assert plugin.value == "ipyembed.pytest_plugin"


def test_the_core_needs_three_libraries_each_with_a_lowest_version() -> None:
    needed = [text for text in META.get_all("Requires-Dist", []) if "extra ==" not in text]
    names = {re.split(r"[>=]", text)[0].replace("-", "_"): text for text in needed}
    assert names.keys() == {"ipython", "prompt_toolkit", "traitlets"}
    # tools/package.py makes `==` of it.
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+", text) for text in needed), needed


def test_the_pythons_that_it_names_are_those_that_are_tested() -> None:
    classifiers = "\n".join(META.get_all("Classifier", []))
    named = re.findall(r"Python :: (3\.\d+)$", classifiers, re.MULTILINE)
    assert named == [f"{major}.{minor}" for major, minor in pythons.SUPPORTED]
    assert META["Requires-Python"] == f">={named[0]}"


def test_it_names_no_address_that_is_not_there() -> None:
    assert META.get_all("Project-URL") is None
    assert META.get_all("Home-page") is None
    assert META["License-Expression"] == "MIT"


@pytest.mark.parametrize("test", [*package.SMOKE, *package.SMOKE_OF_EXTRAS])
def test_what_is_run_on_the_installed_package_is_there(test: str) -> None:
    """Else it would be noticed late, in a run of many minutes."""
    path, _, name = test.partition("::")
    text = (Path(package.__file__).parents[1] / path).read_text(encoding="utf-8")
    assert not name or f"def {name.partition('[')[0]}(" in text


def test_the_lowest_version_of_everything_is_known() -> None:
    floors = list(package.floors(*package.EXTRAS))
    assert "ipython==9" in floors
    assert all(re.match(r"[\w-]+==[\d.]+(;|$)", floor) for floor in floors), floors
