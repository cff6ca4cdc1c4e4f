"""Ray's Result with what Ray does not keep: all that was reported, and the best checkpoint by name."""

from __future__ import annotations

from typing import Any

from .progress import TrainingProgress


def completed(result: Any, progress: TrainingProgress) -> Any:
    """The same Result with more attributes.

    `history` is a DataFrame of all reports, also those before a resume: a row for each report of each rank.
    `best_checkpoint` is that with the best score, where the run scores its checkpoints, else the last. `metrics`, which
    Ray has of reports with a checkpoint alone, are those of the last report of rank 0 where Ray has none.
    """
    result.history = progress.history.to_table()
    if result.metrics is None and progress.history.reports:
        result.metrics = dict(progress.history.last)
    result.best_checkpoint = _best(result, progress) or result.checkpoint
    return result


def _best(result: Any, progress: TrainingProgress) -> Any:
    attribute = progress.score_attribute
    scored = [(metrics, one) for one, metrics in result.best_checkpoints or () if attribute in (metrics or {})]
    if not attribute or not scored:
        return None
    choose = max if progress.score_order == "max" else min
    return choose(scored, key=lambda pair: pair[0][attribute])[1]


def empty_result(path: str, error: BaseException | None) -> Any:
    """That of a run that has saved no checkpoint."""
    from ray.train import Result, TrainingFailedError

    failure = error if isinstance(error, TrainingFailedError) else None
    return Result(metrics=None, checkpoint=None, error=failure, path=path, best_checkpoints=[], metrics_dataframe=None)
