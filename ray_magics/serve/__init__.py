"""``%%ray_serve``: a deployment, or an application of several, served by Ray Serve."""

from ..core.twin import make_callable

make_callable(__name__)
