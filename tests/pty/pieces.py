"""Pieces of the programs that tests run: what several of them have in common.

They are indented as the programs are, and need asyncio, threading and time.
"""

#: A task that counts, and so shows whether its loop is turned.
TICKING = """
    ticks = 0

    async def tick():
        global ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1
"""

#: Functions for cells that return at once and tell later, from a thread: what a cell would wait for
#: might be what its waiting prevents.
TELLING = """
    def tell(is_so, within):
        def watch():
            end = time.monotonic() + within
            while not (so := bool(is_so())) and time.monotonic() < end:
                time.sleep(0.01)
            print("told", so)
        threading.Thread(target=watch).start()
    def tell_cpu_time():
        def watch():
            before = time.process_time()
            time.sleep(1)
            print(f"used {time.process_time() - before:.3f} s")
        threading.Thread(target=watch).start()
"""
