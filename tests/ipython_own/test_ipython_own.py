"""IPython's own tests of its terminal shell pass with our shells in the place of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import ipyembed
from tests.ipython_own import source

#: All of IPython's tests run in a terminal shell; these are the ones about it.
FILES = [
    "test_async_helpers",
    "test_debug_magic",
    "test_debugger",
    "test_editorhooks",
    "test_embed",
    "test_interactiveshell",
    "test_interactivshell",
    "test_ipapp",
    "test_magic",
    "test_magic_terminal",
    "test_pt_inputhooks",
    "test_ptutils",
    "test_shellapp",
    "test_shortcuts",
]
EXCEPTIONS = {
    "test_interactiveshell.test_enable_gui_tk_simple_prompt_message": (
        "IPython says that it cannot turn toolkits without prompt_toolkit; we can"
    ),
    "test_magic.test_config_print_class": (
        "%config TerminalInteractiveShell shows the settings under the name of the shell's class"
    ),
}
#: May fail: it compares two times, and a machine that is busy meanwhile makes the ratio what it is.
TIMED = {"test_interactiveshell.test_stream_scales_linearly"}
DEADLINE = 600


@pytest.mark.timeout(DEADLINE + 60)
def test_the_terminal_shell(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir("ipython-source")
    try:
        files, path = source.ipython_tests(cache, FILES), source.plugins(cache)
    except source.NotThereError as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))
    copy = tmp_path / "source"  # IPython's tests write beside themselves
    shutil.copytree(files[0].parent.parent, copy, ignore=shutil.ignore_patterns("IPython", "docs"))
    ours = Path(__file__).parent / "startup", Path(ipyembed.__file__).parent.parent, path
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = strict\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junitxml={tmp_path / 'report.xml'}"]
        + ["-c", str(tmp_path / "pytest.ini"), "--rootdir=.", "-p", "swapped_shells"]
        # With our plugin the shells write to the terminal; some tests read what they write.
        + ["-p", "no:ipyembed"]
        + [f"tests/{file.name}" for file in files],
        cwd=copy,
        env={
            **{name: value for name, value in os.environ.items() if "PYTEST" not in name},
            "PYTHONPATH": os.pathsep.join(map(str, ours)),
            "HOME": str(tmp_path),
            "TERM": "xterm",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    cases = ET.parse(tmp_path / "report.xml").getroot().findall(".//testcase")
    passed = [case for case in cases if not len(case)]
    failed = {
        f"{case.get('classname', '').removeprefix('tests.')}.{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    assert len(passed) > 400, done.stdout + done.stderr
    assert failed - TIMED == set(EXCEPTIONS), done.stdout[-20000:]
