import pathlib

import gin
import pytest

from exporter import configurables, errors, flags_table

PREDECESSOR_FLAGS = {
    "export_type",
    "export_path",
    "encoder_config_file",
    "bert_config_file",
    "copy_pooler_dense_to_encoder",
    "model_checkpoint_path",
    "vocab_file",
    "sp_model_file",
    "do_lower_case",
    "default_seq_length",
    "tokenize_with_offsets",
    "experimental_disable_assert_in_preprocessing",
}


def _texts(given: dict[str, str]) -> list[str]:
    return [binding.text for binding in flags_table.bindings(given)]


def test_holds_every_flag_of_the_predecessor_once() -> None:
    names = [flag.name for flag in flags_table.FLAGS]
    assert len(names) == len(set(names))
    assert set(names) >= PREDECESSOR_FLAGS


@pytest.mark.parametrize("flag", flags_table.FLAGS, ids=lambda flag: flag.name)
def test_flag_binds_a_parameter_that_exists(flag: flags_table.Flag) -> None:
    import exporter.evaluate
    import exporter.verify  # noqa: F401 (and of export)

    selector, _, parameter = flag.setting.rpartition(".")
    entry = configurables.find_one(f"exporter.{selector}")
    assert entry is not None
    assert parameter in entry.parameters


@pytest.mark.parametrize("flag", flags_table.FLAGS, ids=lambda flag: flag.name)
def test_example_is_a_right_value(flag: flags_table.Flag) -> None:
    import exporter.evaluate
    import exporter.verify  # noqa: F401 (and of export)

    binding = flag.binding(flag.example)
    assert binding is not None
    gin.clear_config()
    gin.parse_config(binding.text)
    gin.clear_config()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"vocab_file": "v.txt"}, "exporter.tokenizer.vocab_file = 'v.txt'"),
        ({"vocab_file": "it's.txt"}, 'exporter.tokenizer.vocab_file = "it\'s.txt"'),
        ({"do_lower_case": "true"}, "exporter.tokenizer.do_lower_case = True"),
        ({"do_lower_case": "F"}, "exporter.tokenizer.do_lower_case = False"),
        ({"default_seq_length": "64"}, "exporter.preprocessing.default_seq_length = 64"),
        ({"checkpoint": "best"}, "exporter.pretraining.checkpoint = 'best'"),
        ({"checkpoint": "1000"}, "exporter.pretraining.checkpoint = 1000"),
        (
            {"copy_pooler_dense_to_encoder": "true"},
            "exporter.export.pooler = @next_sentence_pooler",
        ),
        ({"copy_pooler_dense_to_encoder": "0"}, "exporter.export.pooler = @restored_pooler"),
        (
            {"experimental_disable_assert_in_preprocessing": "true"},
            "exporter.preprocessing.disable_assert = True",
        ),
    ],
)
def test_value_becomes_gin_text(given: dict[str, str], expected: str) -> None:
    assert _texts(given) == [expected]


def test_binding_says_which_flag_it_came_from() -> None:
    (binding,) = flags_table.bindings({"vocab_file": "v.txt"})
    assert binding.where == "--vocab_file=v.txt"


def test_flags_that_were_not_given_bind_nothing() -> None:
    assert flags_table.bindings({}) == ()


def test_empty_text_is_as_if_not_given() -> None:
    assert _texts({"vocab_file": "", "sp_model_file": "a.model"}) == [
        "exporter.tokenizer.sp_model_file = 'a.model'"
    ]


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(errors.UserErrors) as caught:
        flags_table.bindings({"default_seq_length": "long", "overwrite": "maybe"})
    assert str(caught.value) == (
        "--overwrite takes true or false.\n"
        "  received: --overwrite=maybe\n"
        "  example:  --overwrite=true\n"
        "--default_seq_length takes an integer.\n"
        "  received: --default_seq_length=long\n"
        "  example:  --default_seq_length=128"
    )


def test_example_of_a_setting_without_a_flag_is_a_gin_binding() -> None:
    assert flags_table.example("export.export_path") == "--export_path=/tmp/bert_model"
    assert flags_table.example("HIDDEN") == "--gin_params=\"HIDDEN = 'some value'\""


def test_is_pure() -> None:
    """Nothing of the table looks at files: a path that does not exist is as good as any."""
    missing = pathlib.Path("no/such/vocab.txt")
    assert not missing.exists()
    assert _texts({"vocab_file": str(missing)}) == [
        "exporter.tokenizer.vocab_file = 'no/such/vocab.txt'"
    ]
