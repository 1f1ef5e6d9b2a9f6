"""Planted mistakes in files of checkpoints, each with what is said of it."""

from __future__ import annotations

import os

from tests import planted_arguments as planted

MISTAKES = [
    # TF1.
    planted.Mistake(
        "TF1 checkpoint with fewer layers",
        planted.tf1(num_layers=2),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has 3 layers, the configuration 2.\n"
        "  received: {folder}/model.ckpt: 16 stored without a variable\n"
        "            value    configured  checkpoint\n"
        "            layer 3  -           16 values\n"
        "  where:    --model_checkpoint_path={folder}/model.ckpt\n"
        "  example:  num_layers: 3\n",
    ),
    planted.Mistake(
        "TF1 checkpoint with another hidden size",
        planted.tf1(hidden_size=12),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the hidden size is 8 in the checkpoint, 12 in the configuration.\n"
        "  received: {folder}/model.ckpt: 52 of another shape or dtype\n"
        "            value                                  configured  checkpoint\n"
        "            word embeddings                        (40, 12)    (40, 8)\n"
        "            position embeddings                    (16, 12)    (16, 8)\n"
        "            type embeddings                        (3, 12)     (3, 8)\n"
        "            embeddings norm gamma                  (12,)       (8,)\n"
        "            embeddings norm beta                   (12,)       (8,)\n"
        "            pooler kernel                          (12, 12)    (8, 8)\n"
        "            pooler bias                            (12,)       (8,)\n"
        "            layers 1 to 3: attention query kernel  (12, 2, 6)  (8, 8)\n"
        "            ... and 14 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={folder}/model.ckpt\n"
        "  example:  hidden_size: 8\n",
    ),
    planted.Mistake(
        "TF1 checkpoint of an ALBERT given as BERT",
        planted.tf1(albert=True),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint's values are those of type albert (one layer's values, behind an "
        "embedding projection), not of bert.\n"
        "  received: {folder}/model.ckpt: 18 stored without a variable, 48 configured "
        "without a value, 5 of another shape or dtype\n"
        "            value                        configured      checkpoint\n"
        "            word embeddings              (40, 8)         (40, 6)\n"
        "            position embeddings          (16, 8)         (16, 6)\n"
        "            type embeddings              (3, 8)          (3, 6)\n"
        "            embeddings norm gamma        (8,)            (6,)\n"
        "            embeddings norm beta         (8,)            (6,)\n"
        "            embedding projection bias    -               (8,)\n"
        "            embedding projection kernel  -               (6, 8)\n"
        "            layers 2 to 3                16 values each  -\n"
        "            ... and 7 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={folder}/model.ckpt\n"
        "  example:  type: albert\n",
    ),
    planted.Mistake(
        "TF1 checkpoint of a BERT given as ALBERT",
        planted.tf1(config="albert"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint's values are those of type bert or bert_v2 (3 layers with values of "
        "their own), not of albert.\n"
        "  received: {folder}/model.ckpt: 48 stored without a variable, 18 configured "
        "without a value, 5 of another shape or dtype\n"
        "            value                        configured  checkpoint\n"
        "            embedding projection kernel  (6, 8)      -\n"
        "            embedding projection bias    (8,)        -\n"
        "            word embeddings              (1000, 6)   (40, 8)\n"
        "            position embeddings          (16, 6)     (16, 8)\n"
        "            type embeddings              (3, 6)      (3, 8)\n"
        "            embeddings norm gamma        (6,)        (8,)\n"
        "            embeddings norm beta         (6,)        (8,)\n"
        "            layers 2 to 3                -           16 values each\n"
        "            ... and 7 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={folder}/model.ckpt\n"
        "  example:  type: bert\n"
        "error: The vocabulary must have as many pieces as the encoder has word "
        "embeddings. If the table was padded to a round number when the encoder was "
        "trained, checks.allow_padded_vocabulary = True allows that.\n"
        "  received: {sources}/bert/vocab.txt with 40 pieces, 1000 embeddings\n"
        "  where:    --vocab_file={sources}/bert/vocab.txt\n"
        "  example:  the vocabulary that the encoder was trained with\n",
    ),
    planted.Mistake(
        "TF1 checkpoint given as MobileBERT",
        planted.tf1(config="mobilebert"),
        "error: A TF1 checkpoint is that of a BERT or an ALBERT.\n"
        "  received: {folder}/model.ckpt (TF1) for an encoder of type 'mobilebert'\n"
        "  where:    --model_checkpoint_path={folder}/model.ckpt\n"
        "  example:  type: bert\n",
    ),
    planted.Mistake(
        "TF1 checkpoint with other values",
        planted.tf1(change=planted.with_other_values),
        "error: The checkpoint must be that of the configured encoder, value by value.\n"
        "  received: {folder}/model.ckpt: 1 stored without a variable\n"
        "            value                    configured  checkpoint\n"
        "            layer 1: adapter kernel  -           (8, 8)\n"
        "  where:    --model_checkpoint_path={folder}/model.ckpt\n"
        "  example:  the configuration (and gin files) that the checkpoint was trained with\n",
    ),
    planted.Mistake(
        "TF1 checkpoint of another model",
        planted.tf1(change=planted.of_another_model),
        "error: A checkpoint must be object-based (TF2), or an original BERT's or "
        "ALBERT's (TF1), whose names start with bert/.\n"
        "  received: {folder}/model.ckpt with cls/seq_relationship/output_bias, "
        "cls/seq_relationship/output_weights, electra/embeddings/LayerNorm/beta, ...\n"
        "  where:    --model_checkpoint_path={folder}/model.ckpt\n",
    ),
    planted.Mistake(
        "TF1 checkpoint without a head",
        planted.tf1("--export_type=model_with_mlm"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the encoder fits, the masked-language-model head does not.\n"
        "  received: {folder}/model.ckpt: 5 configured without a value\n"
        "            value                   configured  checkpoint\n"
        "            MLM head: output bias   (40,)       -\n"
        "            MLM head: dense kernel  (8, 8)      -\n"
        "            MLM head: dense bias    (8,)        -\n"
        "            MLM head: norm gamma    (8,)        -\n"
        "            MLM head: norm beta     (8,)        -\n"
        "  where:    --model_checkpoint_path={folder}/model.ckpt\n"
        "  example:  --export_type=model exports the encoder alone\n",
    ),
    planted.Mistake(
        "TF1 checkpoint with a pooler to copy",
        planted.tf1("--copy_pooler_dense_to_encoder"),
        "error: The pooler is part of a TF1 checkpoint's encoder; there is no other to copy.\n"
        "  received: {folder}/model.ckpt (TF1)\n"
        "  where:    --copy_pooler_dense_to_encoder=true\n"
        "  example:  leave --copy_pooler_dense_to_encoder unset\n",
    ),
    # Files and steps.
    planted.Mistake(
        "step that is not there",
        planted.run("--checkpoint=5000"),
        "error: --checkpoint must be latest, best, or a global step that the run has saved.\n"
        "  received: 5000; {testdata}/bert_tiny has 6000\n"
        "  where:    --checkpoint=5000\n"
        "  example:  --checkpoint=6000\n",
    ),
    planted.Mistake(
        "best checkpoint that is not there",
        planted.run("--checkpoint=best"),
        "error: --checkpoint must be latest, best, or a global step that the run has saved.\n"
        "  received: 'best'; {testdata}/bert_tiny has 6000 (the trainer keeps a best one with "
        "trainer.best_checkpoint_export_subdir)\n"
        "  where:    --checkpoint=best\n"
        "  example:  --checkpoint=6000\n",
    ),
    planted.Mistake(
        "data file missing",
        planted.damaged(lambda data, index: data.unlink()),
        "error: The checkpoint must be complete and undamaged: "
        "{folder}/run/ckpt-6000.data-00000-of-00001 is missing.\n"
        "  received: {folder}/run/ckpt-6000\n"
        "  where:    --pretraining_dir={folder}/run\n"
        "  example:  a fresh copy of the checkpoint\n",
    ),
    planted.Mistake(
        "data file cut off",
        planted.damaged(lambda data, index: os.truncate(data, 1000)),
        "error: The checkpoint must be complete and undamaged: "
        "{folder}/run/ckpt-6000.data-00000-of-00001 has 1000 bytes of at least 3699021: "
        "cut off?\n"
        "  received: {folder}/run/ckpt-6000\n"
        "  where:    --pretraining_dir={folder}/run\n"
        "  example:  a fresh copy of the checkpoint\n",
    ),
    planted.Mistake(
        "index cut off",
        planted.damaged(lambda data, index: os.truncate(index, 1000)),
        "error: The checkpoint must be complete and undamaged: "
        "{folder}/run/ckpt-6000.index is not the index of a checkpoint, or is cut off.\n"
        "  received: {folder}/run/ckpt-6000\n"
        "  where:    --pretraining_dir={folder}/run\n"
        "  example:  a fresh copy of the checkpoint\n",
    ),
    planted.Mistake(
        "flipped bit in the index",
        planted.damaged(lambda data, index: planted.flip(index, 2000)),
        "error: The checkpoint must be complete and undamaged: the index is damaged: its "
        "checksum differs.\n"
        "  received: {folder}/run/ckpt-6000\n"
        "  where:    --pretraining_dir={folder}/run\n"
        "  example:  a fresh copy of the checkpoint\n",
    ),
    planted.Mistake(
        "flipped bit in the data",
        planted.damaged(lambda data, index: planted.flip(data, 400000)),
        "error: The checkpoint must be undamaged: the bytes of some values are not those "
        "that were written.\n"
        "  received: {folder}/run/ckpt-6000: word_embeddings/embeddings\n"
        "  where:    --pretraining_dir={folder}/run\n"
        "  example:  a fresh copy of the checkpoint\n",
    ),
    planted.Mistake(
        "NaN",
        planted.changed(planted.with_value(float("nan"))),
        "error: All weights must be finite; these are NaN or infinite, because training "
        "diverged or the file is damaged.\n"
        "  received: {folder}/bert_model.ckpt: pooler_transform/kernel (1 of 64), "
        "pooler_transform/bias (1 of 8)\n"
        "  where:    --model_checkpoint_path={folder}/bert_model.ckpt\n"
        "  example:  a checkpoint of an earlier step\n",
    ),
    planted.Mistake(
        "infinite",
        planted.changed(planted.with_value(float("-inf"))),
        "error: All weights must be finite; these are NaN or infinite, because training "
        "diverged or the file is damaged.\n"
        "  received: {folder}/bert_model.ckpt: pooler_transform/kernel (1 of 64), "
        "pooler_transform/bias (1 of 8)\n"
        "  where:    --model_checkpoint_path={folder}/bert_model.ckpt\n"
        "  example:  a checkpoint of an earlier step\n",
    ),
]
