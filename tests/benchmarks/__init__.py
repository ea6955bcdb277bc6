"""How fast, and how the cost grows: one file for each question.

    make bench                             all, in an environment made for it
    make bench BENCH="lateness wakeups"    some
    python -m tests.benchmarks.lateness --rounds 3 --seconds 0.5 --only tk

===================  ============================================================================
``harness``          rounds, figures, curves, the table, JSON
``measured``         programs that measure themselves, with windows; one at a time is awake
``peers``            ours, IPython and ptpython, started as their users start them
``raw_terminal``     a terminal that keeps bytes and draws nothing: floods, moments of arrival
every other one      a benchmark: `measure(options)` gives a `Report`
===================  ============================================================================

A benchmark checks the work that it times: an assertion that fails is a failure of the benchmark.
"""
