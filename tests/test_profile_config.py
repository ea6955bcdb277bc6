"""The profile is read, and the host's logging is not touched."""

from __future__ import annotations

import logging
from pathlib import Path

from IPython.terminal.ipapp import load_default_config

from ipyembed.profile_config import load_config


def test_what_ipython_reads_is_read(ipython_dir: Path) -> None:
    profile = ipython_dir / "profile_default"
    profile.mkdir()
    text = "c.InteractiveShell.xmode = 'Plain'\nc.TerminalInteractiveShell.confirm_exit = False\n"
    (profile / "ipython_config.py").write_text(f"c = get_config()\n{text}")
    config = load_config()
    assert config.InteractiveShell.xmode == "Plain"
    assert config == load_default_config()


def test_handlers_of_the_host_stay_open(ipython_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "host.log"
    handler = logging.FileHandler(file, "w")
    logger = logging.getLogger("host of test_profile_config")
    logger.addHandler(handler)
    try:
        logger.warning("before")
        load_config()
        logger.warning("after")
        assert file.read_text().split() == ["before", "after"]
    finally:
        logger.removeHandler(handler)
        handler.close()


def test_error_in_the_profile_is_told(ipython_dir: Path) -> None:
    profile = ipython_dir / "profile_default"
    profile.mkdir()
    (profile / "ipython_config.py").write_text("1 / 0\n")
    records: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = records.append  # type: ignore[assignment,method-assign]
    logging.getLogger("ipyembed").addHandler(listener)
    try:
        load_config()
    finally:
        logging.getLogger("ipyembed").removeHandler(listener)
    assert any("ipython_config.py" in record.getMessage() for record in records)
