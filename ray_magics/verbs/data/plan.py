"""Every decision about what ``%ray_data`` does, as data."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import UsageError
from ...line.options import option_of
from .expression import DataExpression
from .operation import check_options
from .options import DataOptions
from .transform import Transform


@dataclass(frozen=True, kw_only=True)
class DataPlan(DataOptions):
    """Options that do not contradict each other, and what they are about.

    Attributes:
        expression: what is evaluated; of a cell, the dataset that the cell transforms.
        transform: what the cell does to it; None for a line.
    """

    expression: DataExpression
    transform: Transform | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The names that get the value."""
        return (*self.expression.targets, *((self.into,) if self.into else ()))


def make_plan(options: DataOptions, expression: DataExpression, transform: Transform | None = None) -> DataPlan:
    """Raises UsageError for options that contradict each other, the expression or the cell."""
    if options.into and expression.targets:
        raise UsageError(f'--into {options.into} and "{", ".join(expression.targets)} =" both name the value: say one.')
    if transform is not None:
        check_options(transform, options.ray, options.concurrency, options.key)
    else:
        _check_line(options)
    return DataPlan(**vars(options), expression=expression, transform=transform)


def _check_line(options: DataOptions) -> None:
    of_cells = [*options.ray, *(["key"] if options.key else []), *(["concurrency"] if options.concurrency else [])]
    if of_cells:
        name = option_of(of_cells[0])
        raise UsageError(f"{name} is for a cell below %%ray_data; on a line it is an argument of the method.")
