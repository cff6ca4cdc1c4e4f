"""``python -m tests.benchmarks [NAME ...] [--quick] [--address HOST:PORT] [--json FILE]``: the table."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.measure import Row, table

WORKS = ("load_ext", "rerun", "fan_out", "big_array", "changes", "live_view", "flood", "tune", "serve", "data", "train")


def main() -> None:
    line = _parse()
    print(_machine(), file=sys.stderr)
    bench = Bench(line.quick, line.address)
    try:
        rows = [row for name in line.names or WORKS for row in _rows(name, bench)]
    finally:
        bench.close()
    print(table(rows))
    if line.json:
        line.json.write_text(json.dumps([{**asdict(row), "verdict": row.verdict} for row in rows], indent=1))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"Of {', '.join(WORKS)}; all without it.")
    parser.add_argument("--quick", action="store_true", help="Fewer rounds.")
    parser.add_argument("--address", default="", help="A running cluster to use, instead of one of our own.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write the rows there, too.")
    line = parser.parse_args()
    unknown = [name for name in line.names if name not in WORKS]
    if unknown:
        parser.error(f"no work is called {unknown[0]!r}; there are: {', '.join(WORKS)}")
    return line


def _rows(name: str, bench: Bench) -> list[Row]:
    """The rows of one work; one that breaks is a row, too, so that the others are still measured."""
    bench.say(f"{name}:")
    rows: list[Row] = []
    try:
        for row in import_module(f"{__package__}.{name}").run(bench):
            rows.append(row)
    except Exception as error:
        traceback.print_exc()
        rows.append(Row(name, f"{type(error).__name__}: {error}"[:80], broken=True))
    return rows


def _machine() -> str:
    import platform

    load = os.getloadavg()[0]
    return f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {load:.1f} before we began"


if __name__ == "__main__":
    main()
