"""Tests of the gin files that come with the project."""

import dataclasses
import pathlib
from collections.abc import Iterator

import gin
import pytest

from exporter import config, gin_files, gin_parsing, settings

_RUNS = gin_files.PROJECT_FOLDER / "configs" / "runs"
# Evaluations have a mode of their own, and what it needs beside an export.
RUN_FILES = sorted(path for path in _RUNS.glob("*.gin") if path.stem != "evaluate")
ENCODER_FILES = sorted((gin_files.PROJECT_FOLDER / "configs" / "encoders").glob("*.gin"))


@pytest.fixture(autouse=True)
def _clear() -> Iterator[None]:
    yield
    gin.clear_config()


def _resolve(path: str) -> config.Resolved:
    """Reads a file as if only the target were still to be given."""
    target = gin_parsing.Source("export.export_path = 'out'", "there")
    return config.resolve(config.Config((path,), (target,)), "exporter.export")


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.stem)
def test_run_files_lack_nothing_but_what_they_say(path: pathlib.Path) -> None:
    text = path.read_text()
    assert "# Must be bound: export.export_path" in text
    assert "# Commonly changed:" in text
    resolved = _resolve(str(path))
    assert resolved.value("export.export_type") in (
        "model",
        "model_with_mlm",
        "preprocessing",
        "text_embedding",
        "all",
    )


def test_the_file_of_evaluations_lacks_nothing_but_what_it_says() -> None:
    path = _RUNS / "evaluate.gin"
    assert "# Must be bound: export.export_path" in path.read_text()
    assert "# Commonly changed:" in path.read_text()
    resolved = config.resolve(config.Config((str(path),)), "exporter.evaluate")
    assert str(resolved.value("evaluate.task")) == "@text_files()"


@pytest.mark.parametrize("path", ENCODER_FILES, ids=lambda path: path.stem)
def test_encoder_files_make_the_configuration_of_their_type(path: pathlib.Path) -> None:
    from official.nlp.configs import encoders

    resolved = _resolve(str(path))
    resolved.apply()
    made = settings.EncoderSettings()
    expected = getattr(encoders.EncoderConfig(), made.type)
    assert type(made.config) is type(expected)
    assert path.read_text().startswith("# ")


def test_there_is_a_file_for_every_type_of_encoder() -> None:
    from official.nlp.configs import encoders

    made = set()
    for path in ENCODER_FILES:
        resolved = _resolve(str(path))
        made.add(resolved.value("encoder.type"))
    fields = {field.name for field in dataclasses.fields(encoders.EncoderConfig)}
    assert made == fields - {"default_params", "restrictions", "type", "any"}


@pytest.mark.parametrize(
    ("name", "layers", "width", "heads", "inner"),
    [
        ("bert_tiny", 2, 128, 2, 512),
        ("bert_mini", 4, 256, 4, 1024),
        ("bert_small", 4, 512, 8, 2048),
        ("bert_medium", 8, 512, 8, 2048),
        ("bert_base", 12, 768, 12, 3072),
        ("bert_large", 24, 1024, 16, 4096),
    ],
)
def test_published_bert_sizes(name: str, layers: int, width: int, heads: int, inner: int) -> None:
    path = f"configs/encoders/{name}.gin"
    _resolve(path).apply()
    made = settings.EncoderSettings().config
    assert (made.num_layers, made.hidden_size) == (layers, width)
    assert (made.num_attention_heads, made.intermediate_size) == (heads, inner)


def test_the_bundled_runs_own_gin_works_unchanged() -> None:
    path = (
        gin_files.PROJECT_FOLDER / "tests" / "testdata" / "bert_tiny" / "operative_config.train.gin"
    )
    resolved = _resolve(str(path))
    resolved.apply()
    assert {binding.selector for binding in resolved.ignored} == {
        "Trainer",
        "USE_LEGACY_OPTIMIZER",
        "build_optimizer",
    }
    assert gin.query_parameter("BertPretrainerV2.name") == "bert"


def test_the_demo_lacks_nothing() -> None:
    asked = config.Config((str(gin_files.PROJECT_FOLDER / "configs" / "demo.gin"),))
    resolved = config.resolve(asked, "exporter.export")
    assert resolved.value("export.export_type") == "all"
    files = ("encoder.encoder_config_file", "tokenizer.vocab_file")
    for setting in (*files, "checkpoint.model_checkpoint_path"):
        assert (gin_files.PROJECT_FOLDER / resolved.value(setting)).exists(), setting
