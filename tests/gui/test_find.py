"""Names of toolkits, and which hook they stand for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from IPython.terminal import pt_inputhooks

from ipyembed.gui import detect, hooks
from tests.gui.required import require


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("qt", "qt"),
        ("qt5", "qt"),
        ("qt6", "qt"),
        ("tk", "tk"),
        ("wx", "wx"),
        ("gtk", "gtk3"),
        ("gtk3", "gtk3"),
        ("gtk4", "gtk4"),
        ("pyglet", "pyglet"),
    ],
)
def test_ours(name: str, module: str) -> None:
    toolkit = hooks.find(name)
    assert toolkit.name == name
    assert toolkit.is_ours
    assert toolkit.hook.__module__ == f"ipyembed.gui.hooks.{module}"
    toolkit.release()


@pytest.mark.parametrize("name", ["tk", "asyncio", "mine"])
def test_one_that_is_registered_wins(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def hook(context: object) -> None:
        pass

    monkeypatch.setitem(pt_inputhooks.registered, name, hook)
    toolkit = hooks.find(name)
    assert (toolkit.name, toolkit.hook, toolkit.is_ours) == (name, hook, False)
    toolkit.prepare()
    toolkit.release()


def test_ipython_s_own_for_the_rest() -> None:
    toolkit = hooks.find("asyncio")
    assert toolkit.hook.__module__ == "IPython.terminal.pt_inputhooks.asyncio"


def test_unknown() -> None:
    with pytest.raises(pt_inputhooks.UnknownBackend, match="Supported event loops are"):
        hooks.find("nothing")


def test_every_name_of_ipython_s_is_known() -> None:
    for name in pt_inputhooks.backends:
        try:
            assert callable(hooks.find(name).hook)
        except (ImportError, OSError, AttributeError):
            # IPython's own ones import their toolkit, which is not there.
            assert name in ("gtk2", "glut", "osx")


def test_no_toolkit_is_imported() -> None:
    names = "'qt', 'tk', 'wx', 'gtk3', 'gtk4', 'pyglet'"
    code = f"""
import sys
from ipyembed.gui import detect, hooks
for name in ({names}):
    hooks.find(name)
    assert not detect.main_loop_is_running(name)
assert detect.alive() is None
toolkits = {{"PySide6", "PyQt6", "PyQt5", "tkinter", "wx", "gi", "pyglet"}}
print(toolkits & {{name.partition(".")[0] for name in sys.modules}})
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"


@pytest.mark.parametrize("name", ["unknown", "off", ""])
def test_no_main_loop_of_an_unknown_toolkit(name: str) -> None:
    assert not detect.main_loop_is_running(name)


@pytest.mark.parametrize("binding", ["PySide6", "PyQt6", "PyQt5"])
def test_asking_for_qt_makes_an_application(display: str, binding: str) -> None:
    require(binding)
    code = f"""
import importlib
from ipyembed.gui import detect, hooks
core = importlib.import_module("{binding}.QtCore")
toolkit = hooks.find("qt{binding[-1]}")
assert detect.alive() is None
toolkit.prepare()
app = core.QCoreApplication.instance()
toolkit.prepare()
assert core.QCoreApplication.instance() is app
print(detect.alive().how)
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"DISPLAY": display, "PATH": "/usr/bin:/bin", "QT_LOGGING_RULES": "*=false"},
    )
    assert result.stdout == f"QApplication instance of {binding}\n", result.stderr
