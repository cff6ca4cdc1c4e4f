"""The process that a detached cluster lives in; run as a script, imports nothing of ours.

    python -P host.py READY_FILE '{"num_cpus": 2}'

It starts Ray's processes, writes the address into READY_FILE, and waits; a SIGTERM ends it and them. Why not
`ray start`: that cannot do without the Ray Client server, which is one more open port and 6 s of work, wants its
ports chosen beforehand, and takes up to 30 s to end while an actor lives.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys


def main(ready: str, options: str) -> None:
    """Starts a cluster with these options of `ray.init`, and stays with it until a signal comes."""
    import ray

    ray.init(
        address="local",
        dashboard_host="127.0.0.1",
        logging_level=logging.ERROR,
        log_to_driver=False,
        **json.loads(options),
    )
    with open(f"{ready}.draft", "w") as file:
        file.write(ray.get_runtime_context().gcs_address)
    os.replace(file.name, ready)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
