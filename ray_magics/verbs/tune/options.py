"""The options of ``%%ray_tune``, declared once for the magic, its form and ``ray_magics.tune``."""

from __future__ import annotations

from argparse import Namespace as Line
from typing import Any

from ...line.options import Magic, argument, group, run_options
from ...line.parsers import expression, integer, name, number, parser, positive_int, seconds
from .algorithms import scheduler_name, search_name
from .space import space_assignment, stop_assignment


@parser("a number of samples", "10", metavar="N")
def samples(text: str) -> int:
    """1, 2, 3 …, or -1 for as many as the time budget allows."""
    count = int(text)
    if count < 1 and count != -1:
        raise ValueError(text)
    return count


search_options = group(
    argument("--space", type=space_assignment, action="extend", nargs="+", metavar='"NAME=…"',
             help='The search space in words, as often as needed: "lr=loguniform(1e-4, 1e-1)", "model.depth=randint(1, '
                  '5)", "opt=choice([\'adam\', \'sgd\'])", "epochs=10"; or an expression for a dict.'),
    argument("--metric", metavar="NAME", help="The reported number to compare trials by."),
    argument("--mode", choices=("min", "max"), help="Whether less or more of the metric is better."),
    argument("--num-samples", type=samples, help="Configurations to draw (1); -1: until the time budget is over."),
    argument("--max-concurrent-trials", type=positive_int, metavar="N", help="Trials at a time; else what fits."),
    argument("--reuse-actors", action="store_true",
             help="One worker process runs many trials, one after the other: imports and start-up are paid once."),
    argument("--scheduler", type=scheduler_name,
             help="What ends or changes trials early: fifo, asha, hyperband, median, pbt, pb2, bohb, with parameters "
                  "as in asha(max_t=20), or an object."),
    argument("--search", type=search_name,
             help="What draws configurations: random, grid, optuna, hyperopt, bayesopt, nevergrad, bohb, ax, hebo, "
                  "zoopt, with parameters as in optuna(seed=1), or an object."),
    argument("--seed", type=integer, metavar="N", help="The same seed draws the same configurations."),
    argument("--stop", type=stop_assignment, action="extend", nargs="+", metavar='"NAME=N"',
             help='End a trial there: "training_iteration=10", "accuracy=0.99"; or an expression.'),
    argument("--time-budget-s", type=seconds, metavar="SECONDS", help="End the whole search after so long."),
    argument("--num-cpus", type=number, help="CPUs that a trial reserves (1)."),
    argument("--num-gpus", type=number, help="GPUs that a trial reserves; 0.5 shares one."),
    argument("--storage-path", metavar="PATH", help="Where results and checkpoints go (~/ray_results)."),
    argument("--name", metavar="NAME", help="The experiment's folder there; without it, trainable and time."),
)  # fmt: skip

tune_options = group(
    argument("trainable", nargs="?", type=expression, metavar="TRAINABLE",
             help="A function of config, a Trainable class."),
    search_options,
    argument("--resume", action="store_true",
             help="Go on with the experiment of --name, else with the last of this kind."),
    argument("--form", action="store_true",
             help="Show the search as controls; what is set there is shown as a line."),
    argument("--show", action="store_true",
             help="Show the table of the last search, or of run RUN, to sort and filter."),
    argument("--into", type=name, metavar="NAME", help="Bind the ResultGrid to NAME instead of showing it."),
    run_options,
)  # fmt: skip


@tune_options
def _no_search(line: Line, cell: str | None = None) -> Any:
    """Stands for the magic's function, which those who only read a line need not know."""


LINE = Magic("ray_tune", "line_cell", _no_search)
"""Reads a line of ``%ray_tune`` or ``%%ray_tune`` and runs nothing."""
