"""Costs of exported networks: bytes, flash, time, and what is missing."""

import shutil

import pytest

from mpnn.deploy import Costs, deployment_costs
from mpnn.deploy.packed import to_bytes
from tests.integer_networks.random_networks import draw_network


def test_costs_name_what_is_not_installed(monkeypatch):
    network, X = draw_network(1)
    monkeypatch.setattr("mpnn.deploy.costs.shutil.which", lambda name: None)
    costs = deployment_costs(network, X)
    assert costs.packed_bytes == len(to_bytes(network))
    assert costs.flash_bytes is costs.microseconds is None
    assert "gcc" in costs.reason


def test_what_is_not_exported_costs_none():
    costs = deployment_costs(object(), [[1.0]])
    assert costs == Costs(None, None, None, None, {}, costs.reason)
    assert "cannot be exported" in costs.reason


@pytest.mark.skipif(shutil.which("gcc") is None, reason="install gcc to time the exported C")
def test_c_is_timed():
    network, X = draw_network(1)
    assert 0.0 < deployment_costs(network, X[:3]).microseconds < 1e4


def test_no_row_is_not_timed():
    network, X = draw_network(1)
    costs = deployment_costs(network, X[:0])
    assert costs.microseconds is None
    assert costs.packed_bytes
