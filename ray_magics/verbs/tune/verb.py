"""What ``%%ray_tune`` offers."""

from __future__ import annotations

from ...registry import Verb
from .magic import print_grid, ray_tune

VERB = Verb(
    "tune",
    magics=(ray_tune,),
    api={"tune": "api:tune"},
    pretty_printers=(("ray.tune.result_grid", "ResultGrid", print_grid),),
)
