"""``%%ray_remote``: a cell as a task, as definitions, or once per item."""

from ..core.twin import make_callable

make_callable(__name__)
