from dataclasses import replace

import pytest

from mpnn.compare import Cluster, ConfigError, run_comparison
from mpnn.compare.run.jobs import Job, list_jobs
from mpnn.runs.rows import read_rows

pytest.importorskip("submitit", reason="pip install 'mpnn[cluster]'")
LOCAL = Cluster("local", {"timeout_min": 5})


@pytest.mark.slow
def test_submitted_jobs_become_rows(tiny, tmp_path):
    config = replace(tiny, shots=(2,), draws=1)
    rows = run_comparison(config, tmp_path, workers=2, cluster=LOCAL)
    assert [row["key"] for row in rows] == [job.key for job in list_jobs(config)]
    assert not any(row["error"] for row in rows)
    assert all(row["cold"] for row in rows)
    assert len(list((tmp_path / "artifacts").glob("*.npz"))) == 2


@pytest.mark.slow
def test_a_failed_submission_is_a_row(tiny, tmp_path, monkeypatch):
    # What ends its process stands for a node that dies.
    monkeypatch.setattr("mpnn.compare.run.cluster.fit_alone", _exit)
    # Submitit waits for files that a slow network brings late.
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0.1)
    jobs = list_jobs(tiny)[:1]
    monkeypatch.setattr("mpnn.compare.run.engine.list_jobs", lambda config: jobs)
    (row,) = run_comparison(tiny, tmp_path, cluster=LOCAL)
    assert row["error"].startswith(("UncompletedJobError", "FailedJobError"))
    assert read_rows(tmp_path / "results.jsonl") == [row]


def _exit(job: Job, config, artifacts):
    import os

    os._exit(3)


def test_refuses_an_option_that_submitit_does_not_know(tiny, tmp_path):
    with pytest.raises(ConfigError, match="submitit cannot use the partition 'local'.*cpu_count"):
        run_comparison(tiny, tmp_path, cluster=Cluster("local", {"cpu_count": 2}))
