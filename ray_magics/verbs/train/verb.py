"""What ``%%ray_train`` offers."""

from __future__ import annotations

from ...registry import Verb
from .magic import print_result, ray_train

VERB = Verb(
    "train",
    magics=(ray_train,),
    api={"train": "api:train"},
    pretty_printers=(("ray.train", "Result", print_result),),
)
