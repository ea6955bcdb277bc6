"""A Qt program without asyncio, into which you attach a prompt from a terminal.
Run: pip install PATH[engine] PySide6-Essentials, then: python examples/attach_to_qt_app.py
and from a terminal: ipyembed attach window
"""

import time

from PySide6 import QtCore, QtWidgets

import ipyembed

application = QtWidgets.QApplication([])
label = QtWidgets.QLabel("…")
label.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
label.setStyleSheet("font-size: 32px")
label.setWindowTitle("attach to me")
label.resize(320, 120)

clock = QtCore.QTimer()
clock.timeout.connect(lambda: label.setText(time.strftime("%H:%M:%S")))


def main() -> None:
    label.show()
    clock.start(200)
    with ipyembed.serve("window") as engine:
        print(f"attach with: ipyembed attach {engine.name}", flush=True)
        # Try there: clock.stop(); label.setText("hello"); label.show?
        # and: import asyncio; await asyncio.sleep(3)    the window goes on painting
        application.exec()


if __name__ == "__main__":
    main()
