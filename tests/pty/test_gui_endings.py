"""A GUI that ends, fails or opens a modal dialog: the prompt and asyncio survive it."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_windows import LITTLE, cpu_time, on_screen, told, window_text
from tests.pty.terminal import Terminal

EMBED_ASYNC = """
    async def main():
        task = asyncio.create_task(beat())
        make()
        await ipyembed.embed_async({arguments})
        task.cancel()
    asyncio.run(main())
"""
EMBED = "make(); ipyembed.embed()"


def opened(spawn: Spawn, display: str, program: str, rest: str) -> Terminal:
    terminal = spawn(window_text(program, rest), env=on_screen(display, spawn))
    terminal.prompt(1)
    return terminal


def assert_all_is_well(terminal: Terminal) -> None:
    """The prompt takes cells, asyncio goes on while it waits, the process has nothing to do."""
    assert told(terminal, "tell_beats()")
    assert terminal.run("await asyncio.sleep(0.05, 'alive')").endswith("'alive'")
    assert cpu_time(terminal) < LITTLE
    assert told(terminal, "tell_beats()")


@pytest.mark.parametrize("origin", ["cell", "callback"])
@pytest.mark.parametrize("ending", ["leave", "close"])
def test_the_toolkit_ends(
    spawn: Spawn, display: str, program: str, ending: str, origin: str
) -> None:
    """`leave()` is the toolkit's `quit()`, `close()` the end of the window, or of Tk's root."""
    rest = EMBED if origin == "cell" else EMBED_ASYNC.format(arguments="")
    terminal = opened(spawn, display, program, rest)
    if origin == "cell":
        terminal.run("task = asyncio.ensure_future(beat()); await asyncio.sleep(0)")
    assert told(terminal, "tell_ticks(10)")
    if origin == "cell":
        terminal.run(f"{ending}()")
    else:
        terminal.run(f"when('go', lambda: ({ending}(), print('ended')))")
        mark = terminal.mark()
        terminal.send("'half")
        (spawn.path / "go").touch()
        terminal.wait_for_new(r"ended\r?\n", mark)
        terminal.wait_for(r"In \[\d+\]: 'half$")
        terminal.line(" of a line'")
        terminal.wait_for("^Out.*: 'half of a line'$")
    assert_all_is_well(terminal)
    assert "Traceback" not in terminal.screen_text()
    if ending == "leave":  # what was ended is the loop: the toolkit still works
        mark = terminal.mark()
        terminal.run("post(lambda: print('posted', 1 + 1))")
        terminal.wait_for_new(r"posted 2\r?\n", mark)
    terminal.leave()


def test_an_exception_in_a_callback_leaves_the_line_alone(
    spawn: Spawn, display: str, program: str
) -> None:
    terminal = opened(spawn, display, program, EMBED)
    terminal.run("def broken():\n    when('go', broken)\n    return 1 / 0")
    terminal.run("when('go', broken)")
    terminal.send("'ha")
    terminal.wait_for("'ha$")
    mark = terminal.mark()
    (spawn.path / "go").touch()
    # again and again: it is not the end of the toolkit's loop either
    terminal.wait_for_new(r"(?s)(Traceback.*broken.*ZeroDivisionError.*){3}", mark)
    (spawn.path / "go").unlink()
    terminal.wait_for(r"In \[3\]: 'ha$")
    terminal.line("lf'.upper()")
    terminal.wait_for(r"^Out\[3\]: 'HALF'$")
    assert told(terminal, "tell_ticks(10)")
    terminal.leave()


#: `modal()` opens a dialog and returns when it has been closed; `shut()` closes it.
_QT = """
    def modal():
        global dialog
        dialog = {kind}(window)
        (getattr(dialog, "exec", None) or dialog.exec_)()
    def shut(): dialog.reject()
"""
MODAL = {
    "QMessageBox": _QT.format(kind="QtWidgets.QMessageBox"),
    "QDialog": _QT.format(kind="QtWidgets.QDialog"),
    "tk": """
    def modal():
        global dialog
        dialog = tkinter.Toplevel(root)
        dialog.wait_visibility()
        dialog.grab_set()
        root.wait_window(dialog)
    def shut(): dialog.destroy()
    """,
    "wx": """
    def modal():
        global dialog
        dialog = wx.Dialog(window, title="modal")
        dialog.ShowModal()
        dialog.Destroy()
    def shut(): dialog.EndModal(wx.ID_OK)
    """,
    "gtk3": """
    def modal():
        global dialog
        dialog = Gtk.Dialog(title="modal", transient_for=window, modal=True)
        dialog.run()
        dialog.destroy()
    def shut(): dialog.response(Gtk.ResponseType.CLOSE)
    """,
}

#: A toolkit's callback opens a dialog; another one closes it when the test says so.
DIALOG = """
    def rung():
        print("rung")
    def open_dialog():
        when("shut", shut)
        tell_cpu_time()
        print("dialog", "open")
        modal()
        print("dialog", "closed")
        asyncio.get_running_loop().call_soon(print, "scheduled", "afterwards")
    def ring(loop):
        loop.call_soon_threadsafe(rung)
"""

DIALOGS = [
    *((p, kind) for p in ("PySide6", "PyQt6", "PyQt5") for kind in ("QMessageBox", "QDialog")),
    *((kind, kind) for kind in ("tk", "wx", "gtk3")),
]


@pytest.mark.parametrize("strategy", ["select", "thread", "slice"])
@pytest.mark.parametrize(("toolkit", "kind"), DIALOGS)
def test_a_modal_dialog_opened_by_a_callback(
    spawn: Spawn,
    display: str,
    installed: Callable[..., None],
    toolkit: str,
    kind: str,
    strategy: str,
) -> None:
    installed(toolkit)
    embed = EMBED_ASYNC.format(arguments=f"gui_strategy={strategy!r}, stuck_after=0.5")
    terminal = opened(spawn, display, toolkit, dedent(DIALOG) + dedent(MODAL[kind]) + dedent(embed))
    terminal.run("loop = asyncio.get_running_loop()")
    mark = terminal.mark()
    terminal.line("when('go', open_dialog)")
    terminal.prompt(3)
    (spawn.path / "go").touch()
    terminal.wait_for_new(r"dialog open\r?\n", mark)
    # Nothing spins, typing works, and as asyncio stands still, the prompt says where.
    used = terminal.wait_for_new(r"used [\d.]+ s\r?\n", mark)
    assert float(used.split()[1]) < LITTLE
    terminal.wait_for_new(r"stuck for \d\.\d s in (modal|Dialog\.run) \(", mark)
    terminal.prompt(3)
    terminal.send("'typ")
    terminal.wait_for(r"^In \[3\]: 'typ$")
    terminal.send("ed'.upper()")
    terminal.wait_for(r"^In \[3\]: 'typed'.upper\(\)$")
    assert "dialog closed" not in terminal.screen_text()
    (spawn.path / "shut").touch()
    terminal.wait_for_new(r"dialog closed\r?\n", mark)
    terminal.wait_for_new(r"scheduled afterwards\r?\n", mark)
    terminal.wait_for_new(r"the eval thread is free again", mark)
    terminal.line()
    terminal.wait_for(r"^Out\[3\]: 'TYPED'$")
    assert_all_is_well(terminal)
    terminal.leave()


@pytest.mark.parametrize("strategy", ["select", "thread", "slice"])
@pytest.mark.parametrize(("toolkit", "kind"), [d for d in DIALOGS if d[1] != "QDialog"])
def test_no_wake_up_is_lost_in_a_modal_dialog(
    spawn: Spawn,
    display: str,
    installed: Callable[..., None],
    toolkit: str,
    kind: str,
    strategy: str,
) -> None:
    """Nothing else is scheduled, so what comes from another thread is all that can wake asyncio."""
    installed(toolkit)
    embed = f"""
    async def main():
        make()
        await ipyembed.embed_async(gui_strategy={strategy!r}, stuck_after=60)
    asyncio.run(main())
    """
    ring = """
    def open_dialog():
        when("shut", shut)
        loop = asyncio.get_running_loop()
        threading.Timer(0.1, lambda: (ring(loop), open("shut", "w").close())).start()
        modal()
        print("dialog", "closed")
    """
    terminal = opened(
        spawn,
        display,
        toolkit,
        "".join(map(dedent, (DIALOG, MODAL[kind], ring, embed))),
    )
    mark = terminal.mark()
    terminal.line("post(open_dialog)")
    terminal.wait_for_new(r"dialog closed\r?\n", mark)
    terminal.wait_for_new(r"rung\r?\n", mark)
    terminal.prompt(2)
    assert terminal.run("await asyncio.sleep(0.05, 'alive')").endswith("'alive'")
    terminal.leave()
