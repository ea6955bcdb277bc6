"""Arguments of `embed()` and `embed_async()` that do not exist: refused, and nothing is touched."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn

BAD = {
    "asyncio_at_prompt='wrong'": ["asyncio_at_prompt", "'run'", "'pause'", "'wrong'"],
    "embed_in_running_loop='wrong'": ["embed_in_running_loop", "'pause'", "'run'", "'error'"],
    "await_in_running_loop=None": ["await_in_running_loop", "'reenter'", "'thread'", "'error'"],
    "sync_cells=True": ["sync_cells", "'outside'", "'inside'"],
    "completion_thread='main'": ["completion_thread", "'eval'", "'prompt'"],
    "output='all'": ["output", "'sys'", "'off'"],
    "stuck_after=0": ["stuck_after", "above 0"],
    "completion_timeout='soon'": ["completion_timeout", "float"],
    "config=Config({'LoopJuggler': {'sync_cells': 'no'}})": ["sync_cells", "'inside'"],
    "xmode='Loud'": ["xmode", "'Plain'"],
    "prompts_class=int": ["prompts_class", "Prompts"],
}

#: Refused with errors of other kinds: the first two by IPython, the others because of the name.
OTHERS = ["colors='mauve'", "using='no.such.runner'", "sync_cell='inside'", "nonsense=1"]


@pytest.mark.parametrize("way", ["embed", "embed_async"])
def test_bad_arguments_name_the_allowed_values_and_leave_the_terminal_alone(
    spawn: Spawn, way: str
) -> None:
    call = "await ipyembed.embed_async" if way == "embed_async" else "ipyembed.embed"
    terminal = spawn(
        f"""
        import asyncio, sys, threading
        import ipyembed
        from traitlets import TraitError
        from traitlets.config import Config
        from IPython import get_ipython

        def state():
            return (sys.excepthook, sys.displayhook, sys.stdout, get_ipython(),
                    threading.active_count(), hasattr(sys, "ps1"), asyncio.all_tasks(loop))

        async def main():
            global loop
            loop = asyncio.get_running_loop()
            for arguments in sys.argv[1:]:
                before = state()
                try:
                    {call}(**eval(f"dict({{arguments}})"))
                except TraitError as error:
                    print("refused:", " ".join(str(error).split()))
                except (AssertionError, ModuleNotFoundError, TypeError) as error:
                    print("also refused:", error)
                print("as before:", state() == before)
            {call}(header="opens")

        asyncio.run(main())
        """,
        *BAD,
        *OTHERS,
        rows=100,
        cols=400,
    )
    before = terminal.tty_modes()
    terminal.prompt(1)
    text = terminal.screen_text()
    refusals = [line for line in text.split("\n") if line.startswith("refused:")]
    for (arguments, named), refusal in zip(BAD.items(), refusals, strict=True):
        for name in named:
            assert name in refusal, (arguments, refusal)
    assert text.count("as before: True") == len(BAD) + len(OTHERS)
    assert "'sync_cell'; did you mean 'sync_cells'?" in text
    assert "'nonsense'; the policies are: asyncio_at_prompt, " in text.replace("\n", "")
    # No question was asked: no bracketed paste, no query for the cursor's position.
    untouched = terminal.transcript.split(b"IPython ")[0]
    assert b"\x1b[?2004h" not in untouched
    assert b"\x1b[6n" not in untouched
    assert terminal.run("await asyncio.sleep(0, 'works')") == "Out[1]: 'works'"
    terminal.leave(modes=before)


def test_a_bad_value_in_the_profile_is_refused_too(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import os, pathlib
        profile = pathlib.Path(os.environ["IPYTHONDIR"], "profile_default")
        profile.mkdir(parents=True)
        (profile / "ipython_config.py").write_text(
            "c = get_config(); c.LoopJuggler.sync_cells = 'wrong'")
        import ipyembed
        ipyembed.embed()
        """
    )
    before = terminal.tty_modes()
    assert terminal.wait_exit() == 1
    last = terminal.screen_text().replace("\n", "")
    assert "TraitError: The 'sync_cells' trait of a LoopJuggler instance expected any of" in last
    assert "In [1]" not in last
    terminal.assert_terminal_restored(before)
