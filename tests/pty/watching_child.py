"""A child process that has the terminal and tells whether its parent's loops turn meanwhile.

It makes a file and waits until the host has seen that and made another one: the host looks from a
task or from a toolkit's timer. Then it reads a line from the terminal, so it can be left.
"""

from __future__ import annotations

from pathlib import Path

CHILD = """\
[ -z "$SILENT" ] && [ -p /dev/stdin ] && lines=$(wc -l)
: > is_up
n=0
while [ ! -e was_seen ] && [ $n -lt PATIENCE ]; do sleep 0.05; n=$((n + 1)); done
if [ -e was_seen ]; then echo "the host goes on"; else echo "the host stands still"; fi
rm -f is_up was_seen
[ -n "$lines" ] && echo "it shows some lines: $((lines > 50))"
[ -n "$SILENT" ] && exit
printf "leave it? "
read answer < /dev/tty
echo "it heard $answer"
"""

HOST = """
    import asyncio, os, time
    from pathlib import Path
    import ipyembed

    def look():
        if Path("is_up").exists():
            Path("was_seen").touch()

    async def heart():
        while True:
            look()
            await asyncio.sleep(0.01)

    long = type("long", (), {"__doc__": "\\n".join(f"line {n}" for n in range(200))})
"""

#: A host that cancels the shell as soon as the child is there.
CANCELLED = (
    HOST
    + """
    async def main():
        task = asyncio.create_task(heart())
        shell = asyncio.create_task(ipyembed.embed_async())
        while not Path("was_seen").exists():
            await asyncio.sleep(0.01)
        shell.cancel()
        await asyncio.wait({shell})
        task.cancel()
        print("left", shell.cancelled())

    asyncio.run(main())
"""
)


def write_child(path: Path, patience: float = 10.0) -> str:
    """Write the script; the command that runs it. `patience`: seconds."""
    file = path / "child.sh"
    file.write_text(CHILD.replace("PATIENCE", str(int(patience * 20))), encoding="utf-8")
    return f"sh {file}"
