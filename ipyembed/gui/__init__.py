"""GUI toolkits: their loops, turned by the thread that waits for the prompt. File by file:

==================  ================================================================================
``detect``          which toolkit is alive on this thread, without importing any
``hooks``           runs a toolkit's loop until a descriptor is readable, a module for each
``turn``            keeps a hook in check: one that returns early, raises, or is given up
``current``         the toolkit of one eval thread, by the policy `gui`
``strategy``        how asyncio and the toolkit share the thread:
``selector``        `select`: the toolkit's loop as asyncio's wait
``waiter``          `thread`: a thread waits for asyncio
``slices``          `slice`: short turns, for loops that hide their wait
``alarm``           a descriptor that becomes readable at a set time
``waking``          what a GUI callback schedules with asyncio ends the toolkit's turn
``leaving``         Ctrl-C leaves a toolkit's loop that a cell runs: when, and what is raised
``breaking_out``    the same: how each toolkit is asked, and its loop ended
``native_dialogs``  the same: dialogs of GTK's that wx shows
==================  ================================================================================

Nothing here imports a toolkit: the host has imported it already, or the user asks for it by name.
"""
