"""The engine: attach to a running program from another process.

The protocol is Jupyter's, and its messages are `jupyter_client`'s, so every front end of
Jupyter's can attach. `docs/engine.md` has the threads and the messages in a picture. File by file:

====================  ============================================================================
``serving``           `serve()`: what a program opens
``engine``            `Engine`: from its opening to its end
``directory``         where engines are found, and whose files are refused
``network``           the thread that talks to clients, and its limits
``sockets``           what it talks by
``signing``           which messages are taken
``request``           a client's message
``replies``           what answers one
``outgoing``          what waits to be sent, and how much may wait
``requests``          what clients ask for, and who answers it; what is answered at once
``cell_queue``        the cells that wait: in which order, one after the other
``short_requests``    completion and the like: asked of the eval thread, not waited for too long
``pace``              how much of a busy host's time clients get
``eval_thread``       what the network thread asks of the eval thread
``evaluating``        how that is done
``executing``         one client's cell on the eval thread
``answers``           completion, inspection, history, names
``client_output``     what a client's cell writes, shows and asks
``redirect``          while a client's cell runs: display, errors and `input()` are that client's
``questions``         `input()` of a cell, asked at its client
``command``           ``!command`` of a cell
``interrupting``      a client's Ctrl-C
``places``            the eval thread: where cells run, and how to get there from another thread
``guest_loop``        an asyncio loop that a toolkit's main loop turns
``gui_watchers``      the toolkits' main loops
``shells``            the shells that cells run in
``engine_shell``      the shell where no terminal shell is open
``engine_magics``     ``%bg``, ``%jobs``, ``%loops`` there
``following``         ``%follow``: what the host prints, for clients that ask
``link``              a front end's end of the wire
``front_end``         ``ipyembed attach``: a terminal that talks to an engine
``remote_cell``       a cell as its front end sees it: reply, questions, Ctrl-C
``remote_completer``  completions by the engine
``remote_history``    its history, for the up key
``listing``           ``ipyembed engines`` and ``ipyembed attach``, the commands
``ssh``               ``ipyembed attach --ssh``: an engine on another machine
====================  ============================================================================
"""
