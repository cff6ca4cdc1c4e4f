"""``%%ray_tune``: a search over configurations of a function, a class or a cell."""

from ..core.twin import make_callable

make_callable(__name__)
