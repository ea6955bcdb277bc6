"""The engine: attach to a running program from another process.

The protocol is Jupyter's, and its messages are `jupyter_client`'s, so every front end of
Jupyter's can attach. `docs/engine.md` has the threads and the messages in a picture. File by file:

==================  ==============================================================================
``serving``         `serve()` and `Engine`: what a program opens
``directory``       where engines are found, and whose files are refused
``network``         the thread that talks to clients; sockets, signatures, limits
``outgoing``        what waits to be sent, and how much may wait
``requests``        what clients ask for, in which order; what is answered at once
``executing``       one client's cell on the eval thread
``answers``         completion, inspection, history, names: the short requests
``redirect``        while a client's cell runs: display, errors and `input()` are that client's
``questions``       `input()` of a cell, asked at its client
``interrupting``    a client's Ctrl-C
``places``          the eval thread: where cells run, and how to get there from another thread
``guest_loop``      an asyncio loop that a toolkit's main loop turns
``engine_shell``    the shell that runs cells where no terminal shell is open
``following``       ``%follow``: what the host prints, for clients that ask
``link``            a front end's end of the wire
``front_end``       ``ipyembed attach``: a terminal that talks to an engine
``listing``         ``ipyembed engines``
==================  ==============================================================================
"""
