"""The card of a run: what every verb's run shows, around what is the verb's own."""

from __future__ import annotations

from ..run.status import ITEMS, RunStatus
from . import format as f
from .card import Card, Header, Log, Progress, Section, Text


def run_card(status: RunStatus, *body: Section, stop: str = "Stop") -> Card:
    """Header, progress, why it waits, note and error, then `body`, then what its workers print.

    `stop` is the text of the button that ends the run.
    """
    progress = run_progress(status)
    log = (
        (Log(status.workers, status.id, opened=f.is_single(progress) or status.workers[0].id == ITEMS),)
        if status.workers
        else ()
    )
    sections = (_header(status, stop), progress, *messages(status), *body, *log)
    return Card(sections, f"Run {status.name}")


def messages(status: RunStatus) -> tuple[Section, ...]:
    """Why it waits, its note, its error; what is not there is left out."""
    why = f.one_line(status.why, 1000)
    every = (Text(f.sentence(why) if why else "", "notice"), Text(status.note, "muted"), Text(status.error, "error"))
    return tuple(section for section in every if section.text)


def run_progress(status: RunStatus) -> Progress:
    """What there is to count of a run."""
    return Progress(
        status.state,
        status.unit,
        status.done,
        status.failed,
        status.running,
        status.total,
        status.rate,
        status.remaining,
    )


def _header(status: RunStatus, stop: str) -> Header:
    return Header(
        status.state,
        status.name,
        details=(status.verb,),
        elapsed=status.elapsed,
        run=status.id,
        stop=stop if status.live else "",
    )
