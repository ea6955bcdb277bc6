"""`import ipyembed` costs next to nothing: its names resolve lazily."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ipyembed

HEAVY = {"IPython", "prompt_toolkit", "asyncio", "traitlets", "pygments", "jedi", "sqlite3"}


def printed_by(script: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize(
    "use",
    ["", "ipyembed.__version__", "dir(ipyembed)", "from ipyembed import __version__, __all__"],
)
def test_importing_it_imports_nothing_heavy(use: str) -> None:
    script = (
        f"import sys, ipyembed\n{use}\nprint(*sorted({{n.split('.')[0] for n in sys.modules}}))"
    )
    assert HEAVY.isdisjoint(printed_by(script).split())


def test_importing_it_imports_no_other_module_at_all() -> None:
    """Not even `typing`, which takes longer than the 3 ms that an import may cost."""
    script = "import sys; m = {*sys.modules}; import ipyembed; print(*sorted({*sys.modules} - m))"
    assert set(printed_by(script).split()) <= {"__future__", "ipyembed", "ipyembed._version"}


def test_importing_it_starts_no_thread_and_opens_nothing() -> None:
    script = """if True:
        import os, signal, sys, threading, _thread
        def state():
            return (_thread._count(), len(os.listdir('/dev/fd')), sys.excepthook,
                    sys.displayhook, [signal.getsignal(n) for n in signal.valid_signals()])
        state()
        before = state()
        import ipyembed
        print(state() == before)
    """
    assert printed_by(script) == "True"


@pytest.mark.parametrize(
    ("before", "printed"), [("", "[] True True"), ("gc.disable()", "[] False False")]
)
def test_no_garbage_is_collected_during_the_import(before: str, printed: str) -> None:
    script = f"""if True:
        import gc, ipyembed, ipyembed.importing
        collections = []
        def note(phase, info):
            collections.append(phase)
        {before}
        gc.callbacks.append(note)
        ipyembed.embed
        gc.callbacks.remove(note)
        young = sum(len(gc.get_objects(generation=n)) for n in (0, 1))
        print(collections, gc.isenabled(), young < 2000 < len(gc.get_objects(generation=2)))
    """
    assert printed_by(script) == printed


def test_what_the_host_has_frozen_stays_frozen() -> None:
    script = """if True:
        import gc, ipyembed
        gc.freeze()
        before = gc.get_freeze_count()
        ipyembed.embed
        print(before > 4000, gc.get_freeze_count() > before - 100, gc.isenabled())
    """
    assert printed_by(script) == "True True True"


def test_an_import_that_fails_leaves_the_collector_on() -> None:
    script = """if True:
        import gc, sys
        import ipyembed
        sys.modules["IPython"] = None
        try:
            ipyembed.embed
        except ImportError as error:
            print(error.name, gc.isenabled())
    """
    assert printed_by(script) == "IPython.core True"


@pytest.mark.parametrize("name", ipyembed.__all__)
def test_every_public_name_resolves_alone(name: str) -> None:
    """In a fresh interpreter: none needs another one to have been resolved first."""
    script = f"""if True:
        import ipyembed
        value = ipyembed.{name}
        from ipyembed import {name}
        assert value is {name} is vars(ipyembed)['{name}']
        print(getattr(value, '__name__', value))
    """
    assert printed_by(script) in (name, ipyembed.__version__)


def test_star_import_and_dir() -> None:
    script = "import ipyembed; from ipyembed import *; print(set(ipyembed.__all__) <= set(dir()))"
    assert printed_by(script) == "True"
    assert set(ipyembed.__all__) <= set(dir(ipyembed))
    assert len(set(ipyembed.__all__)) == len(ipyembed.__all__)


def test_the_engine_may_be_missing_until_it_is_called() -> None:
    script = """if True:
        import sys
        sys.modules["zmq"] = sys.modules["jupyter_client"] = None
        import ipyembed
        from ipyembed import *
        try:
            ipyembed.serve("name")
        except ImportError as error:
            print(error)
    """
    assert printed_by(script).startswith("ipyembed.serve() needs the libraries of the extra")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ipyembed' has no attribute 'embedd'"):
        ipyembed.embedd  # noqa: B018
    assert not hasattr(ipyembed, "_nothing")
    with pytest.raises(ImportError, match="embedd"):
        from ipyembed import embedd  # noqa: F401


def test_submodules_are_reachable_as_usual() -> None:
    script = "import ipyembed.juggler; print(ipyembed.juggler.LoopJuggler is ipyembed.LoopJuggler)"
    assert printed_by(script) == "True"
