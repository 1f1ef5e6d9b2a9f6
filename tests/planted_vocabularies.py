"""Planted mistakes in vocabularies, casing, lengths and records, each with what is said of it."""

from __future__ import annotations

from tests import planted_arguments as planted

MISTAKES = [
    # Vocabularies, casing and lengths.
    planted.Mistake(
        "vocabulary too long",
        planted.vocabulary(lambda pieces: [*pieces, "more"]),
        "error: The vocabulary must not have more pieces than the encoder has word "
        "embeddings: ids from 40 on would have none.\n"
        "  received: {folder}/vocab.txt with 41 pieces, 40 embeddings\n"
        "  where:    --vocab_file={folder}/vocab.txt\n"
        "  example:  the vocabulary that the encoder was trained with\n",
    ),
    planted.Mistake(
        "vocabulary too short",
        planted.vocabulary(lambda pieces: pieces[:-3]),
        "error: The vocabulary must have as many pieces as the encoder has word "
        "embeddings. If the table was padded to a round number when the encoder was "
        "trained, checks.allow_padded_vocabulary = True allows that.\n"
        "  received: {folder}/vocab.txt with 37 pieces, 40 embeddings\n"
        "  where:    --vocab_file={folder}/vocab.txt\n"
        "  example:  the vocabulary that the encoder was trained with\n",
    ),
    planted.Mistake(
        "vocabulary without [SEP]",
        planted.vocabulary(lambda pieces: [*pieces[:3], "x", *pieces[4:]]),
        "error: The vocabulary must have the special tokens that inputs are packed with. "
        "If it spells them otherwise, say how.\n"
        "  received: {folder}/vocab.txt has no '[SEP]' (end_of_segment_id)\n"
        "  where:    tokenizer.special_tokens (not set)\n"
        '  example:  tokenizer.special_tokens = {"padding_id": "<pad>"}\n',
    ),
    planted.Mistake(
        "vocabulary and configuration of another run",
        planted.vocabulary(lambda pieces: [*pieces, "more"], vocab_size=39),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the vocabulary is 40 in the checkpoint, 39 in the configuration.\n"
        "  received: {sources}/bert/bert_model.ckpt: 2 of another shape or dtype\n"
        "            value                  configured  checkpoint\n"
        "            word embeddings        (39, 8)     (40, 8)\n"
        "            MLM head: output bias  (39,)       (40,)\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  vocab_size: 40\n"
        "error: The vocabulary must not have more pieces than the encoder has word "
        "embeddings: ids from 39 on would have none.\n"
        "  received: {folder}/vocab.txt with 41 pieces, 39 embeddings\n"
        "  where:    --vocab_file={folder}/vocab.txt\n"
        "  example:  the vocabulary that the encoder was trained with\n",
    ),
    planted.Mistake(
        "SentencePiece model of another encoder",
        planted.flags("projected", vocabulary=f"--sp_model_file={planted.SENTENCEPIECE}"),
        "error: The vocabulary must not have more pieces than the encoder has word "
        "embeddings: ids from 40 on would have none.\n"
        "  received: {testdata}/spm/spm.model with 1000 pieces, 40 embeddings\n"
        "  where:    --sp_model_file={testdata}/spm/spm.model\n"
        "  example:  the vocabulary that the encoder was trained with\n",
    ),
    planted.Mistake(
        "uncased vocabulary, casing not said",
        planted.run(),
        "error: Text must be lower-cased for a vocabulary without any upper-case piece, "
        "to which words with capitals are unknown. If it is meant, "
        "checks.allow_unlikely_casing = True allows it.\n"
        "  received: 3280 pieces with letters in {testdata}/bert_tiny/vocab.txt, no capital\n"
        "  where:    tokenizer.do_lower_case (not set)\n"
        "  example:  --do_lower_case=true\n",
    ),
    planted.Mistake(
        "upper-case pieces to be lower-cased",
        planted.run("--do_lower_case", change=planted.with_capitals),
        "error: Text must not be lower-cased for a vocabulary with upper-case or "
        "accented pieces, which would never be used. If it is meant, "
        "checks.allow_unlikely_casing = True allows it.\n"
        "  received: 3280 such pieces in {folder}/vocab.txt, as HIGHLIGHTBACKGROUND, "
        "NOTIMPLEMENTEDERROR, CALLEDPROCESSERROR, HIGHLIGHTTHICKNESS\n"
        "  where:    --do_lower_case=true\n"
        "  example:  --do_lower_case=false\n",
    ),
    planted.Mistake(
        "accented pieces to be stripped",
        planted.run("--do_lower_case", change=planted.with_accents),
        "error: Text must not be lower-cased for a vocabulary with upper-case or "
        "accented pieces, which would never be used. If it is meant, "
        "checks.allow_unlikely_casing = True allows it.\n"
        "  received: 1975 such pieces in {folder}/vocab.txt, as notimpléméntédérror, "
        "callédprocéssérror, highlightthicknéss, incréméntaldécodér\n"
        "  where:    --do_lower_case=true\n"
        "  example:  --do_lower_case=false\n",
    ),
    planted.Mistake(
        "uncased SentencePiece model, not to be lower-cased",
        planted.flags(
            "albert", "--do_lower_case=false", vocabulary=f"--sp_model_file={planted.SENTENCEPIECE}"
        ),
        "error: Text must be lower-cased for a vocabulary without any upper-case piece, "
        "to which words with capitals are unknown. If it is meant, "
        "checks.allow_unlikely_casing = True allows it.\n"
        "  received: 943 pieces with letters in {testdata}/spm/spm.model, no capital\n"
        "  where:    --do_lower_case=false\n"
        "  example:  --do_lower_case=true\n",
    ),
    planted.Mistake(
        "sequences longer than positions",
        planted.flags("bert", "--export_type=all", "--default_seq_length=128"),
        "error: --default_seq_length must not be longer than the sequences that the "
        "encoder has position embeddings for.\n"
        "  received: 128, with 16 positions\n"
        "  where:    --default_seq_length=128\n"
        "  example:  --default_seq_length=16\n",
    ),
    # What the run recorded.
    planted.Mistake(
        "norms in another order than recorded",
        planted.recorded(norm_first=True),
        "error: An encoder must be built as it was trained, unless the difference is "
        "allowed by name.\n"
        "  received: norm_first = True, trained with False ({testdata}/bert_tiny/params.yaml)\n"
        "  where:    --encoder_config_file={folder}/encoder.yaml\n"
        "  example:  pretraining.allow_overrides = ['norm_first']\n",
    ),
    planted.Mistake(
        "another activation than recorded",
        planted.recorded(hidden_activation="relu"),
        "error: An encoder must be built as it was trained, unless the difference is "
        "allowed by name.\n"
        "  received: hidden_activation = 'relu', trained with 'gelu' "
        "({testdata}/bert_tiny/params.yaml)\n"
        "  where:    --encoder_config_file={folder}/encoder.yaml\n"
        "  example:  pretraining.allow_overrides = ['hidden_activation']\n",
    ),
]
