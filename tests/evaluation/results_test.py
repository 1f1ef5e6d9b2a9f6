from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import Any

import pytest
import tensorflow as tf

from exporter import reports
from exporter.evaluation import records, result_pages, results

_CHECKS = [
    reports.Check("inputs of both arms", True, "equal for 8 texts", difference=0.0),
    reports.Check("first gradients", False, "differ by 0.5", difference=math.nan, look_at="layers"),
]


def _run(arm: str, seed: int, accuracy: float, loss: float) -> records.ArmRun:
    return records.ArmRun(
        arm,
        seed,
        {"accuracy": accuracy, "loss": loss},
        records.Curve([10, 20], [1.5, loss], {"accuracy": [0.5, accuracy]}, [10, 20]),
        steps_per_second=4.0 if arm == "export" else 3.2,
        peak_memory_bytes=812_345_678 + seed,
        input_share=0.025,
    )


def _evaluation(runs: list[records.ArmRun], **fields: Any) -> records.Evaluation:
    whole: dict[str, Any] = {
        "task": "sst2",
        "export_path": "/models/<bert>/",
        "examples": {"train": 1800, "validation": 100},
        "settings": {"seq_length": 64, "learning_rate": 3e-5, "layers": (1, 2)},
        "checks": _CHECKS,
        "runs": runs,
    }
    return records.Evaluation(**{**whole, **fields})


_RUNS = [
    *(_run("export", 1, 0.81, 0.4), _run("export", 2, 0.82, 0.5), _run("export", 3, 0.86, 0.3)),
    *(_run("baseline", 1, 0.8, 0.5), _run("baseline", 2, 0.8, 0.6), _run("baseline", 3, 0.8, 0.4)),
]
_EVALUATION = _evaluation(_RUNS)
_PROBES = _evaluation(
    [
        records.ArmRun("export", 1, {"accuracy": 0.8}, intervals={"accuracy": (0.7, 0.9)}),
        records.ArmRun("export", 2, {"accuracy": math.nan}),
    ],
    checks=[],
    settings={},
)


def test_text() -> None:
    assert results.text(_EVALUATION) == (
        "Evaluation of <bert> on sst2\n"
        "accuracy: no difference beyond the seeds' noise: +0.0300, 95% interval -0.0357 to "
        "+0.0957\n"
        "loss: the export is better by 0.1000 for each of 3 seeds alike\n"
        "checks: 1 passed, 1 failed\n"
        "\n"
        "metric    arm         mean     spread  seed 1   seed 2   seed 3\n"
        "accuracy  export      0.8300   0.0265  0.8100   0.8200   0.8600\n"
        "accuracy  baseline    0.8000   0.0000  0.8000   0.8000   0.8000\n"
        "accuracy  difference  0.0300   0.0265  0.0100   0.0200   0.0600\n"
        "loss      export      0.4000   0.1000  0.4000   0.5000   0.3000\n"
        "loss      baseline    0.5000   0.1000  0.5000   0.6000   0.4000\n"
        "loss      difference  -0.1000  0.0000  -0.1000  -0.1000  -0.1000\n"
        "\n"
        "arm                steps a second  largest memory  time waiting for inputs\n"
        "export             4.00            812 MB          2.5%\n"
        "baseline           3.20            812 MB          2.5%\n"
        "export / baseline  1.25\n"
        "\n"
        "ok      inputs of both arms: equal for 8 texts\n"
        "FAILED  first gradients: differ by 0.5\n"
        "        look at: layers\n"
        "\n"
        "export         /models/<bert>/\n"
        "examples       1,800 of train, 100 of validation\n"
        "seq_length     64\n"
        "learning_rate  3e-05\n"
        "layers         (1, 2)\n"
    )


def test_text_of_one_arm_without_training() -> None:
    assert results.text(_PROBES) == (
        "Evaluation of <bert> on sst2\n"
        "accuracy: not compared: no seed has scores of both arms\n"
        "checks: not run\n"
        "\n"
        "metric    arm     mean  spread  seed 1                     seed 2\n"
        "accuracy  export  -     -       0.8000 (0.7000 to 0.9000)  nan\n"
        "\n"
        "export    /models/<bert>/\n"
        "examples  1,800 of train, 100 of validation\n"
    )


def test_a_speed_that_is_not_known_is_left_out() -> None:
    """As of a run that was complete before it could be timed."""
    runs = [_RUNS[0], dataclasses.replace(_RUNS[1], steps_per_second=math.nan)]
    text = results.text(_evaluation(runs))
    assert "\nexport  4.00            812 MB" in text
    assert "nan" not in text


def test_nothing_was_trained() -> None:
    text = results.text(_evaluation([]))
    assert text.startswith(
        "Evaluation of <bert> on sst2\nnothing was scored\nchecks: 1 passed, 1 failed\n\n"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("evaluation") / "sst2"
    results.write(_PROBES, str(folder))
    (folder / "tensorboard" / "of_others").mkdir()
    results.write(_EVALUATION, f"{folder}/")
    return folder


def test_files(folder: pathlib.Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        *("results.html", "results.json", "results.txt", "tensorboard"),
    ]
    assert (folder / "results.txt").read_text() == results.text(_EVALUATION)
    assert (folder / "results.html").read_text() == result_pages.page(_EVALUATION)


def test_json(folder: pathlib.Path) -> None:
    found = json.loads((folder / "results.json").read_text())

    assert (found["task"], found["export_path"]) == ("sst2", "/models/<bert>/")
    assert found["settings"] == {"seq_length": 64, "learning_rate": 3e-5, "layers": [1, 2]}
    assert [check["status"] for check in found["checks"]] == ["passed", "failed"]
    assert found["checks"][1]["difference"] is None
    assert found["checked"] is True
    accuracy, loss = found["comparisons"]
    assert accuracy["export"]["scores"] == {"1": 0.81, "2": 0.82, "3": 0.86}
    assert accuracy["outcome"] == "no difference beyond the seeds' noise"
    assert accuracy["interval"] == pytest.approx([-0.0357, 0.0957], abs=1e-4)
    assert (loss["outcome"], loss["interval"]) == ("better", None)
    assert found["runs"][0]["curve"] == {
        "steps": [10, 20],
        "train_loss": [1.5, 0.4],
        "validation": {"accuracy": [0.5, 0.81]},
        "validation_steps": [10, 20],
    }


def test_json_of_what_is_no_number() -> None:
    found = json.loads(results.to_json(_PROBES))

    assert found["runs"][1]["metrics"] == {"accuracy": None}
    assert found["checked"] is False
    assert found["comparisons"][0]["export"] == {
        "scores": {"1": 0.8, "2": None}, "mean": None, "spread": None,
    }  # fmt: skip


def test_event_files(folder: pathlib.Path) -> None:
    assert (folder / "tensorboard" / "of_others").is_dir()
    runs = sorted(str(path.relative_to(folder)) for path in folder.glob("tensorboard/*/*"))
    assert runs == [
        f"tensorboard/{arm}/seed_{seed}" for arm in ("baseline", "export") for seed in (1, 2, 3)
    ]
    (file,) = (folder / "tensorboard" / "export" / "seed_2").iterdir()
    found = {
        (value.tag, event.step): round(float(tf.make_ndarray(value.tensor)), 6)
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    assert found == {
        ("train/loss", 10): 1.5,
        ("train/loss", 20): 0.5,
        ("validation/accuracy", 10): 0.5,
        ("validation/accuracy", 20): 0.82,
        ("final/accuracy", 20): 0.82,
        ("final/loss", 20): 0.5,
        ("final/steps_per_second", 20): 4.0,
    }


def test_the_page_tells_what_the_text_tells() -> None:
    page = result_pages.page(_EVALUATION)

    assert "<h1>Evaluation of &lt;bert&gt; on sst2</h1>" in page
    assert "<p>1,800 of train, 100 of validation</p>" in page
    assert "<li>loss: the export is better by 0.1000 for each of 3 seeds alike</li>" in page
    assert '<td class="failed">failed</td>' in page
    assert '<td class="number">0.8300</td>' in page
    assert "<h2>Learning curves</h2>" in page
    assert page.count("<svg") == 2
    assert "://" not in page


def test_the_page_leaves_out_what_there_is_not() -> None:
    page = result_pages.page(_PROBES)

    assert [heading in page for heading in ("Scores", "Learning", "Speed", "Checks")] == [
        *(True, False, False, False),
    ]


def test_learning_curves_are_means_within_bands() -> None:
    training, validation = result_pages.plots(_RUNS)

    assert 'aria-label="training loss: export, baseline"' in training
    assert 'aria-label="validation: accuracy: export, baseline"' in validation
    assert training.count("<polyline") == training.count("<polygon") == 2


def test_a_loss_that_is_no_number_is_left_out_of_the_curve() -> None:
    curve = records.Curve([1, 2], [1.0, math.nan], {}, [])
    (plot,) = result_pages.plots([records.ArmRun("export", 1, {}, curve)])

    assert "nan" not in plot
    assert "<circle" in plot
