import gin

import exporter.config
import exporter.export
from exporter import configurables, gin_checks, gin_parsing

_PATH = "export.export_path = 'out'\n"


def _check(text: str) -> gin_checks.Findings:
    parsed = gin_parsing.parse([], [gin_parsing.Source(text, "there")])
    (root,) = configurables.fits("exporter.export")
    return gin_checks.check(parsed, root)


def _mistakes(text: str) -> list[str]:
    return [str(mistake) for mistake in _check(text).mistakes]


def test_a_right_configuration_has_no_mistakes() -> None:
    findings = _check(
        _PATH + "encoder.type = 'bert'\nencoder.config = @BertEncoderConfig()\n"
        "BertEncoderConfig.num_layers = %LAYERS\nLAYERS = 6\n"
    )
    assert findings.mistakes == []
    assert set(gin_checks.used(findings.kept)) == {
        "exporter.export",
        "exporter.encoder",
        "encoders.BertEncoderConfig",
    }
    assert len(findings.kept) == 5
    assert findings.ignored == []


def test_unknown_parameter() -> None:
    assert _mistakes(_PATH + "tokenizer.vocab_flie = 'v.txt'") == [
        (
            "The parameter must be one of tokenizer's: vocab_file, sp_model_file, do_lower_case, "
            "strip_accents, keep_special_tokens, special_tokens. Did you mean vocab_file?\n"
            "  received: tokenizer.vocab_flie = 'v.txt'\n"
            "  where:    there, line 2"
        )
    ]


def test_unknown_parameter_of_tf_nlp() -> None:
    (mistake,) = _mistakes(_PATH + "build_encoder.encoder_class = @EncoderScaffold")
    assert mistake == (
        "The parameter must be one of build_encoder's: config, embedding_layer, encoder_cls, "
        "bypass_config. Did you mean encoder_cls?\n"
        "  received: build_encoder.encoder_class = @EncoderScaffold\n"
        "  where:    there, line 2"
    )


def test_unknown_configurable_with_a_guess() -> None:
    assert _mistakes(_PATH + "tokenzier.vocab_file = 'v.txt'") == [
        (
            "There must be a configurable of this name. Did you mean tokenizer?\n"
            "  received: tokenzier\n"
            "  where:    there, line 2\n"
            "  example:  config.ignored_configurables = ['tokenzier'], if only training uses it"
        )
    ]


def test_unknown_configurable_without_a_guess_is_told_once() -> None:
    text = "".join(f"my_loop.x{i} = 1\n" for i in range(5))
    assert _mistakes(_PATH + text) == [
        (
            "There must be a configurable of this name. If a package of yours has it, "
            "the gin file must import that.\n"
            "  received: my_loop\n"
            "  where:    there, line 2, there, line 3, there, line 4 and 2 more\n"
            "  example:  config.ignored_configurables = ['my_loop'], if only training uses it"
        )
    ]


def test_unknown_reference_inside_a_value() -> None:
    assert _mistakes(_PATH + "build_encoder.encoder_cls = @EncodrScaffold") == [
        (
            "There must be a configurable of this name. Did you mean EncoderScaffold?\n"
            "  received: @EncodrScaffold\n"
            "  where:    there, line 2"
        )
    ]


def test_unknown_reference_of_a_macro() -> None:
    (mistake,) = _mistakes(_PATH + "P = @identity_poler\nexport.pooler = %P")
    assert "Did you mean identity_pooler?" in mistake


def test_ambiguous_name() -> None:
    @gin.configurable("ambiguous", module="gin_checks_test.one")
    def one(x: int = 1) -> int:
        return x

    @gin.configurable("ambiguous", module="gin_checks_test.two")
    def two(x: int = 1) -> int:
        return x

    assert _mistakes(_PATH + "ambiguous.x = 1") == [
        (
            "The name of a configurable must fit only one.\n"
            "  received: ambiguous, which fits gin_checks_test.one.ambiguous, "
            "gin_checks_test.two.ambiguous\n"
            "  where:    there, line 2\n"
            "  example:  gin_checks_test.one.ambiguous"
        )
    ]
    assert _mistakes(_PATH + "two.ambiguous.x = 1") == []


def test_training_only_bindings_are_ignored_with_what_only_they_use() -> None:
    findings = _check(
        _PATH + "SHARED = 1\nLEGACY = %INNER\nINNER = @MyOptimizer()\n"
        "build_optimizer.use_legacy_optimizer = %LEGACY\n"
        "eval/official.core.base_trainer.Trainer.x = (%SHARED, @MyOwn)\n"
        "mlm.mlm_activation = %SHARED\n"
    )
    # The one mistake is the wrong type of SHARED, which something else uses, too.
    assert [mistake.received for mistake in findings.mistakes] == [
        "mlm.mlm_activation = %SHARED = 1"
    ]
    assert sorted(binding.name for binding in findings.ignored) == [
        "INNER",
        "LEGACY",
        "build_optimizer.use_legacy_optimizer",
        "eval/official.core.base_trainer.Trainer.x",
    ]


def test_a_users_own_are_ignored_on_request() -> None:
    text = _PATH + "MyTrainer.loop = @MyLoop\nmy.Other.x = 1\n"
    assert len(_mistakes(text)) == 3
    findings = _check(text + "config.ignored_configurables = ['MyTrainer', 'my.Other']")
    assert findings.mistakes == []
    assert len(findings.ignored) == 2


def test_what_is_to_be_ignored_must_be_names() -> None:
    (mistake, _) = _mistakes(_PATH + "Mine.x = 1\nconfig.ignored_configurables = 'Mine'")
    assert mistake.startswith("There must be a configurable of this name.")
    _, mistake = _mistakes(_PATH + "Mine.x = 1\nconfig.ignored_configurables = 'Mine'")
    assert mistake.startswith("config.ignored_configurables must be a list.")


def test_known_names_are_never_ignored() -> None:
    findings = _check(_PATH + "config.ignored_configurables = ['tokenizer']\ntokenizer.x = 1")
    assert len(findings.mistakes) == 1


def test_training_only_names_cannot_be_referred_to() -> None:
    assert _mistakes(_PATH + "build_encoder.encoder_cls = @Trainer") == [
        (
            "What only training uses cannot be referred to in an export.\n"
            "  received: @Trainer\n"
            "  where:    there, line 2"
        )
    ]


def test_missing_values_are_all_told() -> None:
    assert _mistakes(
        "HIDDEN = %gin.REQUIRED\nBertEncoderConfig.hidden_size = %HIDDEN\n"
        "tokenizer.vocab_file = %gin.REQUIRED\n"
    ) == [
        (
            "export.export_path must be set.\n"
            "  where:    (not set)\n"
            "  example:  --export_path=/tmp/bert_model"
        ),
        (
            "HIDDEN must be set.\n"
            "  received: HIDDEN = %gin.REQUIRED\n"
            "  where:    there, line 1\n"
            "  example:  --gin_params=\"HIDDEN = 'some value'\""
        ),
        (
            "tokenizer.vocab_file must be set.\n"
            "  received: tokenizer.vocab_file = %gin.REQUIRED\n"
            "  where:    there, line 3\n"
            "  example:  --vocab_file=vocab.txt"
        ),
    ]


def test_missing_values_may_come_later_under_any_of_their_names() -> None:
    required = "tokenizer.vocab_file = %gin.REQUIRED\nexport.export_path = %gin.REQUIRED\n"
    given = "exporter.tokenizer.vocab_file = 'v'\nexporter.export.export_path = 'out'"
    assert _mistakes(required + given) == []


def test_a_scope_sets_nothing_outside_of_it() -> None:
    assert len(_mistakes("scope/export.export_path = 'out'")) == 1


def test_nothing_is_said_to_be_missing_after_a_syntax_mistake() -> None:
    (mistake,) = _mistakes("tokenizer.do_lower_case = %LOWER\nLOWER is True\n")
    assert mistake.startswith("This must be a statement of gin:")


def test_names_and_types_are_checked_despite_a_syntax_mistake() -> None:
    assert len(_mistakes("tokenizer.x = 1\ntokenizer.do_lower_case = 1\n!\n")) == 3


def test_dynamic_registration_is_left_to_gin() -> None:
    text = "from __gin__ import dynamic_registration\nimport json\njson.dumps.indent = 2\n"
    (mistake,) = _mistakes(text)
    assert mistake.startswith("export.export_path must be set.")
    assert _mistakes(f"{text}from exporter import export as e\ne.export.export_path = 'out'") == []


def test_winning_bindings_are_the_last_under_any_name() -> None:
    parsed = gin_parsing.parse(
        [],
        [
            gin_parsing.Source("tokenizer.vocab_file = 'a'\nM = 1", "first"),
            gin_parsing.Source("exporter.tokenizer.vocab_file = 'b'\nM = 2", "second"),
        ],
    )
    last = gin_checks.winning(parsed.bindings)
    assert {name: binding.where for name, binding in last.items()} == {
        "exporter.tokenizer.vocab_file": "second, line 1",
        "%M": "second, line 2",
    }


def test_the_setting_of_what_is_ignored_exists() -> None:
    assert exporter.config.ConfigSettings().ignored_configurables == ()
    (entry,) = configurables.fits(gin_checks.IGNORED_SETTING.rpartition(".")[0])
    assert entry.parameters == ("ignored_configurables",)
