"""Five thousand random programs that mutate, alias, nest, iterate and share."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.pure.test_changes import check_alike, programs

pytestmark = pytest.mark.slow


@given(programs())
@settings(max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_thousands_of_programs_end_the_same_here_and_there(source: str) -> None:
    check_alike(source)
