"""A Qt window, an asyncio task that drives its clock, and a live prompt, all on one thread.
Run: pip install PySide6-Essentials, then: python examples/qt_window.py    (it needs a display)
Type at its prompt what it suggests, move the window meanwhile, and close it: the prompt stays.
"""

import asyncio
import time

from PySide6 import QtCore, QtWidgets

import ipyembed

HEADER = """\
The window's clock is driven by an asyncio task while you type here. Try:

  %loops                        who turns what
  label.setText("hello")        the task writes over it in a moment
  pace = 1.0                    seconds between two ticks
  await asyncio.sleep(3)        the window lives on
  clock.cancel()                stops the clock
  exit
"""


async def main() -> None:
    label = QtWidgets.QLabel("…")
    label.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
    label.setStyleSheet("font-size: 32px")
    label.setWindowTitle("a Qt window")
    label.resize(320, 120)
    label.show()
    pace = 0.1

    async def run_clock() -> None:
        while True:
            label.setText(time.strftime("%H:%M:%S"))
            await asyncio.sleep(pace)

    clock = asyncio.create_task(run_clock())
    await ipyembed.embed_async(banner1="", header=HEADER)
    clock.cancel()


if __name__ == "__main__":
    application = QtWidgets.QApplication([])
    asyncio.run(main())
