"""Curves in TensorBoard and MLflow, read back with the real libraries."""

from __future__ import annotations

import warnings

import pytest

from tunesmith.errors import InputError
from tunesmith.events import Event
from tunesmith.sinks import NAMES, open_sinks

EVENTS = [
    Event("stage_started", "train"),
    Event("metric", "train", {"step": 0, "validation_loss": 2.5, "validation_accuracy": 0.1}),
    Event(
        "metric",
        "train",
        {
            "step": 1,
            "train_loss": 2.0,
            "train_accuracy": 0.25,
            "learning_rate": 1e-3,
            "gradient_norm": 0.5,
            "tokens": 7,
            "tokens_per_second": 70.0,
            "computed_tokens_per_second": 30.0,
            "memory_bytes": 2_000_000,
            "peak_memory_bytes": 3_000_000,
        },
    ),
    Event("metric", "train", {"step": 2, "train_loss": 1.5, "learning_rate": 5e-4, "gradient_norm": 0.25}),
    Event("progress", "train", {"done": 2, "total": 2, "unit": "steps", "seconds_left": None}),
    Event("stage_finished", "test", {"counts": {"primary": {"metric": "accuracy", "base": 0.4, "tuned": 0.8}}}),
]


def test_tensorboard_reads_the_curves(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with open_sinks(["tensorboard"], tmp_path, "support-desk") as send:
        for event in EVENTS:
            send(event)
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(one.step, one.value) for one in found.Scalars("loss/train")] == [(1, 2.0), (2, 1.5)]
    assert [(one.step, one.value) for one in found.Scalars("loss/validation")] == [(0, 2.5)]
    assert [one.step for one in found.Scalars("gradient_norm")] == [1, 2]
    for name, value in {
        "accuracy/train": 0.25,
        "tokens_per_second/real": 70.0,
        "tokens_per_second/computed": 30.0,
        "memory_bytes/now": 2_000_000,
        "memory_bytes/peak": 3_000_000,
    }.items():
        assert [(one.step, one.value) for one in found.Scalars(name)] == [(1, value)]
    assert found.Scalars("test/accuracy/tuned")[0].value == pytest.approx(0.8)


@pytest.mark.parametrize("fails", [False, True])
def test_mlflow_reads_the_curves_and_how_it_ended(tmp_path, monkeypatch, fails):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
        try:
            with open_sinks(["mlflow"], tmp_path, "support-desk") as send:
                for event in EVENTS:
                    send(event)
                if fails:
                    raise KeyError
        except KeyError:
            pass
        client = mlflow.MlflowClient()
        [run] = client.search_runs([client.get_experiment_by_name("support-desk").experiment_id])
    assert run.info.status == ("FAILED" if fails else "FINISHED")
    history = client.get_metric_history(run.info.run_id, "loss/train")
    assert [(one.step, one.value) for one in history] == [(1, 2.0), (2, 1.5)]
    assert run.data.metrics["test/accuracy/base"] == pytest.approx(0.4)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_library_is_told_with_the_extra(tmp_path, monkeypatch, name):
    monkeypatch.setitem(__import__("sys").modules, name, None)
    monkeypatch.delitem(__import__("sys").modules, f"tunesmith.sinks.{name}", raising=False)
    with pytest.raises(InputError, match="not installed") as caught, open_sinks([name], tmp_path, "x"):
        pass
    assert f"tunesmith[{name}]" in str(caught.value.fix)
