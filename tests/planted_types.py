"""Planted mistakes in types and parts of encoders, each with what is said of it."""

from __future__ import annotations

from tests import planted_arguments as planted

MISTAKES = [
    # Types.
    planted.Mistake(
        "ALBERT given as BERT",
        planted.flags("albert", config="bert"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint's values are those of type albert (one layer's values, behind an "
        "embedding projection), not of bert.\n"
        "  received: {sources}/albert/bert_model.ckpt: 4 stored without a variable, 34 "
        "configured without a value, 10 of another shape or dtype\n"
        "            value                   configured  checkpoint\n"
        "            word embeddings         (40, 8)     (1000, 6)\n"
        "            position embeddings     (16, 8)     (16, 6)\n"
        "            type embeddings         (3, 8)      (3, 6)\n"
        "            embeddings norm gamma   (8,)        (6,)\n"
        "            embeddings norm beta    (8,)        (6,)\n"
        "            MLM head: output bias   (40,)       (1000,)\n"
        "            MLM head: dense kernel  (8, 8)      (8, 6)\n"
        "            MLM head: dense bias    (8,)        (6,)\n"
        "            ... and 5 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/albert/bert_model.ckpt\n"
        "  example:  type: albert\n",
    ),
    planted.Mistake(
        "BERT given as ALBERT",
        planted.flags("bert", config="albert"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint's values are those of type bert, bert_v2 or funnel (3 layers "
        "with values of their own), not of albert.\n"
        "  received: {sources}/bert/bert_model.ckpt: 34 stored without a variable, 4 "
        "configured without a value, 10 of another shape or dtype\n"
        "            value                        configured  checkpoint\n"
        "            embedding projection kernel  (6, 8)      -\n"
        "            embedding projection bias    (8,)        -\n"
        "            word embeddings              (1000, 6)   (40, 8)\n"
        "            position embeddings          (16, 6)     (16, 8)\n"
        "            type embeddings              (3, 6)      (3, 8)\n"
        "            embeddings norm gamma        (6,)        (8,)\n"
        "            embeddings norm beta         (6,)        (8,)\n"
        "            MLM head: output bias        (1000,)     (40,)\n"
        "            ... and 5 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  type: bert\n"
        "error: The vocabulary must have as many pieces as the encoder has word "
        "embeddings. If the table was padded to a round number when the encoder was "
        "trained, checks.allow_padded_vocabulary = True allows that.\n"
        "  received: {sources}/bert/vocab.txt with 40 pieces, 1000 embeddings\n"
        "  where:    --vocab_file={sources}/bert/vocab.txt\n"
        "  example:  the vocabulary that the encoder was trained with\n",
    ),
    planted.Mistake(
        "MobileBERT given as BERT",
        planted.flags("mobilebert", config="bert"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint's values are those of type mobilebert, not of bert.\n"
        "  received: {sources}/mobilebert/bert_model.ckpt: 56 stored without a variable, "
        "54 configured without a value, 5 of another shape or dtype\n"
        "            value                         configured  checkpoint\n"
        "            word embeddings               (40, 8)     (40, 6)\n"
        "            MLM head: dense kernel        (8, 8)      (8, 6)\n"
        "            MLM head: dense bias          (8,)        (6,)\n"
        "            MLM head: norm gamma          (8,)        (6,)\n"
        "            MLM head: norm beta           (8,)        (6,)\n"
        "            embeddings projection bias    -           (8,)\n"
        "            embeddings projection kernel  -           (18, 8)\n"
        "            layer 3                       16 values   -\n"
        "            ... and 40 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/mobilebert/bert_model.ckpt\n"
        "  example:  type: mobilebert\n",
    ),
    planted.Mistake(
        "BERT given as MobileBERT",
        planted.flags("bert", config="mobilebert"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint's values are those of type bert, bert_v2 or funnel, not of "
        "mobilebert.\n"
        "  received: {sources}/bert/bert_model.ckpt: 54 stored without a variable, 56 "
        "configured without a value, 5 of another shape or dtype\n"
        "            value                         configured  checkpoint\n"
        "            embeddings projection kernel  (18, 8)     -\n"
        "            embeddings projection bias    (8,)        -\n"
        "            word embeddings               (40, 6)     (40, 8)\n"
        "            MLM head: dense kernel        (8, 6)      (8, 8)\n"
        "            MLM head: dense bias          (6,)        (8,)\n"
        "            MLM head: norm gamma          (6,)        (8,)\n"
        "            MLM head: norm beta           (6,)        (8,)\n"
        "            layer 3                       -           16 values\n"
        "            ... and 40 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  type: bert\n",
    ),
    # Parts of checkpoints.
    planted.Mistake(
        "no masked-language-model head",
        planted.flags("encoder_only"),
        "error: To export the encoder with its masked-language-model head, the "
        "checkpoint must hold the head as masked_lm=, as BertPretrainerV2 writes it.\n"
        "  received: {sources}/encoder_only/bert_model.ckpt with encoder\n"
        "  where:    --model_checkpoint_path={sources}/encoder_only/bert_model.ckpt\n"
        "  example:  --export_type=model exports the encoder alone\n",
    ),
    planted.Mistake(
        "no head to copy the pooler from",
        planted.flags("encoder_only", "--export_type=model", "--copy_pooler_dense_to_encoder"),
        "error: To copy the pooler of a classification head, the checkpoint must hold "
        "the head as next_sentence.pooler_dense.\n"
        "  received: {sources}/encoder_only/bert_model.ckpt with encoder\n"
        "  where:    --copy_pooler_dense_to_encoder=true\n"
        "  example:  leave --copy_pooler_dense_to_encoder unset\n",
    ),
    planted.Mistake(
        "no pooler",
        planted.changed(planted.without_pooler),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has no pooler (another one may be chosen).\n"
        "  received: {folder}/bert_model.ckpt: 2 configured without a value\n"
        "            value          configured  checkpoint\n"
        "            pooler kernel  (8, 8)      -\n"
        "            pooler bias    (8,)        -\n"
        "  where:    --model_checkpoint_path={folder}/bert_model.ckpt\n"
        "  example:  export.pooler = @identity_pooler, or @initialized_pooler\n",
    ),
    planted.Mistake(
        "half precision",
        planted.changed(planted.in_half_precision),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint's values are float16.\n"
        "  received: {folder}/bert_model.ckpt: 2 of another shape or dtype\n"
        "            value          configured      checkpoint\n"
        "            pooler kernel  (8, 8) float32  (8, 8) float16\n"
        "            pooler bias    (8,) float32    (8,) float16\n"
        "  where:    --model_checkpoint_path={folder}/bert_model.ckpt\n"
        "  example:  the configuration (and gin files) that the checkpoint was trained with\n",
    ),
    planted.Mistake(
        "values of a head of one's own",
        planted.changed(planted.with_own_head),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has values that are no part of an encoder.\n"
        "  received: {folder}/bert_model.ckpt: 1 stored without a variable\n"
        "            value           configured  checkpoint\n"
        "            my_head/kernel  -           (1, 2)\n"
        "  where:    --model_checkpoint_path={folder}/bert_model.ckpt\n"
        "  example:  checks.ignored_values = ['my_head/.*'], if they are to be left out\n",
    ),
    planted.Mistake(
        "ignored values that are not there",
        planted.flags("bert", gin=("checks.ignored_values = ['other_head/.*']",)),
        "error: Each expression of checks.ignored_values must fit values that have no "
        "other place.\n"
        "  received: 'other_head/.*'\n"
        "  where:    --gin_params=checks.ignored_values = ['other_head/.*']\n"
        "  example:  checks.ignored_values = ['my_head/.*']\n",
    ),
    planted.Mistake(
        "no pattern for ignored values",
        planted.flags("bert", gin=("checks.ignored_values = ['(']",)),
        "error: checks.ignored_values takes regular expressions of keys.\n"
        "  received: '(' (missing ), unterminated subpattern at position 0)\n"
        "  where:    --gin_params=checks.ignored_values = ['(']\n"
        "  example:  checks.ignored_values = ['my_head/.*']\n",
    ),
    planted.Mistake(
        "averages of a run without any",
        planted.flags("bert", "--weights=ema"),
        "error: --weights=ema needs a checkpoint of a run with exponential moving averages.\n"
        "  received: {sources}/bert/bert_model.ckpt without averages\n"
        "  where:    --weights=ema\n"
        "  example:  --weights=raw\n",
    ),
]
