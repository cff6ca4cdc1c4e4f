"""Where a piece of code stands in the notebook: what errors, views and re-runs call it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from .. import kernel
from ..errors import invalid_cell

if TYPE_CHECKING:
    from .reader import Cell


@dataclass(frozen=True)
class CellSource:
    """Code of the notebook, ready to run elsewhere.

    Attributes:
        code: plain Python; its line numbers are those of the cell.
        name: ``In[4]``.
        filename: what tracebacks call it.
        cell_id: the notebook's id of the cell, "" where there is none.
        label: file name -> ``Cell In[4]`` for cells, "" for files that errors leave out.
    """

    code: str
    name: str = "code"
    filename: str = "<code>"
    cell_id: str = ""
    label: Callable[[str], str] = str

    def read(self) -> Cell:
        """What the code reads and binds. Raises InvalidCell, with the line of the cell, where it is no Python."""
        from .reader import read_cell

        try:
            return read_cell(self.code)
        except SyntaxError as error:
            invalid = invalid_cell(error, self.code, self.label(self.filename) or self.name)
            raise invalid from invalid.__cause__


def cell_source_of(shell: Any, text: str, is_cell: bool) -> CellSource:
    """The code of a cell's body (below the line of its magic) or of an expression on a line."""
    code = text if _is_python(text) else shell.transform_cell(text)
    if is_cell:
        code = "\n" + code
    return CellSource(
        code=code,
        name=f"In[{kernel.prompt_number(shell)}]",
        filename=kernel.cell_filename(shell, code),
        cell_id=kernel.cell_id(shell),
        label=partial(kernel.cell_label, shell),
    )


@lru_cache(maxsize=256)
def _is_python(text: str) -> bool:
    """Whether the text has no syntax of IPython's own; that is quicker to find out than to transform."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
