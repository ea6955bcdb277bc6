"""`breakpoint()` in code that a cell calls: the debugger has its prompt, and then you have yours.
In a program without a shell, `ipyembed.set_trace()` stops in the same debugger.
Run: python examples/at_a_breakpoint.py
"""

import ipyembed

HEADER = """\
Try:

  mean([1, 2, 6])       stops in it, with the debugger's prompt; there:
      p numbers         look
      n                 the next line
      total = 12        change what it goes on with
      c                 go on; back at this prompt, with the result
  exit                  the script goes on, to its own set_trace()
"""


def mean(numbers: list[float]) -> float:
    total = sum(numbers)
    breakpoint()
    count = len(numbers)
    return total / count


def main() -> None:
    ipyembed.embed(banner1="", header=HEADER)
    last = "no shell is open here"
    ipyembed.set_trace(header="no shell is open here; c goes on")
    print(f"the script has ended: {last}")


if __name__ == "__main__":
    main()
