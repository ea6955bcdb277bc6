"""``python -m ipyembed``."""

from ipyembed.app import main

if __name__ == "__main__":
    main()
