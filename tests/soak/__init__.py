"""The same thing very often: what leaks, and what gets slower?

    make soak
    python -m tests.soak [--short] [cycles cells lines]

The short form of each is in the test suite.
"""
