"""The caller's names in an embedded shell: visible, live, both ways.

Goal: a name typed at the prompt means what it means at the place where the shell was opened, now,
while the host goes on; and what a cell assigns is the caller's at once. That holds for a module's
globals, for a function's variables (also those that closures share), and for a given dictionary.

Cells are executed with two namespaces, as in a class body: locals that read and write the caller's
names directly, and globals that look into those first, so that lambdas and comprehensions typed at
the prompt see the caller's locals too. IPython's own names (``In``, ``_``, ``exit`` …) stay in the
shell.

What does not work: IPython's own `mainloop`, which copies the names at the start and writes the
copies back at the end. With a host that goes on, both sides work with old values, and at the end
what the host has assigned meanwhile is overwritten.

How Python looks names up (3.11 to 3.13): code at the top of a cell asks the locals by
``__getitem__`` if they are a subclass of `dict`, then reads the globals' storage past any method;
a function asks the globals by ``__getitem__``, and stores into them past any method.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from IPython.core.compilerop import PyCF_MASK

from ipyembed.frame_variables import FrameVariables

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

_ABSENT: Any = object()


@dataclass
class Caller:
    """Where the names come from. What is None is left as the shell has it."""

    local_ns: MutableMapping[str, Any] | None = None
    module: Any = None
    compile_flags: int | None = None

    def completed_from(self, frame: FrameType) -> Caller:
        """The same with what is None taken from `frame`."""
        local_ns, module, flags = self.local_ns, self.module, self.compile_flags
        if local_ns is None:
            local_ns = frame.f_locals if _is_dict(frame) else FrameVariables(frame)
        if module is None:
            module = _module_of(frame)
        if flags is None:
            flags = frame.f_code.co_flags & PyCF_MASK
        return Caller(local_ns, module, flags)


@contextmanager
def names_of(caller: Caller, shell: TerminalInteractiveShell) -> Iterator[None]:
    """While the shell is open, its cells work with the names of `caller`."""
    kept = shell.user_module, shell.user_ns, shell.compile.flags
    leave: Callable[[], None] = _nothing
    try:
        if caller.module is not None:
            shell.user_module = caller.module
        if caller.local_ns is not None:
            leave = _use(shell, caller.local_ns)
        if caller.compile_flags is not None:
            shell.compile.flags = caller.compile_flags
        shell.set_completer_frame()
        yield
    finally:
        leave()
        shell.user_module, shell.user_ns, shell.compile.flags = kept


def _nothing() -> None:
    pass


def _use(shell: TerminalInteractiveShell, names: MutableMapping[str, Any]) -> Callable[[], None]:
    """Make `names` the locals of cells; returns what undoes it."""
    module_ns = shell.user_global_ns
    cell_locals = _CellLocals(names, shell.user_ns_hidden)
    shell.user_ns = cell_locals
    shell.init_user_ns()
    cell_globals: _CellGlobals | None = None
    if names is not module_ns:
        cell_globals = _CellGlobals(module_ns, cell_locals)
        cell_locals.others = cell_globals.of_module
        shell.user_module = CellModule(cell_globals)

    def refresh() -> None:
        cell_locals.refresh()
        if cell_globals is not None:
            cell_globals.write_through()

    for event in ("pre_execute", "post_execute"):
        shell.events.register(event, refresh)

    def leave() -> None:
        refresh()
        for event in ("pre_execute", "post_execute"):
            shell.events.unregister(event, refresh)

    return leave


_IPYTHONS = re.compile(r"_{1,3}|_\d+|_i{1,3}|_i\d+|_[iod]h|In|Out")
"""The names that IPython assigns by itself as cells are run."""


class _CellLocals(dict[str, Any]):
    """Locals of cells that are the caller's names, but for those that are IPython's.

    The storage holds IPython's names, and a copy of the caller's for whoever lists names
    (completion, ``%who``).
    """

    def __init__(self, names: MutableMapping[str, Any], hidden: dict[str, Any]) -> None:
        super().__init__()
        self._names = names
        self._hidden = hidden
        self._copied: set[str] = set()
        self._deleted: set[str] = set()
        self._taken = {name for name in names if _IPYTHONS.fullmatch(name)}  # as by gettext
        self.others: Callable[[str], Any] | None = None
        """Where other names are looked up; raises KeyError. None: nowhere."""
        self.refresh()

    def _is_ipythons(self, name: str) -> bool:
        if name in self._hidden:
            return True
        return name not in self._taken and _IPYTHONS.fullmatch(name) is not None

    def refresh(self) -> None:
        """Copy the caller's names anew."""
        now = {
            name: value
            for name, value in dict(self._names).items()
            if name not in self._deleted and not self._is_ipythons(name)
        }
        for name in self._copied - now.keys():
            super().pop(name, None)
        super().update(now)
        self._copied = set(now)

    def of_caller(self, name: str) -> Any:
        """The caller's value. Raises KeyError."""
        if name in self._deleted:
            raise KeyError(name)
        return self._names[name]

    def __getitem__(self, name: str) -> Any:
        if self._is_ipythons(name) and name in self:
            return super().__getitem__(name)
        try:
            return self.of_caller(name)
        except KeyError:
            if self.others is None:
                raise
            return self.others(name)

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        if not self._is_ipythons(name):
            self._deleted.discard(name)
            self._copied.add(name)
            self._names[name] = value

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        if not self._is_ipythons(name):
            try:
                del self._names[name]
            except (KeyError, NotImplementedError):  # a function's variable stays the function's
                self._deleted.add(name)

    def update(self, *args: Any, **kwargs: Any) -> None:
        for name, value in dict(*args, **kwargs).items():
            self[name] = value


class _CellGlobals(dict[str, Any]):
    """The module's globals, with the caller's locals in front.

    ``global x`` in a cell's function stores into the dictionary itself, past any method of ours,
    so it holds a copy of the globals, and what differs from that copy is the cell's doing.
    """

    def __init__(self, module_ns: dict[str, Any], cell_locals: _CellLocals) -> None:
        super().__init__(module_ns)
        self._module_ns = module_ns
        self._cell_locals = cell_locals
        self._copied = dict(module_ns)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._cell_locals.of_caller(name)
        except KeyError:
            return self.of_module(name)

    def of_module(self, name: str) -> Any:
        """The value that a cell has stored, else the module's, live. Raises KeyError."""
        if not self._is_changed(name) and name in self._module_ns:
            return self._module_ns[name]
        return super().__getitem__(name)

    def _is_changed(self, name: str) -> bool:
        return self.get(name, _ABSENT) is not self._copied.get(name, _ABSENT)

    def write_through(self) -> None:
        """Set in the module what cells have stored, and delete what they have deleted."""
        for name in {*self, *self._copied}:
            if not self._is_changed(name):
                continue
            if name in self:
                self._module_ns[name] = self.get(name)
            else:
                self._module_ns.pop(name, None)
        self.clear()
        super().update(self._module_ns)
        self._copied = dict(self._module_ns)


class CellModule:
    """A module in all but type: its `__dict__` is the very dictionary that it is given."""

    def __init__(self, ns: dict[str, Any]) -> None:
        self.__dict__ = ns


def _is_dict(frame: FrameType) -> bool:
    """Whether the frame's locals are a dictionary of their own (a module's, a class body's)."""
    return not frame.f_code.co_flags & 0x1  # inspect.CO_OPTIMIZED


def _module_of(frame: FrameType) -> Any:
    name = frame.f_globals.get("__name__", "unknown module")
    module = sys.modules.get(name)
    if module is None:
        warnings.warn(
            f"Failed to get module {name}; the globals of its code are used alone", stacklevel=5
        )
    if module is None or module.__dict__ is not frame.f_globals:
        return CellModule(frame.f_globals)
    return module
