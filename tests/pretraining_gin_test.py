import logging
import pathlib

import pytest

from exporter import config, errors, gin_parsing, pretraining_gin

ROOT = "exporter.export"
# As the trainer writes it, with defaults and what only it uses.
RECORD = """\
# Macros:
# ==============================================================================
FIRST = True
RATE = 0.1

# Parameters for BertPretrainerV2:
# ==============================================================================
BertPretrainerV2.customized_masked_lm = None
BertPretrainerV2.name = 'bert'

# Parameters for build_encoder:
# ==============================================================================
build_encoder.bypass_config = False
build_encoder.embedding_layer = None
build_encoder.encoder_cls = @EncoderScaffold

# Parameters for build_optimizer:
# ==============================================================================
build_optimizer.gradient_aggregator = None
build_optimizer.postprocessor = %RATE

# Parameters for EncoderScaffold:
# ==============================================================================
EncoderScaffold.embedding_cls = None
EncoderScaffold.hidden_cls = @TransformerScaffold

# Parameters for get_eval_actions:
# ==============================================================================
# None.

# Parameters for TransformerScaffold:
# ==============================================================================
TransformerScaffold.attention_cls = @TalkingHeadsAttention
TransformerScaffold.inner_dim = 768
TransformerScaffold.norm_epsilon = 1e-12
TransformerScaffold.norm_first = %FIRST
"""
PLAIN = "build_encoder.encoder_cls = None\nbuild_encoder.bypass_config = False\n"


@pytest.fixture
def run(tmp_path: pathlib.Path) -> pathlib.Path:
    """A run's directory, as far as gin is concerned."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "operative_config.train.gin").write_text(RECORD)
    return folder


def _resolve(run: pathlib.Path | str, *texts: str) -> config.Resolved:
    sources = [f"pretraining.pretraining_dir = '{run}'", "export.export_path = 'out'", *texts]
    bindings = tuple(gin_parsing.Source(text, f"text {i - 2}") for i, text in enumerate(sources))
    return config.resolve(config.Config(bindings=bindings), ROOT)


def _mistakes(run: pathlib.Path, *texts: str) -> list[str]:
    with pytest.raises(errors.UserError) as caught:
        _resolve(run, *texts)
    found = caught.value
    return [str(e) for e in (found.errors if isinstance(found, errors.UserErrors) else [found])]


def test_the_record_is_applied_without_what_is_so_anyway(run: pathlib.Path) -> None:
    resolved = _resolve(run)
    assert [binding.text for binding in resolved.bindings if binding.recorded] == [
        "FIRST = True",
        "build_encoder.encoder_cls = @EncoderScaffold",
        "EncoderScaffold.hidden_cls = @TransformerScaffold",
        "TransformerScaffold.attention_cls = @TalkingHeadsAttention",
        "TransformerScaffold.norm_first = %FIRST",
    ]
    assert resolved.value("TransformerScaffold.norm_first") is True
    assert resolved.where("build_encoder.encoder_cls") == f"{run}/operative_config.train.gin:15"
    assert resolved.notes == (f"Applied first: {run}/operative_config.train.gin",)


def test_for_a_run_without_gin_nothing_of_tf_nlp_is_needed(run: pathlib.Path) -> None:
    (run / "operative_config.train.gin").write_text(PLAIN)
    assert {entry.module for entry in _resolve(run).used} == {None}


def test_the_directory_may_come_from_a_gin_file_and_a_macro(
    run: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "user.gin"
    path.write_text(f"RUN = '{run}/'\nexporter.pretraining.pretraining_dir = %RUN\n")
    source = gin_parsing.Source("export.export_path = 'out'", "text")
    resolved = config.resolve(config.Config((str(path),), (source,)), ROOT)
    assert resolved.value("EncoderScaffold.hidden_cls") is not None


@pytest.mark.parametrize(
    ("modes", "chosen"),
    [
        (["eval", "train"], "train"),
        (["eval", "train_and_eval", "my_own"], "train_and_eval"),
        (["continuous_eval", "eval"], "eval"),
        (["zebra", "ape"], "ape"),
    ],
)
def test_the_trainers_record_is_preferred(
    modes: list[str], chosen: str, tmp_path: pathlib.Path
) -> None:
    for mode in modes:
        (tmp_path / f"operative_config.{mode}.gin").write_text(PLAIN)
    assert _resolve(tmp_path).notes == (f"Applied first: {tmp_path}/operative_config.{chosen}.gin",)


def test_a_run_that_was_stopped_left_none_and_that_is_logged(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="exporter"):
        _resolve(tmp_path).apply()
    assert caplog.messages == [
        (
            f"{tmp_path} has no operative_config.*.gin, for a run that is stopped leaves none. "
            "If it was trained with gin files, name them by --gin_file."
        )
    ]


def test_a_folder_that_is_not_there_is_told_by_who_needs_it(tmp_path: pathlib.Path) -> None:
    assert _resolve(tmp_path / "nothing").notes == ()


def test_no_run_no_record() -> None:
    assert pretraining_gin.read([]) is None


def test_a_remote_record_is_applied(run: pathlib.Path) -> None:
    resolved = _resolve(f"file://{run}")
    assert resolved.where("build_encoder.encoder_cls") == (
        f"file://{run}/operative_config.train.gin:15"
    )


def test_what_is_set_otherwise_is_refused_and_all_of_it(run: pathlib.Path) -> None:
    told = _mistakes(
        run,
        "TransformerScaffold.norm_first = False",
        "NORM = 1e-6\nTransformerScaffold.norm_epsilon = %NORM",
        "EncoderScaffold.hidden_cls = @ReZeroTransformer",
    )
    assert told == [
        (
            "An encoder must be built as it was trained, unless the difference is allowed by "
            "name.\n"
            "  received: EncoderScaffold.hidden_cls = @ReZeroTransformer, trained with "
            f"@TransformerScaffold ({run}/operative_config.train.gin:25)\n"
            "  where:    text 2\n"
            "  example:  pretraining.allow_overrides = ['EncoderScaffold.hidden_cls']"
        ),
        (
            "An encoder must be built as it was trained, unless the difference is allowed by "
            "name.\n"
            "  received: TransformerScaffold.norm_epsilon = 1e-06, trained with 1e-12 "
            f"({run}/operative_config.train.gin:35)\n"
            "  where:    text 1, line 2, %NORM from text 1, line 1\n"
            "  example:  pretraining.allow_overrides = ['TransformerScaffold.norm_epsilon']"
        ),
        (
            "An encoder must be built as it was trained, unless the difference is allowed by "
            "name.\n"
            "  received: TransformerScaffold.norm_first = False, trained with True "
            f"({run}/operative_config.train.gin:36)\n"
            "  where:    text 0\n"
            "  example:  pretraining.allow_overrides = ['TransformerScaffold.norm_first']"
        ),
    ]


def test_a_macro_of_the_same_name_is_no_way_around(run: pathlib.Path) -> None:
    (told,) = _mistakes(run, "FIRST = False")
    assert "TransformerScaffold.norm_first = False, trained with True" in told
    assert f"where:    {run}/operative_config.train.gin:36, %FIRST from text 0" in told


@pytest.mark.parametrize(
    "name",
    ["norm_first", "TransformerScaffold.norm_first", "transformer_scaffold.TransformerScaffold.x"],
)
def test_an_override_is_allowed_by_its_name(name: str, run: pathlib.Path) -> None:
    texts = (
        f"pretraining.allow_overrides = ['dropout_rate', '{name}']",
        "TransformerScaffold.norm_first = False",
    )
    if name.endswith(".x"):
        assert len(_mistakes(run, *texts)) == 1
    else:
        assert _resolve(run, *texts).value("TransformerScaffold.norm_first") is False


@pytest.mark.parametrize(
    "text",
    [
        "TransformerScaffold.norm_first = True",
        "EncoderScaffold.hidden_cls = @layers.transformer_scaffold.TransformerScaffold",
        "transformer_scaffold.TransformerScaffold.norm_epsilon = 0.000000000001",
        "YES = True\nTransformerScaffold.norm_first = %YES",
        "TransformerScaffold.feedforward_cls = @GatedFeedforward",
    ],
)
def test_what_is_the_same_or_was_not_recorded_is_no_override(text: str, run: pathlib.Path) -> None:
    _resolve(run, text)


def test_what_only_training_uses_may_differ(run: pathlib.Path) -> None:
    _resolve(run, "build_optimizer.gradient_aggregator = 1")


def test_a_scope_is_part_of_the_name(run: pathlib.Path) -> None:
    with (run / "operative_config.train.gin").open("a") as file:
        file.write("teacher/TransformerScaffold.norm_first = False\n")
    (told,) = _mistakes(run, "teacher/TransformerScaffold.norm_first = True")
    assert "teacher/TransformerScaffold.norm_first = True, trained with False" in told


def test_what_training_dropped_is_noted_and_what_a_user_adds_is_refused(run: pathlib.Path) -> None:
    line = "TransformerScaffold.use_bias = False"
    with (run / "operative_config.train.gin").open("a") as file:
        file.write(f"{line}\n")
    assert _resolve(run).notes[1:] == (
        (
            f"{run}/operative_config.train.gin:37: {line} had no effect in pre-training, since "
            "TransformerScaffold drops arguments that it does not know; nor has it here."
        ),
    )
    (told,) = _mistakes(run, line)
    assert "TransformerScaffold accepts any other and drops it." in told


def test_an_import_of_the_record_may_fail_with_a_note(run: pathlib.Path) -> None:
    path = run / "operative_config.train.gin"
    path.write_text(f"import no_such_package.experiments\nimport json\n{PLAIN}")
    resolved = _resolve(run)
    assert resolved.notes[1:] == (
        (
            f"{path}:1: left out, for it fails here: import no_such_package.experiments "
            "(No module named 'no_such_package')"
        ),
    )
    assert [item.text for item in resolved.statements if item.recorded] == ["import json"]
    resolved.apply()


def test_a_damaged_record_is_a_mistake(run: pathlib.Path) -> None:
    (run / "operative_config.train.gin").write_text("build_encoder.encoder_cls = @\n")
    (told,) = _mistakes(run)
    assert f"where:    {run}/operative_config.train.gin:1" in told


def test_names_that_the_record_has_are_judged_as_the_users(run: pathlib.Path) -> None:
    with (run / "operative_config.train.gin").open("a") as file:
        file.write("my_loop.steps = 3\n")
    (told,) = _mistakes(run)
    assert told.startswith("There must be a configurable of this name.")
    _resolve(run, "config.ignored_configurables = ['my_loop']")
