"""`Out[1]:` in colour, without working out all colours anew for each result.

prompt_toolkit's `print_formatted_text` merges its own style, that of Pygments and the caller's for
each text: some hundred rules, a millisecond, for a few characters. A merged style that is kept
notices by itself when one of them changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.terminal.prompts import RichPromptDisplayHook
from prompt_toolkit.application.current import get_app_or_none, get_app_session
from prompt_toolkit.formatted_text import PygmentsTokens
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import default_pygments_style, default_ui_style, merge_styles

from ipyembed.attributes import attribute_replaced

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell


@contextmanager
def out_prompt_kept(shell: TerminalInteractiveShell) -> Iterator[None]:
    """While the block lasts, the display hook of `shell` keeps its style, if it is IPython's."""
    hook: Any = shell.displayhook
    session = shell.pt_app
    kind = getattr(type(hook), "write_output_prompt", None)
    if session is None or kind is not RichPromptDisplayHook.write_output_prompt:
        yield
        return
    theirs = hook.write_output_prompt
    styles = [default_ui_style(), default_pygments_style(), session.app.style]
    style = merge_styles([each for each in styles if each is not None])

    def write_output_prompt() -> None:
        """See `DisplayHook`; it says there what `prompt_end_newline` is."""
        __tracebackhide__ = True  # IPython does not show this frame to whoever presses Ctrl-C now
        if not hook.do_full_cache or get_app_or_none() is not None:  # above another application
            theirs()
            return
        sys.stdout.write(shell.separate_out)
        tokens: list[Any] = shell.prompts.out_prompt_tokens()
        text = "".join(text for _, text in tokens)
        hook.prompt_end_newline = not text or text.endswith("\n")
        print_formatted_text(get_app_session().output, PygmentsTokens(tokens), style)

    with attribute_replaced(hook, "write_output_prompt", write_output_prompt):
        yield
