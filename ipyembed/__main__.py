"""``python -m ipyembed``, and the ``ipyembed`` command."""

from ipyembed.importing import imported


def main() -> None:
    """Run the command with the arguments of the process."""
    imported("ipyembed.app").main()


if __name__ == "__main__":
    main()
