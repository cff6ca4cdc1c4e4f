"""Ours beside the alternatives, in one run on one machine: ``python -m tests.benchmarks [NAME ...] [--quick]``.

One module per work, each with ``run(bench) -> rows``. They are not tests: nothing here fails a test run.
"""
