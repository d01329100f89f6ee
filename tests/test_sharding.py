"""Many devices and many processes train what one device trains."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from mpnn import sharding as meshes

ROOT = Path(__file__).parents[1]
CONFIG = """
dataset = "digits"
seeds = [0, 1]
num_epochs = {epochs}
batch_size = 64
evaluate_every = 1

[[models]]
name = "small"
hidden = [16]
rule = "mean_field"
numbers = {{ rho = [1.0, 0.9], damping = 0.8 }}
"""


def environment(num_devices):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={num_devices}"
    return os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


def test_without_a_mesh_nothing_changes():
    assert meshes.axis_size(meshes.DATA) == 1
    assert meshes.round_up(45, meshes.NETWORKS) == 45
    tree = {"a": np.ones(3)}
    assert meshes.place(tree) is tree
    assert meshes.spread_batch(tree) is tree
    assert meshes.over_networks(max) is max


@pytest.mark.parametrize("shape", [{"networks": 0}, {"networks": 3, "data": 5}, {"model": 0}, {"data": -1}])
def test_a_mesh_must_use_every_device(shape):
    with pytest.raises(ValueError, match="must be the number of devices"):
        meshes.make_mesh(**shape)


@pytest.mark.slow
@pytest.mark.parametrize(
    "check",
    [
        "check_several_networks",
        pytest.param("check_one_network", marks=pytest.mark.slow),
        pytest.param("check_convolutions", marks=pytest.mark.slow),
        pytest.param("check_ensembles", marks=pytest.mark.slow),
    ],
)
def test_eight_devices_train_what_one_trains(check):
    program = ROOT / "tests" / "programs" / "eight_devices.py"
    command = [sys.executable, program, check]
    quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # as all fast tests are compiled
    done = subprocess.run(command, env=environment(8) | quick, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def start(config, output, num_processes, *mesh):
    """Start the processes of one run, each with two devices."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "experiments.full_data.train", config, "--output", output, *mesh]
    if num_processes > 1:
        command += ["--coordinator", coordinator, "--processes", str(num_processes)]
    processes = []
    for rank in range(num_processes):
        own = [*command, "--process", str(rank)] if num_processes > 1 else command
        with (output.parent / f"{output.name}_{rank}.log").open("a") as log:
            processes.append(
                subprocess.Popen(own, cwd=ROOT, env=environment(2), stdout=log, stderr=subprocess.STDOUT)
            )
    return processes


def finish(processes):
    try:
        assert [process.wait(timeout=1200) for process in processes] == [0] * len(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def row_of(output):
    return json.loads((output / "results.jsonl").read_text())


@pytest.mark.slow
def test_two_processes_train_what_one_trains_though_one_is_killed(tmp_path):
    config = tmp_path / "digits.toml"
    config.write_text(CONFIG.format(epochs=30))
    alone, together = tmp_path / "alone", tmp_path / "together"
    finish(start(config, alone, 1, "--networks", "2"))

    processes = start(config, together, 2, "--networks", "2", "--data", "2")
    limit = time.monotonic() + 300
    while not list(together.glob("checkpoints/*/3*")) and time.monotonic() < limit:
        time.sleep(0.05)
    processes[1].send_signal(signal.SIGKILL)
    for process in processes:  # JAX ends those that have lost one
        process.wait(timeout=300)
    assert not (together / "results.jsonl").read_text()

    finish(start(config, together, 2, "--networks", "2", "--data", "2"))
    expected, found = row_of(alone), row_of(together)
    assert found["weights_sha256"] == expected["weights_sha256"]
    assert found["mode"] == expected["mode"]
    assert [point["epoch"] for point in found["curve"]] == list(range(1, 31))


def test_every_device_uses_all_or_what_is_in_context():
    with meshes.every_device():
        assert jax.sharding.get_mesh().empty  # one device needs no mesh


def test_moving_arrays_compiles_once(monkeypatch):
    """As in several processes, where an array of all devices is moved by a program."""
    with jax.set_mesh(meshes.make_mesh()):
        sharding = jax.sharding.NamedSharding(jax.sharding.get_mesh(), jax.sharding.PartitionSpec())
        for number in range(5):
            meshes._moved_to(sharding)(jax.numpy.full(3, number))
    assert meshes._moved_to(sharding)._cache_size() == 1


def table_files(folder):
    """Files of a table that a few weights decide."""
    rng = np.random.default_rng(0)
    for number in range(8):
        x = rng.normal(size=(800, 6))
        np.savez(folder / f"{number}.npz", x=x, y=x[:, :3].sum(axis=1) > 0)


JUDGED = ("early_stopping=true", 'class_weight="balanced"', "freezing=[0.5]")


def train_files(folder, name, settings, *options):
    command = [sys.executable, "-m", "mpnn", "train", str(folder / "*.npz"), "--output", folder / name]
    how = ["--num-epochs", "6", "--rows-at-once", "800", "--readers", "4", "--set", "hidden=[8]", *settings]
    flags = [*how, "--checkpoints", folder / f"{name}_run", *options]
    with (folder / f"{name}.log").open("a") as log:
        return subprocess.Popen(
            [*command, *flags], cwd=ROOT, env=environment(1), stdout=log, stderr=subprocess.STDOUT
        )


@pytest.mark.slow
@pytest.mark.parametrize("settings", [(), JUDGED], ids=["plain", "judged"])
def test_processes_that_read_files_go_on_with_another_number(settings, tmp_path):
    """Two processes, one killed in the middle; then one process; then four in a run of their own."""
    from mpnn import load_model

    pytest.importorskip("grain")
    table_files(tmp_path)
    assert train_files(tmp_path, "alone", settings).wait(timeout=600) == 0
    expected = load_model(tmp_path / "alone")

    begun = train_files(tmp_path, "elastic", settings, "--num-processes", "2")
    limit = time.monotonic() + 300
    while not list(tmp_path.glob("elastic_run/states/[0-9]*")) and time.monotonic() < limit:
        time.sleep(0.02)
    children = Path(f"/proc/{begun.pid}/task/{begun.pid}/children").read_text().split()
    os.kill(int(children[1]), signal.SIGKILL)
    assert begun.wait(timeout=120) not in (0, None)
    assert not (tmp_path / "elastic").exists()
    assert train_files(tmp_path, "elastic", settings).wait(timeout=600) == 0
    assert train_files(tmp_path, "four", settings, "--num-processes", "4").wait(timeout=600) == 0

    for name in ("elastic", "four"):
        for own, other in zip(load_model(tmp_path / name).weights_, expected.weights_, strict=True):
            assert np.mean(own != other) <= 0.002, name
