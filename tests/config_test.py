import dataclasses
import importlib
import json
import logging
import pathlib
import sys
from collections.abc import Iterator

import gin
import pytest

from exporter import config, errors, gin_parsing, settings

ROOT = "config_test_modes.play"
MODE = '''
"""A mode that does what its parameters say."""

import gin

from exporter import errors, settings


@gin.configurable(module="config_test_modes")
def play(game: str = gin.REQUIRED, players: int = 2, end=None):
    if end is not None:
        end()
    return f"{game} {players} {settings.TokenizerSettings().vocab_file}"


@gin.configurable(module="config_test_modes")
def lose():
    raise errors.UserError("A game must be won.", setting="play.game")


@gin.configurable(module="config_test_modes")
def cheat(then=lambda: None):
    then()
    raise errors.VerificationError("The game was not fair.")
'''


@pytest.fixture(scope="module", autouse=True)
def modes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """The folder of a package with the mode `play` in it. Gin never forgets it."""
    folder = tmp_path_factory.mktemp("modules")
    package = folder / "config_test_modes"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "play.py").write_text(MODE)
    sys.path.insert(0, str(folder))
    yield package
    sys.path.remove(str(folder))


@pytest.fixture(autouse=True)
def _clear() -> Iterator[None]:
    yield
    gin.clear_config()


def _config(*texts: str, files: tuple[str, ...] = ()) -> config.Config:
    sources = tuple(gin_parsing.Source(text, f"text {i}") for i, text in enumerate(texts))
    return config.Config(gin_files=files, bindings=sources)


def _apply(*texts: str, files: tuple[str, ...] = ()) -> config.Resolved:
    resolved = config.resolve(_config(*texts, files=files), ROOT)
    resolved.apply()
    return resolved


def test_later_bindings_win(tmp_path: pathlib.Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.gin").write_text(f"play.game = '{name}'\nplay.players = 4\n")
    files = (str(tmp_path / "one.gin"), str(tmp_path / "two.gin"))
    assert _apply(files=files).run() == "two 4 None"
    assert _apply("play.game = 'three'", "play.game = 'four'", files=files).run() == "four 4 None"


def test_nothing_is_left_of_what_was_applied_before() -> None:
    _apply("play.game = 'chess'\ntokenizer.vocab_file = 'v.txt'")
    assert _apply("play.game = 'go'").run() == "go 2 None"


def test_a_config_is_plain_data() -> None:
    before = dataclasses.replace(_config("play.game = 'chess'"), search_paths=("a",))
    stored = json.loads(json.dumps(dataclasses.asdict(before)))
    stored["bindings"] = tuple(gin_parsing.Source(**source) for source in stored["bindings"])
    lists = {name: tuple(value) for name, value in stored.items()}
    assert config.Config(**lists) == before


def test_search_paths_are_used(tmp_path: pathlib.Path) -> None:
    (tmp_path / "found.gin").write_text("play.game = 'chess'\n")
    asked = config.Config(gin_files=("found.gin",), search_paths=(str(tmp_path),))
    resolved = config.resolve(asked, ROOT)
    assert resolved.where("play.game") == f"{tmp_path}/found.gin:1"


def test_all_mistakes_are_told_at_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "wrong.gin"
    path.write_text(
        "tokenizer.vocab_flie = 'v.txt'\ntokenizer.do_lower_case = %LOWER\n\nLOWR = 'no'\n"
    )
    with pytest.raises(errors.UserErrors) as caught:
        config.resolve(_config("play.players = 'two'", files=(str(path),)), ROOT)
    assert str(caught.value) == (
        "The parameter must be one of tokenizer's: vocab_file, sp_model_file, do_lower_case, "
        "strip_accents, keep_special_tokens, special_tokens. Did you mean vocab_file?\n"
        "  received: tokenizer.vocab_flie = 'v.txt'\n"
        f"  where:    {path}:1\n"
        "A macro that is used must be defined. Did you mean %LOWR?\n"
        "  received: %LOWER\n"
        f"  where:    {path}:2\n"
        "A macro that is defined must be used. Did you mean LOWER?\n"
        "  received: LOWR = 'no'\n"
        f"  where:    {path}:4\n"
        "play.game must be set.\n"
        "  where:    (not set)\n"
        "  example:  --gin_params=\"play.game = 'some value'\""
    )


def test_where_follows_macros() -> None:
    resolved = _apply("NAME = %INNER\nplay.game = %NAME", "INNER = 'chess'")
    assert resolved.where("play.game") == (
        "text 0, line 2, %NAME from text 0, line 1, %INNER from text 1"
    )
    assert resolved.value("play.game") == "chess"
    assert resolved.where("play.players") is None
    assert resolved.value("play.players") is None


def test_where_prefers_our_own_names() -> None:
    gin.external_configurable(settings.MlmSettings, "mlm", module="config_test_other")
    try:
        resolved = _apply("play.game = 'go'", "exporter.mlm.mlm_activation = 'relu'")
        assert resolved.where("mlm.mlm_activation") == "text 1"
    finally:  # Other tests know only one.
        gin.config._REGISTRY.pop("config_test_other.mlm")


def test_a_users_mistake_inside_comes_out_as_it_was_with_its_place() -> None:
    resolved = _apply("play.game = 'chess'\nplay.end = @lose")
    with pytest.raises(errors.UserError) as caught:
        resolved.run()
    assert type(caught.value) is errors.UserError
    assert str(caught.value) == "A game must be won.\n  where:    text 0, line 1"


def test_a_failed_verification_comes_out_as_it_was() -> None:
    resolved = _apply("play.game = 'chess'\nplay.end = @cheat")
    with pytest.raises(errors.VerificationError) as caught:
        resolved.run()
    assert str(caught.value) == "The game was not fair."


def test_unwrap_finds_what_was_raised_below_several_configurables() -> None:
    resolved = _apply("play.game = 'go'\nplay.end = @cheat\ncheat.then = @lose")
    with pytest.raises(errors.UserError) as wrapped, gin.unlock_config():
        gin.get_configurable(resolved.root)()
    assert type(wrapped.value) is not errors.UserError
    assert "In call to configurable 'cheat'" in str(wrapped.value)
    assert str(config.unwrap(wrapped.value)) == "A game must be won."
    plain = errors.UserError("Not raised by gin.")
    assert config.unwrap(plain) is plain


def test_the_root_may_import_what_registers_configurables(modes: pathlib.Path) -> None:
    """A locked gin refuses it, and TF-NLP is imported that late."""
    (modes / "late.py").write_text("import gin\n@gin.configurable\ndef very_late(): pass\n")
    resolved = _apply("play.game = 'go'\nplay.end = @import_late")
    assert resolved.run() == "go 2 None"
    assert gin.config_is_locked()


@gin.configurable
def import_late() -> None:
    importlib.import_module("config_test_modes.late")


def test_record_holds_what_was_said_and_what_was_used(tmp_path: pathlib.Path) -> None:
    resolved = _apply(
        "tokenizer.vocab_file = %VOCAB\nVOCAB = 'v.txt'\nplay.game = 'go'\nTrainer.x = 1\n"
        "preprocessing.default_seq_length = 64"
    )
    resolved.run()
    resolved.record(str(tmp_path / "a" / "record"))
    parsed = (tmp_path / "a" / "record" / "parsed.gin").read_text()
    assert [line for line in parsed.split("\n") if line and "===" not in line] == [
        "# Ignored, since only training uses them (bindings): Trainer (1)",
        "# Macros:",
        "VOCAB = 'v.txt'",
        "# Parameters for play:",
        "play.game = 'go'",
        "# Parameters for preprocessing:",
        "preprocessing.default_seq_length = 64",
        "# Parameters for tokenizer:",
        "tokenizer.vocab_file = %VOCAB",
    ]
    operative = (tmp_path / "a" / "record" / "operative.gin").read_text()
    assert "play.players = 2\n" in operative
    assert "preprocessing" not in operative


def test_a_record_is_a_gin_file_that_says_the_same(tmp_path: pathlib.Path) -> None:
    first = _apply("play.game = %G\nG = 'go'\nplay.players = 3\ntokenizer.vocab_file = \"it's\"")
    before = first.text()
    first.record(str(tmp_path))
    again = _apply(files=(str(tmp_path / "parsed.gin"),))
    assert again.text() == before
    assert again.run() == "go 3 it's"


def test_text_does_not_depend_on_the_order_in_which_things_were_said() -> None:
    lines = ["play.game = 'go'", "tokenizer.vocab_file = 'v'", "A = 1", "play.players = %A"]
    assert _apply(*lines).text() == _apply(*reversed(lines)).text()


def test_what_is_ignored_is_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="exporter"):
        _apply("play.game = 'go'\nTrainer.x = 1\nTrainer.y = 2\nbuild_optimizer.z = %Z\nZ = 1")
    assert caplog.messages == [
        "Ignored, since only training uses them (bindings): Trainer (2), build_optimizer (1)"
    ]


def test_a_users_package_is_imported_first(modes: pathlib.Path) -> None:
    (modes / "own.py").write_text("import gin\n@gin.configurable\ndef my_own(x=1): pass\n")
    text = "play.game = 'go'\nplay.end = @my_own\nmy_own.x = 2\n"
    with pytest.raises(errors.UserError):
        config.resolve(_config(text), ROOT)
    resolved = _apply(f"import config_test_modes.own\n{text}")
    assert resolved.run() == "go 2 None"
    assert "import config_test_modes.own" in resolved.text()


def test_a_package_that_is_missing_is_told() -> None:
    with pytest.raises(errors.UserError) as caught:
        config.resolve(_config("play.game = 'go'\nimport no_such_package.part"), ROOT)
    assert str(caught.value) == (
        "What a gin file imports must be a module that can be imported: installed, or in a folder "
        "that PYTHONPATH names.\n"
        "  received: import no_such_package.part (No module named 'no_such_package')\n"
        "  where:    text 0, line 2\n"
        "  example:  PYTHONPATH=/path/to/your/folder python launch.py ..."
    )


@pytest.mark.filterwarnings("ignore:distutils Version classes are deprecated")
def test_gins_own_tensorflow_module_does_not_work_and_says_so() -> None:
    with pytest.raises(errors.UserError) as caught:
        config.resolve(_config("import gin.tf.external_configurables"), ROOT)
    assert caught.value.received == (
        "import gin.tf.external_configurables (module 'tensorflow' has no attribute 'estimator')"
    )
    assert isinstance(caught.value.__cause__, AttributeError)


def test_a_package_that_fails_is_its_own_fault(modes: pathlib.Path) -> None:
    (modes / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        config.resolve(_config("import config_test_modes.broken"), ROOT)


def test_dynamic_registration_works() -> None:
    resolved = _apply(
        "from __gin__ import dynamic_registration\nfrom config_test_modes import play as p\n"
        "p.play.game = 'go'\np.play.players = 5\n"
    )
    assert resolved.run() == "go 5 None"


def test_what_only_gin_can_judge_is_told_with_its_place() -> None:
    with pytest.raises(errors.UserError) as caught:
        _apply(
            "from __gin__ import dynamic_registration\nfrom config_test_modes import play as p\n"
            "p.play.gaem = 'go'\np.play.game = 'go'\n"
        )
    assert str(caught.value) == (
        "Gin must accept the statement; it says: Configurable 'p.play' doesn't have a parameter "
        "named 'gaem'.\n"
        "  received: p.play.gaem = 'go'\n"
        "  where:    text 0, line 3"
    )


def test_gins_file_search_is_not_touched() -> None:
    before = list(gin.config._LOCATION_PREFIXES)
    asked = config.Config(bindings=_config("play.game = 'go'").bindings, search_paths=("a",))
    config.resolve(asked, ROOT).apply()
    assert before == gin.config._LOCATION_PREFIXES
