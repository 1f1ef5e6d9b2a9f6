"""The clauses that SavedModels are checked by which take text, one row each.

They are those of the Common SavedModel APIs for text (tensorflow.org/hub/common_saved_model_apis/
text), and what this exporter adds.
"""

from __future__ import annotations

from exporter import (
    contracts_of_embedding,
    contracts_of_packing,
    contracts_of_preprocessing,
    contracts_of_tokens,
)
from exporter.contracts import Clause
from exporter.loaded_models import PREPROCESSING, TEXT_EMBEDDING

_TEXT = (PREPROCESSING,)
_EMBEDDING = (TEXT_EMBEDDING,)

_text = contracts_of_preprocessing
_tokens = contracts_of_tokens
_packing = contracts_of_packing
_embedding = contracts_of_embedding

# What to look at.
CALL = "the function that is the object's __call__, and with which arguments it was traced"
WEIGHTS = "whether the weights are those of the checkpoint, and the architecture its own"
TOKENIZER = "vocabulary, casing and normalization of the tokenizer"
_PACKER = "the function that packs segments, and the special tokens it is given"

LOADED = (
    # Preprocessing.
    Clause(
        "call: strings become an encoder's inputs",
        _TEXT,
        _text.returns_encoder_inputs,
        CALL,
        quick=True,
    ),
    Clause("call: takes seq_length", _TEXT, _text.lengths_of_root, CALL, required=False),
    Clause("call: training changes nothing", _TEXT, _text.training_changes_nothing, CALL),
    Clause(
        "call: shapes are static where known", _TEXT, _text.static_shapes, "set_shape after packing"
    ),
    Clause("call: is tokenize and bert_pack_inputs", _TEXT, _text.root_is_tokenize_and_pack, CALL),
    Clause("call: empty batches", _TEXT, _text.empty_batches, CALL),
    Clause("tokenize: ragged int32", _TEXT, _tokens.tokens_are_ragged, TOKENIZER, quick=True),
    Clause(
        "tokenize: tokens of the vocabulary", _TEXT, _tokens.tokens_are_the_vocabularys, TOKENIZER
    ),
    Clause(
        "vocab: pieces and ids",
        _TEXT,
        _tokens.pieces_have_their_ids,
        "the files that .vocab and the tokenizer read, and vocab_file",
    ),
    Clause(
        "detokenize: pieces put together",
        _TEXT,
        _tokens.texts_are_put_together,
        "detokenize",
        required=False,
    ),
    Clause("tokenize: offsets", _TEXT, _tokens.offsets_fit, "tokenize_with_offsets"),
    Clause(
        "special tokens: int32 scalars by name",
        _TEXT,
        _tokens.special_tokens,
        TOKENIZER,
        quick=True,
    ),
    Clause(
        "special tokens: ids of the vocabulary",
        _TEXT,
        _tokens.special_tokens_are_the_vocabularys,
        TOKENIZER,
    ),
    Clause("packing: takes seq_length", _TEXT, _text.lengths_of_packing, CALL),
    Clause("packing: the root's default seq_length", _TEXT, _text.default_lengths_agree, CALL),
    Clause("packing: [CLS], [SEP] and [PAD]", _TEXT, _packing.special_places, _PACKER),
    Clause("packing: mask", _TEXT, _packing.mask, _PACKER),
    Clause("packing: types", _TEXT, _packing.types, _PACKER),
    Clause("packing: truncation in a known way", _TEXT, _packing.truncation, _PACKER),
    Clause(
        "packing: truncation to equal sizes",
        _TEXT,
        _packing.truncation_is_common,
        _PACKER,
        required=False,
    ),
    Clause("packing: mask and types when truncated", _TEXT, _packing.truncated_types, _PACKER),
    Clause("packing: hardly any room", _TEXT, _packing.very_short, _PACKER),
    Clause("packing: with words and without", _TEXT, _packing.words_or_not, _PACKER),
    # Text embedding.
    Clause(
        "call: strings become vectors", _EMBEDDING, _embedding.returns_vectors, CALL, quick=True
    ),
    Clause("call: training is optional", _EMBEDDING, _embedding.training_is_optional, CALL),
    Clause(
        "call: all that is permitted is traced", _EMBEDDING, _embedding.all_calls_are_traced, CALL
    ),
    Clause("call: empty batches", _EMBEDDING, _embedding.empty_batches, CALL),
    Clause(
        "training: dropout differs in each call",
        _EMBEDDING,
        _embedding.training_drops,
        "seeds of random ops, and training in the call of the encoder",
    ),
    Clause("text: has an effect", _EMBEDDING, _embedding.text_matters, WEIGHTS),
    Clause(
        "batch: rows are independent",
        _EMBEDDING,
        _embedding.rows_are_independent,
        "the mask of what is padded",
    ),
)
