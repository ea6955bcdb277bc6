"""A profile: lines of an `ipython_config.py`, with our shell, its policies, and IPython's settings.
Copy what you like into yours; `ipyembed install-profile` writes the first line for you.
Run: ipython --config=examples/profile_config.py
"""

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # IPython provides it

# The prompt runs in a thread: what ipyembed is for.
c.TerminalIPythonApp.interactive_shell_class = "ipyembed.ThreadedInteractiveShell"

# Its policies. docs/policies.md has them all.
c.LoopJuggler.sync_cells = "inside"  # asyncio.create_task() without an await
c.LoopJuggler.stuck_after = 3.0  # seconds

# IPython's own settings work as ever.
c.TerminalIPythonApp.display_banner = False
c.TerminalInteractiveShell.confirm_exit = False
c.InteractiveShellApp.exec_lines = ["import asyncio"]
