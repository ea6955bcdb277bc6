"""The colours of what is typed, for which the first prompt does not wait.

prompt_toolkit has the lexer go through an empty line, too. At the first prompt that makes Pygments
compile the lexer's regular expressions, which takes a good part of the time to that prompt, and all
for a line that has no colours. So the lexer is not asked about an empty line. It is made ready when
the prompt is on the screen, before a key can be pressed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prompt_toolkit.document import Document
from prompt_toolkit.lexers import Lexer

if TYPE_CHECKING:
    from collections.abc import Hashable

    from prompt_toolkit.application import Application
    from prompt_toolkit.formatted_text import StyleAndTextTuples


class LexerOfText(Lexer):
    """A lexer that is asked only where there is something to colour. For the prompt thread."""

    def __init__(self, lexer: Lexer) -> None:
        self._lexer = lexer

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """See `Lexer`."""
        return self._lexer.lex_document(document) if document.text else _no_colours

    def invalidation_hash(self) -> Hashable:
        """See `Lexer`."""
        return self._lexer.invalidation_hash()

    @contextmanager
    def ready_once_painted(self, app: Application[Any]) -> Iterator[None]:
        """Make the lexer ready as soon as `app`, which is run in the block, is on the screen."""
        is_painted = False

        def painted(_: object) -> None:
            nonlocal is_painted
            if not is_painted:
                is_painted = True
                # Not at once: the others that wait for the painting come first.
                asyncio.get_running_loop().call_soon(self._lexer.lex_document, Document())

        app.after_render += painted
        try:
            yield
        finally:
            app.after_render -= painted


def _no_colours(line: int) -> StyleAndTextTuples:
    return []
