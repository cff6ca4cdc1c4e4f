"""The island: everything of ours that executes on a worker.

It is shipped as source text (`core/ship.py`) and imports nothing of ours but itself, so a worker needs neither
ray_magics nor its dependencies. Third-party modules are used only where the cell, or Ray, has brought them along.

    values    names and values to bytes and back; functions travel without their globals
    output    what a cell prints and displays: bounded, in order
    courier   the one thread per worker that carries output away and wakes what sleeps
    task      one execution: its orders, its mail, its interrupt, its surroundings
    shown     figures, display(), IPython syntax
    failure   an exception as plain data, and back
    cell      runs the cell, once or per item, and packs the answer
    mailbox   the actor that holds output until the notebook fetches it
"""

MODULES = ("values", "output", "courier", "task", "shown", "failure", "cell")
