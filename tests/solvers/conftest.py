"""Engines as a fixture."""

import pytest

from mpnn.solvers.engines import ENGINES, installed_engines


@pytest.fixture(params=list(ENGINES))
def engine(request):
    if request.param not in installed_engines():
        pytest.skip(f"the engine {request.param} is not installed")
    return request.param


@pytest.fixture
def any_engine():
    """The default engine; the test is skipped where it is missing."""
    if "cpsat" not in installed_engines():
        pytest.skip("the engine cpsat (OR-Tools) is not installed")
    return "cpsat"
