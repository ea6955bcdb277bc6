"""Qt turns asyncio, by qasync, with a prompt in it: `await ipyembed.embed_async()` in a coroutine.
Clicks start coroutines, the prompt awaits them, and the window stays alive through all of it.
Run: pip install qasync PySide6-Essentials, then: python examples/on_qasync.py   (needs a display)
"""

import asyncio

import qasync
from PySide6 import QtWidgets

import ipyembed

HEADER = """\
The button starts a coroutine; so can you. Try:

  button.click()               as by the mouse; the bar moves while you type
  await count_down(2)          the same, and wait for it
  bar.value()
  %loops                       who turns what
  exit
"""


async def main() -> None:
    window = QtWidgets.QWidget(windowTitle="Qt turns asyncio")
    button = QtWidgets.QPushButton("count down")
    bar = QtWidgets.QProgressBar(maximum=100)
    layout = QtWidgets.QVBoxLayout(window)
    layout.addWidget(button)
    layout.addWidget(bar)
    window.show()
    tasks: set[asyncio.Task[str]] = set()

    async def count_down(seconds: float) -> str:
        for percent in range(100, -1, -1):
            bar.setValue(percent)
            await asyncio.sleep(seconds / 100)
        return "done"

    def start() -> None:
        task = asyncio.create_task(count_down(5))
        tasks.add(task)  # the loop itself keeps tasks by weak references
        task.add_done_callback(tasks.discard)

    button.clicked.connect(start)
    await ipyembed.embed_async(banner1="", header=HEADER)
    print("the window closes")


if __name__ == "__main__":
    application = QtWidgets.QApplication([])
    qasync.run(main())
