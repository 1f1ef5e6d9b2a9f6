"""The tasks of GLUE, from data that tensorflow-datasets has prepared."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from exporter import errors
from exporter.evaluation import examples, glue
from tests import layers

# tensorflow-datasets asks protobuf in a way that is going.
pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True, scope="module")
def _packages() -> Iterator[None]:
    with layers.added("evaluate", "tensorflow_datasets"):
        yield


def _prepare(
    name: str, folder: pathlib.Path, splits: Mapping[str, Sequence[Mapping[str, Any]]]
) -> glue.Glue:
    """Writes rows as tensorflow-datasets writes what it fetched."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(f"glue/{name}", data_dir=folder)
    tfds.dataset_builders.store_as_tfds_dataset(
        name="glue",
        version=builder.version,
        features=builder.info.features,
        split_datasets={split: list(enumerate(rows)) for split, rows in splits.items()},
        config=builder.builder_config,
        data_dir=folder,
        disable_shuffling=True,
    )
    return glue.Glue(name=name, data_dir=str(folder))


def test_mnli_is_validated_twice(tmp_path: pathlib.Path) -> None:
    def rows(*labels: int) -> list[dict[str, Any]]:
        return [
            {"premise": f"Caf\u00e9 {n}.", "hypothesis": f"{n}?", "label": label, "idx": n}
            for n, label in enumerate(labels)
        ]

    splits = {
        "train": rows(0, 1, 2),
        "validation_matched": rows(2),
        "validation_mismatched": rows(1, 1),
        "test_matched": rows(-1),
    }
    task = _prepare("mnli", tmp_path, splits)
    assert task.mistakes() == []
    found = task.read()
    assert found.task == "glue/mnli"
    assert found.classes == ("entailment", "neutral", "contradiction")
    assert found.metric == "accuracy"
    texts = [(f"Caf\u00e9 {n}.", f"{n}?") for n in range(3)]
    assert found.train == examples.Split(texts, [0, 1, 2])
    assert found.validation == {
        "validation_matched": examples.Split(texts[:1], [2]),
        "validation_mismatched": examples.Split(texts[:2], [1, 1]),
    }


def test_scores_of_stsb(tmp_path: pathlib.Path) -> None:
    rows = [{"sentence1": "One.", "sentence2": "Two.", "label": 2.5, "idx": 0}]
    found = _prepare("stsb", tmp_path, {"train": rows, "validation": rows}).read()
    assert found.is_regression
    assert found.metric == "pearson_spearman_corr"
    assert found.train == examples.Split([("One.", "Two.")], [2.5])


def test_all_tasks_are_of_tensorflow_datasets() -> None:
    from tensorflow_datasets.text import glue as tfds_glue

    configs = {config.name: config for config in tfds_glue.Glue.BUILDER_CONFIGS}
    assert set(glue.NAMES) == set(configs) - {
        *("ax", "mnli_matched", "mnli_mismatched"),  # Without examples to train on.
    }
    for name, task in glue.NAMES.items():
        assert set(task.texts) == set(configs[name].text_features)


def test_data_that_is_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UserError) as told:
        glue.Glue(name="rte", data_dir=str(tmp_path)).read()
    assert str(told.value) == (
        "The data of the task must be there, prepared by tensorflow-datasets, or be fetched.\n"
        f"  received: nothing in {tmp_path}/glue/rte/2.0.0\n"
        "  example:  glue.download = True"
    )


@pytest.mark.parametrize(
    ("message", "told"),
    [("No route to host.\nAsk again.", "No route to host."), ("", "ConnectionError")],
)
def test_data_that_cannot_be_fetched(
    message: str, told: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import downloader

    usual = downloader.MAX_RETRIES

    def fetch(_: Any) -> None:
        assert usual > downloader.MAX_RETRIES
        raise ConnectionError(message)

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fetch)
    with pytest.raises(errors.UserError) as found:
        glue.Glue(name="rte", data_dir=str(tmp_path), download=True).read()
    assert str(found.value) == (
        "The data of the task must be there or be fetched, which failed; tensorflow-datasets says: "
        f"{told}\n"
        "  received: glue/rte\n"
        "  example:  glue.data_dir = '/data/tensorflow_datasets', with the data prepared"
    )
    assert usual == downloader.MAX_RETRIES


def test_a_task_of_another_name() -> None:
    (mistake,) = glue.Glue(name="sst").mistakes()
    assert str(mistake) == (
        "glue.name must be one of cola, mnli, mrpc, qnli, qqp, rte, sst2, stsb, wnli.\n"
        "  received: sst\n"
        "  example:  glue.name = 'mrpc'"
    )
