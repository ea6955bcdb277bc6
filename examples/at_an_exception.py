"""A prompt where something went wrong: in an `except` block, with the names and the error at hand.
What you set right there is what the program goes on with.
Run: python examples/at_an_exception.py
"""

import ipyembed

HEADER = """\
An order could not be read; the script waits. Try:

  order                        what could not be read
  raise error                  the traceback
  %debug                       the frames of it: u and d go up and down, q leaves
  order["price"] = 12.5        set it right
  exit                         the script tries again
"""

orders = [
    {"what": "tea", "price": "3.20"},
    {"what": "cake", "price": "12,50"},
    {"what": "jam", "price": "4.00"},
]


def price_of(order: dict[str, str]) -> float:
    """The price, as a number."""
    return float(order["price"])


def main() -> None:
    total = 0.0
    for order in orders:
        try:
            total += price_of(order)
        except ValueError as error:
            ipyembed.embed(banner1="", header=f"{error}\n\n{HEADER}")
            total += price_of(order)
    print(f"the script goes on; total is {total:.2f}")


if __name__ == "__main__":
    main()
