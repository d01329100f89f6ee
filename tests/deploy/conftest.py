"""The compiler of the exported C."""

import shutil

import pytest


@pytest.fixture(scope="session")
def gcc():
    found = shutil.which("gcc")
    if found is None:
        pytest.skip("install gcc to test the exported C")
    return found
