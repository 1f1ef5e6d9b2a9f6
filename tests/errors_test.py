from __future__ import annotations

import pytest

from exporter import errors


def _vocab_error(**kwargs: str) -> errors.UserError:
    return errors.UserError("The file must exist.", **kwargs)


class TestUserError:
    def test_text_of_the_rule_alone(self) -> None:
        assert str(_vocab_error()) == "The file must exist."

    def test_text_of_everything(self) -> None:
        error = _vocab_error(
            example="--vocab_file=vocab.txt",
            received="vocab.tx",
            where="run.gin:3",
            setting="tokenizer.vocab_file",
        )
        assert str(error) == (
            "The file must exist.\n"
            "  received: vocab.tx\n"
            "  where:    run.gin:3\n"
            "  example:  --vocab_file=vocab.txt"
        )

    def test_received_nothing_is_told_as_well(self) -> None:
        assert str(_vocab_error(received="")) == "The file must exist.\n  received: "

    def test_what_was_received_is_not_told_without_end(self) -> None:
        text = str(_vocab_error(received="a" * 100_000))
        assert text == f"The file must exist.\n  received: {'a' * 1000}... (100000 characters)"

    def test_locate_asks_for_the_setting(self) -> None:
        error = _vocab_error(setting="tokenizer.vocab_file")
        error.locate({"tokenizer.vocab_file": "--vocab_file"}.get)
        assert str(error) == "The file must exist.\n  where:    --vocab_file"

    def test_locate_names_a_setting_that_nobody_set(self) -> None:
        error = _vocab_error(setting="tokenizer.vocab_file")
        error.locate(lambda setting: None)
        assert error.where == "tokenizer.vocab_file (not set)"

    def test_locate_keeps_a_place_that_is_known(self) -> None:
        error = _vocab_error(where="run.gin:3", setting="tokenizer.vocab_file")
        error.locate(lambda setting: "elsewhere")
        assert error.where == "run.gin:3"

    def test_locate_without_a_setting(self) -> None:
        error = _vocab_error()
        error.locate(lambda setting: pytest.fail(f"asked for {setting}"))
        assert error.where is None


class TestUserErrors:
    def test_text_is_that_of_each_in_order(self) -> None:
        several = errors.UserErrors([_vocab_error(received="a"), errors.UserError("Second.")])
        assert str(several) == "The file must exist.\n  received: a\nSecond."

    def test_locate_reaches_each(self) -> None:
        several = errors.UserErrors([_vocab_error(setting="a.b"), _vocab_error(setting="c.d")])
        several.locate({"a.b": "--b", "c.d": "--d"}.get)
        assert [error.where for error in several.errors] == ["--b", "--d"]


class TestRaiseAll:
    def test_none(self) -> None:
        errors.raise_all([])

    def test_one_is_raised_itself(self) -> None:
        error = _vocab_error()
        with pytest.raises(errors.UserError) as raised:
            errors.raise_all([error])
        assert raised.value is error

    def test_several_are_raised_together(self) -> None:
        several = [_vocab_error(received="a"), _vocab_error(received="b")]
        with pytest.raises(errors.UserErrors) as raised:
            errors.raise_all(several)
        assert raised.value.errors == tuple(several)


def test_exit_statuses() -> None:
    assert (errors.EXIT_USER_ERROR, errors.EXIT_VERIFICATION_FAILED) == (2, 3)


def test_a_failed_verification_is_no_user_error() -> None:
    assert not issubclass(errors.VerificationError, errors.UserError)
