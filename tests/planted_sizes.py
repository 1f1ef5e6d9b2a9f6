"""Planted mistakes in gin files and sizes, each with what is said of it."""

from __future__ import annotations

from tests import planted_arguments as planted
from tests import planted_sources as sources

MISTAKES = [
    # Gin files forgotten, or those of another run.
    planted.Mistake(
        "gin file of talking heads forgotten",
        planted.flags("talking_heads", config="bert"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has weights of talking-heads attention (was the pre-training gin "
        "file forgotten?).\n"
        "  received: {sources}/talking_heads/bert_model.ckpt: 6 stored without a variable\n"
        "            value                                         configured  checkpoint\n"
        "            layers 1 to 3: attention post_softmax_weight  -           (2, 2)\n"
        "            layers 1 to 3: attention pre_softmax_weight   -           (2, 2)\n"
        "  where:    --model_checkpoint_path={sources}/talking_heads/bert_model.ckpt\n"
        "  example:  --gin_file=RUN/operative_config.train.gin\n",
    ),
    planted.Mistake(
        "gin file of gated feed-forward forgotten",
        planted.flags("gated", config="bert"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has weights of gated feed-forward (was the pre-training gin file "
        "forgotten?).\n"
        "  received: {sources}/gated/bert_model.ckpt: 24 stored without a variable, 18 "
        "configured without a value\n"
        "            value                                      configured  checkpoint\n"
        "            layers 1 to 3: intermediate kernel         (8, 12)     -\n"
        "            layers 1 to 3: intermediate bias           (12,)       -\n"
        "            layers 1 to 3: output kernel               (12, 8)     -\n"
        "            layers 1 to 3: output bias                 (8,)        -\n"
        "            layers 1 to 3: output norm gamma           (8,)        -\n"
        "            layers 1 to 3: output norm beta            (8,)        -\n"
        "            layers 1 to 3: feed-forward gate 0 bias    -           (12,)\n"
        "            layers 1 to 3: feed-forward gate 0 kernel  -           (8, 12)\n"
        "            ... and 6 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/gated/bert_model.ckpt\n"
        "  example:  --gin_file=RUN/operative_config.train.gin\n",
    ),
    planted.Mistake(
        "gin file of ReZero forgotten",
        planted.flags("rezero", config="bert"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has weights of ReZero (was the pre-training gin file forgotten?).\n"
        "  received: {sources}/rezero/bert_model.ckpt: 3 stored without a variable, 12 "
        "configured without a value\n"
        "            value                                configured  checkpoint\n"
        "            layers 1 to 3: attention norm gamma  (8,)        -\n"
        "            layers 1 to 3: attention norm beta   (8,)        -\n"
        "            layers 1 to 3: output norm gamma     (8,)        -\n"
        "            layers 1 to 3: output norm beta      (8,)        -\n"
        "            layers 1 to 3: rezero_alpha          -           ()\n"
        "  where:    --model_checkpoint_path={sources}/rezero/bert_model.ckpt\n"
        "  example:  --gin_file=RUN/operative_config.train.gin\n",
    ),
    planted.Mistake(
        "gin file of another run",
        planted.flags("bert", gin=sources.GATED),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the gin files ask for gated feed-forward, of which the checkpoint has nothing "
        "(are they those of another run?).\n"
        "  received: {sources}/bert/bert_model.ckpt: 18 stored without a variable, 24 "
        "configured without a value\n"
        "            value                                              configured  "
        "checkpoint\n"
        "            layers 1 to 3: feed-forward intermediate 0 kernel  (8, 12)     -\n"
        "            layers 1 to 3: feed-forward intermediate 0 bias    (12,)       -\n"
        "            layers 1 to 3: feed-forward gate 0 kernel          (8, 12)     -\n"
        "            layers 1 to 3: feed-forward gate 0 bias            (12,)       -\n"
        "            layers 1 to 3: feed-forward output 0 kernel        (12, 8)     -\n"
        "            layers 1 to 3: feed-forward output 0 bias          (8,)        -\n"
        "            layers 1 to 3: feed-forward output norm 0 gamma    (8,)        -\n"
        "            layers 1 to 3: feed-forward output norm 0 beta     (8,)        -\n"
        "            ... and 6 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  the configuration (and gin files) that the checkpoint was trained with\n",
    ),
    # Sizes.
    planted.Mistake(
        "fewer layers",
        planted.flags("bert", num_layers=2),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has 3 layers, the configuration 2.\n"
        "  received: {sources}/bert/bert_model.ckpt: 16 stored without a variable\n"
        "            value    configured  checkpoint\n"
        "            layer 3  -           16 values\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  num_layers: 3\n",
    ),
    planted.Mistake(
        "more layers",
        planted.flags("bert", num_layers=5),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has 3 layers, the configuration 5.\n"
        "  received: {sources}/bert/bert_model.ckpt: 2 stored without a variable, 34 "
        "configured without a value\n"
        "            value          configured      checkpoint\n"
        "            layers 4 to 5  16 values each  -\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  num_layers: 3\n",
    ),
    planted.Mistake(
        "wider",
        planted.flags("bert", hidden_size=12),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the hidden size is 8 in the checkpoint, 12 in the configuration.\n"
        "  received: {sources}/bert/bert_model.ckpt: 56 of another shape or dtype\n"
        "            value                   configured  checkpoint\n"
        "            word embeddings         (40, 12)    (40, 8)\n"
        "            position embeddings     (16, 12)    (16, 8)\n"
        "            type embeddings         (3, 12)     (3, 8)\n"
        "            embeddings norm gamma   (12,)       (8,)\n"
        "            embeddings norm beta    (12,)       (8,)\n"
        "            pooler kernel           (12, 12)    (8, 8)\n"
        "            pooler bias             (12,)       (8,)\n"
        "            MLM head: dense kernel  (12, 12)    (8, 8)\n"
        "            ... and 18 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  hidden_size: 8\n",
    ),
    planted.Mistake(
        "other inner size",
        planted.flags("bert", intermediate_size=16),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the inner size is 12 in the checkpoint, 16 in the configuration.\n"
        "  received: {sources}/bert/bert_model.ckpt: 9 of another shape or dtype\n"
        "            value                               configured  checkpoint\n"
        "            layers 1 to 3: intermediate kernel  (8, 16)     (8, 12)\n"
        "            layers 1 to 3: intermediate bias    (16,)       (12,)\n"
        "            layers 1 to 3: output kernel        (16, 8)     (12, 8)\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  intermediate_size: 12\n",
    ),
    planted.Mistake(
        "other number of heads",
        planted.flags("bert", num_attention_heads=4),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has 2 attention heads, the configuration 4.\n"
        "  received: {sources}/bert/bert_model.ckpt: 21 of another shape or dtype\n"
        "            value                                   configured  checkpoint\n"
        "            layers 1 to 3: attention query kernel   (8, 4, 2)   (8, 2, 4)\n"
        "            layers 1 to 3: attention query bias     (4, 2)      (2, 4)\n"
        "            layers 1 to 3: attention key kernel     (8, 4, 2)   (8, 2, 4)\n"
        "            layers 1 to 3: attention key bias       (4, 2)      (2, 4)\n"
        "            layers 1 to 3: attention value kernel   (8, 4, 2)   (8, 2, 4)\n"
        "            layers 1 to 3: attention value bias     (4, 2)      (2, 4)\n"
        "            layers 1 to 3: attention output kernel  (4, 2, 8)   (2, 4, 8)\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  num_attention_heads: 2\n",
    ),
    planted.Mistake(
        "more positions",
        planted.flags("bert", max_position_embeddings=32),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has 16 positions, the configuration 32.\n"
        "  received: {sources}/bert/bert_model.ckpt: 1 of another shape or dtype\n"
        "            value                configured  checkpoint\n"
        "            position embeddings  (32, 8)     (16, 8)\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  max_position_embeddings: 16\n",
    ),
    planted.Mistake(
        "other number of types",
        planted.flags("bert", type_vocab_size=1),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has 3 types, the configuration 1.\n"
        "  received: {sources}/bert/bert_model.ckpt: 1 of another shape or dtype\n"
        "            value            configured  checkpoint\n"
        "            type embeddings  (1, 8)      (3, 8)\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  type_vocab_size: 3\n",
    ),
    planted.Mistake(
        "other vocabulary size",
        planted.flags("bert", vocab_size=39),
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
        "  received: {sources}/bert/vocab.txt with 40 pieces, 39 embeddings\n"
        "  where:    --vocab_file={sources}/bert/vocab.txt\n"
        "  example:  the vocabulary that the encoder was trained with\n",
    ),
    planted.Mistake(
        "embedding projection forgotten",
        planted.flags("projected", config="bert"),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has embeddings of size 6 and a projection, the configuration has "
        "none.\n"
        "  received: {sources}/projected/bert_model.ckpt: 18 stored without a variable, "
        "16 configured without a value, 9 of another shape or dtype\n"
        "            value                   configured  checkpoint\n"
        "            word embeddings         (40, 8)     (40, 6)\n"
        "            position embeddings     (16, 8)     (16, 6)\n"
        "            type embeddings         (3, 8)      (3, 6)\n"
        "            embeddings norm gamma   (8,)        (6,)\n"
        "            embeddings norm beta    (8,)        (6,)\n"
        "            MLM head: dense kernel  (8, 8)      (8, 6)\n"
        "            MLM head: dense bias    (8,)        (6,)\n"
        "            MLM head: norm gamma    (8,)        (6,)\n"
        "            ... and 5 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/projected/bert_model.ckpt\n"
        "  example:  embedding_size: 6\n",
    ),
    planted.Mistake(
        "embedding projection that is not there",
        planted.flags("bert", embedding_size=6),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the configuration has an embedding projection, the checkpoint has none.\n"
        "  received: {sources}/bert/bert_model.ckpt: 18 stored without a variable, 20 "
        "configured without a value, 9 of another shape or dtype\n"
        "            value                        configured  checkpoint\n"
        "            embedding projection kernel  (6, 8)      -\n"
        "            embedding projection bias    (8,)        -\n"
        "            word embeddings              (40, 6)     (40, 8)\n"
        "            position embeddings          (16, 6)     (16, 8)\n"
        "            type embeddings              (3, 6)      (3, 8)\n"
        "            embeddings norm gamma        (6,)        (8,)\n"
        "            embeddings norm beta         (6,)        (8,)\n"
        "            MLM head: dense kernel       (8, 6)      (8, 8)\n"
        "            ... and 5 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  embedding_size: null\n",
    ),
    planted.Mistake(
        "other embedding size",
        planted.flags("projected", embedding_size=4),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the embedding size is 6 in the checkpoint, 4 in the configuration.\n"
        "  received: {sources}/projected/bert_model.ckpt: 10 of another shape or dtype\n"
        "            value                        configured  checkpoint\n"
        "            word embeddings              (40, 4)     (40, 6)\n"
        "            position embeddings          (16, 4)     (16, 6)\n"
        "            type embeddings              (3, 4)      (3, 6)\n"
        "            embeddings norm gamma        (4,)        (6,)\n"
        "            embeddings norm beta         (4,)        (6,)\n"
        "            embedding projection kernel  (4, 8)      (6, 8)\n"
        "            MLM head: dense kernel       (8, 4)      (8, 6)\n"
        "            MLM head: dense bias         (4,)        (6,)\n"
        "            ... and 2 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/projected/bert_model.ckpt\n"
        "  example:  embedding_size: 6\n",
    ),
    planted.Mistake(
        "several sizes",
        planted.flags("bert", num_layers=4, hidden_size=4, vocab_size=50),
        "error: The checkpoint must be that of the configured encoder, value by value: "
        "the checkpoint has 3 layers, the configuration 4; the hidden size is 8 in the "
        "checkpoint, 4 in the configuration; the vocabulary is 40 in the checkpoint, 50 "
        "in the configuration.\n"
        "  received: {sources}/bert/bert_model.ckpt: 2 stored without a variable, 18 "
        "configured without a value, 55 of another shape or dtype\n"
        "            value                  configured  checkpoint\n"
        "            pooler kernel          (4, 4)      (8, 8)\n"
        "            pooler bias            (4,)        (8,)\n"
        "            word embeddings        (50, 4)     (40, 8)\n"
        "            position embeddings    (16, 4)     (16, 8)\n"
        "            type embeddings        (3, 4)      (3, 8)\n"
        "            embeddings norm gamma  (4,)        (8,)\n"
        "            embeddings norm beta   (4,)        (8,)\n"
        "            MLM head: output bias  (50,)       (40,)\n"
        "            ... and 20 more; -v=1 lists all\n"
        "  where:    --model_checkpoint_path={sources}/bert/bert_model.ckpt\n"
        "  example:  num_layers: 3, hidden_size: 8, vocab_size: 40\n"
        "error: The vocabulary must have as many pieces as the encoder has word "
        "embeddings. If the table was padded to a round number when the encoder was "
        "trained, checks.allow_padded_vocabulary = True allows that.\n"
        "  received: {sources}/bert/vocab.txt with 40 pieces, 50 embeddings\n"
        "  where:    --vocab_file={sources}/bert/vocab.txt\n"
        "  example:  the vocabulary that the encoder was trained with\n",
    ),
]
