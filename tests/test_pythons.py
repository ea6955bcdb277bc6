"""How the interpreters to test with are found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tools import pythons


def _program(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def _fake_python(path: Path, version: str, why_not: str = "", toolkits: str = "") -> str:
    answer = "|".join([*version.split("."), str(path), why_not, toolkits])
    return _program(path, f"#!/bin/sh\necho '{answer}'\n")


def test_probe_of_this_interpreter() -> None:
    python = pythons.probe(sys.executable)
    assert python is not None
    assert python.version == sys.version_info[:3]


def test_probe_of_a_shim_whose_version_is_not_active(tmp_path: Path) -> None:
    shim = _program(tmp_path / "python3.12", "#!/bin/sh\necho 'not active' >&2\nexit 127\n")
    assert pythons.probe(shim) is None
    assert pythons.probe(str(tmp_path / "missing")) is None


def test_one_usable_interpreter_for_each_minor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fake_python(tmp_path / "a" / "python3.11", "3.11.2", "no ensurepip")
    _fake_python(tmp_path / "a" / "python3.12", "3.12.1")
    _program(tmp_path / "a" / "python3.13", "#!/bin/sh\nexit 127\n")
    _fake_python(tmp_path / "a" / "python3", "3.10.1")
    eleven = tmp_path / "root" / "versions" / "3.11.7" / "bin" / "python"
    _fake_python(eleven, "3.11.7")
    _fake_python(tmp_path / "root" / "versions" / "3.12.9" / "bin" / "python", "3.12.9")
    monkeypatch.setenv("PATH", str(tmp_path / "a"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "root"))
    monkeypatch.delenv("PYTHONS", raising=False)
    assert [python.version for python in pythons.find()] == [(3, 11, 7), (3, 12, 1)]
    assert f"Python 3.11.7 ({eleven})" in capsys.readouterr().out


def test_an_interpreter_that_comes_with_toolkits_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_python(tmp_path / "a" / "python3.11", "3.11.7")
    _fake_python(tmp_path / "b" / "python3.11", "3.11.2", toolkits="/lib/gi:/lib/wx")
    _fake_python(tmp_path / "c" / "python3.11", "3.11.9", "no ensurepip", "/lib/gi:/lib/wx:/lib/x")
    folders = [str(tmp_path / name) for name in "abc"]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.delenv("PYTHONS", raising=False)
    (python,) = pythons.find()
    assert python.version == (3, 11, 2)
    assert python.toolkits == ("/lib/gi", "/lib/wx")


def test_an_unusable_interpreter_is_skipped_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fake_python(tmp_path / "python3.11", "3.11.2", "no ensurepip")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), str(tmp_path / "missing")]))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.delenv("PYTHONS", raising=False)
    with pytest.raises(SystemExit, match="no usable Python"):
        pythons.find()
    assert "3.11.2" in (out := capsys.readouterr().out)
    assert "not used, no ensurepip" in out


def test_named_interpreters_replace_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONS", sys.executable)
    assert [python.version for python in pythons.find()] == [sys.version_info[:3]]
    monkeypatch.setenv("PYTHONS", str(tmp_path / "missing"))
    with pytest.raises(SystemExit, match="does not run"):
        pythons.find()
