"""The worker runtime: everything of ours that executes on a worker.

It is shipped as source text (`ship/entrypoint.py`) and imports nothing of ours but itself, so a worker needs neither
ray_magics nor its dependencies. Third-party modules are used only where the cell, or Ray, has brought them along.

    records       what goes between the notebook and its workers
    sharing       objects that share memory, on their way
    values        names and values to bytes and back; functions travel without their globals
    content       what an object holds: compared, sent, written
    changes       which objects a cell has changed, and the same done to those of the notebook
    output        what a cell prints and displays: bounded, in order
    last_words    what of that outlives the death of the worker
    forwarder     the one thread per worker that forwards output and wakes a sleeping main thread
    task          one execution: its output, its interrupt, its environment
    display       figures, display(), IPython syntax
    failure       an exception as plain data, and back
    interpreter   compiles and executes code in a namespace
    cell          runs a cell once
    pool          the object of an actor of a pool
    items         runs a cell once per item
    output_queue  the actor that holds output until the notebook fetches it
"""

MODULES = (
    *("records", "sharing", "values", "content", "changes", "output", "last_words", "forwarder", "task", "display"),
    *("failure", "interpreter", "cell", "pool", "definitions", "items"),
)
