"""`embed()`: the caller's names in cells, and what cells do to them in the caller."""

from __future__ import annotations

import re

import pytest

from tests.pty.conftest import Spawn

#: Cells in which names of the function, of the module and of the shell meet, and what they show.
NESTED_SCOPES = [
    ("local, shared, in_module", "('local', 'shared', 'in module')"),
    ("(lambda: (local, shared, in_module))()", "('local', 'shared', 'in module')"),
    ("[local + in_module[i] for i in range(2) if shared]", "['locali', 'localn']"),
    ("[[(i, local) for i in [j]] for j in 'ab']", "[[('a', 'local')], [('b', 'local')]]"),
    ("{k: local for k in [shared]}, {local for _ in 'a'}", "({'shared': 'local'}, {'local'})"),
    ("next(local for _ in 'a')", "'local'"),
    ("hidden, (lambda: hidden)()", "('of the function', 'of the function')"),
    ("eval('local + in_module')", "'localin module'"),
    ("exec('made = local'); made, (lambda: made)()", "('local', 'local')"),
    ("import math as m; (lambda: m.floor(1.5))()", "1"),
    ("typed: str = local; (lambda: typed)()", "'local'"),
    ("[(last := i) for i in range(3)]; last, (lambda: last)()", "(2, 2)"),
    ("def fact(n): return 1 if n < 2 else n * fact(n - 1)\n\nfact(5)", "120"),
    ("class C:\n    def get(self): return local, in_module\n\nC().get()",
     "('local', 'in module')"),
    ("def f():\n    n = 0\n    def g():\n        nonlocal n; n = 1\n    g(); return n\n\nf()", "1"),
    ("sorted(n for n in locals() if n in ('local', 'shared', 'made'))",
     "['local', 'made', 'shared']"),
    ("sorted({'local', 'shared', 'made'} & set(dir()))", "['local', 'made', 'shared']"),
    ("'local' in vars(), 'in_module' in globals()", "(True, True)"),
    ("__name__, await get_async(local), await get_async((lambda: shared)())",
     "('__main__', 'local', 'shared')"),
    ("get_ipython().ev('local + in_module')", "'localin module'"),
]  # fmt: skip


def test_nested_scopes_see_the_names_of_a_function_and_its_module(spawn: Spawn) -> None:
    terminal = spawn(
        """
        from ipyembed import embed
        in_module, hidden = "in module", "of the module"
        async def get_async(value):
            return value
        def outer():
            shared = "shared"
            def inner(local):
                hidden = "of the function"
                embed(display_banner=False)
                return shared
            return inner("local")
        outer()
        """,
        rows=100,
    )
    for n, (cell, shown) in enumerate(NESTED_SCOPES, 1):
        assert terminal.run(cell) == f"Out[{n}]: {shown}", cell
    assert terminal.run("%time local").endswith(": 'local'")
    assert terminal.run("!echo {local} $shared") == "local shared"
    assert "local" in terminal.run("%who str")
    terminal.run("%config IPCompleter.use_jedi = False")  # its caches take seconds the first time
    terminal.send("print(loc\t")
    terminal.wait_for(r"print\(local(s|$)")


def test_a_functions_variables_are_live_both_ways(spawn: Spawn) -> None:
    terminal = spawn(
        """
        from ipyembed import embed
        def outer(argument):
            shared = "shared"
            def get():
                return shared
            def put(value):
                nonlocal shared
                shared = value
            local, constant = "local", [1]
            kept = constant
            embed(display_banner=False)
            print("in the host:", argument, local, get(), constant is kept, later)
            embed(display_banner=False)
            if not argument:
                later = None
        outer("argument")
        print("module:", sorted(name for name in globals() if not name.startswith("__")))
        """
    )
    terminal.run("local = 'changed'; argument += '!'; new = 'new'")
    # The closures share `shared`: each side sees at once what the other has assigned.
    assert terminal.run("shared = 'typed'; get()") == "Out[2]: 'typed'"
    assert terminal.run("put('put'); shared, (lambda: shared)()") == "Out[3]: ('put', 'put')"
    assert terminal.run("shared") == "Out[4]: 'put'"
    assert "NameError" in terminal.run("later")  # unbound as yet
    assert terminal.run("later = 'bound'; later") == "Out[6]: 'bound'"
    assert "NameError" in terminal.run("del new; new")
    # Nobody can unbind another function's variable; in the shell it is gone all the same.
    assert "NameError" in terminal.run("del constant; constant")
    assert "NameError" in terminal.run("(lambda: constant)()")
    terminal.run("try: 1/0\nexcept ZeroDivisionError as error: new = error")
    assert "NameError" in terminal.run("error")
    terminal.line("exit")
    terminal.wait_for("^in the host: argument! changed put True bound")
    terminal.prompt(1)
    assert terminal.run("local, argument, constant, str(new)") == (
        "Out[1]: ('changed', 'argument!', [1], 'division by zero')"
    )
    terminal.leave(r"^module: \['embed', 'outer'\]")


@pytest.mark.parametrize("inside", ["a module", "a function"])
def test_globals_are_live_both_ways(spawn: Spawn, inside: str) -> None:
    terminal = spawn(
        """
        import sys
        from ipyembed import embed
        name = doomed = "old"
        def get():
            return name
        def put(value):
            global name
            name = value
        def function():
            local = "local"
            embed(display_banner=False)
        if sys.argv[1] == "a function":
            function()
        else:
            local = "local"
            embed(display_banner=False)
            del local
        print(sorted(name for name in globals() if not name.startswith("__")), name)
        """,
        inside,
    )
    assert terminal.run("put('put'); name, (lambda: name)()") == "Out[1]: ('put', 'put')"
    terminal.run("def change():\n    global name, made\n    name, made = 'changed', local")
    assert terminal.run("change(); name") == "Out[3]: 'changed'"
    assert terminal.run("get(), made, (lambda: made)()") == "Out[4]: ('changed', 'local', 'local')"
    assert terminal.run("put('again'); name") == "Out[5]: 'again'"
    terminal.run("def delete():\n    global doomed\n    del doomed")
    assert "NameError" in terminal.run("delete(); doomed")
    assert "NameError" in terminal.run("(lambda: doomed)()")
    terminal.line("exit")
    typed = {"change", "delete"} if inside == "a module" else set()
    names = sorted({"embed", "function", "get", "made", "name", "put", "sys"} | typed)
    terminal.wait_for(f"^{re.escape(str(names))} again")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()


def test_a_module_is_the_shells_own(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import pickle, sys
        import ipyembed
        x = 1
        def get():
            return x
        ipyembed.embed(display_banner=False)
        print("in the host:", y, f())
        class Body:
            inside = 1
            ipyembed.embed(display_banner=False)
        print("in the class:", Body.inside, Body.added)
        """
    )
    assert terminal.run("x += 1; get()") == "Out[1]: 2"
    terminal.run("y = 3\ndef f(): return x + y")
    assert terminal.run("f(), sys.modules['__main__'].y") == "Out[3]: (5, 3)"
    assert terminal.run("class P: pass\n\ntype(pickle.loads(pickle.dumps(P()))) is P") == (
        "Out[4]: True"
    )
    assert terminal.run("globals() is vars(sys.modules['__main__'])") == "Out[5]: True"
    assert "NameError" in terminal.run("del x; get()")
    assert "NameError" in terminal.run("x")
    terminal.run("x = 7")
    terminal.line("exit")
    terminal.wait_for("^in the host: 3 10")
    terminal.prompt(1)
    assert terminal.run("inside, x, [inside for _ in 'a']") == "Out[1]: (1, 7, [1])"
    terminal.run("inside += 1; added = (lambda: inside)()")
    terminal.leave("^in the class: 2 2")


def test_unusual_callers(spawn: Spawn) -> None:
    terminal = spawn(
        """
        from ipyembed import embed
        def outer():
            around = "around"
            [embed(display_banner=False) for item in ["item"] if around]
            (lambda secret: embed(display_banner=False))("secret")
            next(embed(display_banner=False) for item in ["in a generator"])
        outer()
        own_globals = {"__name__": "nowhere", "embed": embed, "name": "global"}
        own_locals = {"local": "local"}
        exec("embed(display_banner=False)", own_globals, own_locals)
        print("after exec:", own_locals, own_globals["name"])
        given = {"kept": 1, "dropped": 2}
        embed(local_ns=given, display_banner=False)
        print("given:", given)
        """
    )
    for cell, shown in (
        ("item, around, (lambda: item + around)()", "('item', 'around', 'itemaround')"),
        ("secret, (lambda: secret)()", "('secret', 'secret')"),
        ("item, (lambda: item)()", "('in a generator', 'in a generator')"),
    ):
        terminal.prompt(1)
        assert terminal.run(cell) == f"Out[1]: {shown}"
        terminal.line("exit")
    terminal.prompt(1)
    assert terminal.run("name, (lambda: local + name)()") == "Out[1]: ('global', 'localglobal')"
    terminal.run("def change():\n    global name\n    name = 'set too'")
    terminal.run("local = made = 'set'; change(); del change")
    terminal.line("exit")
    terminal.wait_for("^after exec: {'local': 'set', 'made': 'set'} set too")
    terminal.prompt(1)
    terminal.run("kept += 1; added = (lambda: kept)(); del dropped")
    terminal.leave("^given: {'kept': 2, 'added': 2}")


def test_names_that_IPython_uses_too(spawn: Spawn) -> None:
    terminal = spawn(
        """
        from ipyembed import embed
        def function():
            _, In, exit = "{}!".format, "my In", "my exit"
            embed(display_banner=False)
            return _("still mine"), In, exit
        _, In, exit = "{}?".format, "In of the module", "exit of the module"
        print(function())
        embed(display_banner=False)
        print(_("still mine"), In, exit)
        """
    )
    assert terminal.run("_('typed')") == "Out[1]: 'typed!'"
    assert terminal.run("_('again'), len(In), Out[1]") == "Out[2]: ('again!', 3, 'typed!')"
    terminal.run("1 + 1")
    terminal.line("exit")
    terminal.wait_for(r"^\('still mine!', 'my In', 'my exit'\)")
    terminal.prompt(1)
    assert terminal.run("_('typed')") == "Out[1]: 'typed?'"
    terminal.run("1 + 1")
    terminal.leave(r"^still mine\? In of the module exit of the module")
