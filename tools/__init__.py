"""What the Makefile runs, on the standard library alone, and what draws the documentation."""
