"""The clauses that SavedModels are checked by, one row each.

They are those of the Common SavedModel APIs for text (tensorflow.org/hub/common_saved_model_apis/
text), of the Reusable SavedModel interface (tensorflow.org/hub/reusable_saved_models), and what
this exporter adds, which need not hold elsewhere.
"""

from __future__ import annotations

from exporter import (
    contract_clauses_of_text,
    contracts,
    contracts_of_attributes,
    contracts_of_behaviour,
    contracts_of_calls,
    contracts_of_files,
    contracts_of_leaks,
    contracts_of_manifests,
    contracts_of_signatures,
    contracts_of_variables,
    errors,
    loaded_models,
    reports,
)
from exporter.contracts import Clause
from exporter.loaded_models import ENCODERS, KINDS, MLM, TEXT_EMBEDDING

_MLM = (MLM,)
_EMBEDDING = (TEXT_EMBEDDING,)
_WITH_WEIGHTS = (*ENCODERS, TEXT_EMBEDDING)

_calls = contracts_of_calls
_behaviour = contracts_of_behaviour
_variables = contracts_of_variables
_attributes = contracts_of_attributes
_files = contracts_of_files
_leaks = contracts_of_leaks
_signatures = contracts_of_signatures

_CALL = contract_clauses_of_text.CALL
_WEIGHTS = contract_clauses_of_text.WEIGHTS
_TOKENIZER = contract_clauses_of_text.TOKENIZER
_LISTS = "what is put on the lists of the object that is saved"
_SIGNATURES = "the signatures that are saved, and the function that is serve"
_FOLDER = "what wrote to the folder after the export, or beside it"

FILES = (
    Clause(
        "files: those of a SavedModel, and no others",
        KINDS,
        _files.files_are_allowed,
        _FOLDER,
        quick=True,
    ),
    Clause("files: as the manifest has them", KINDS, _files.files_are_the_manifests, _FOLDER),
    Clause(
        "manifest: describes the SavedModel",
        KINDS,
        contracts_of_manifests.describes_the_model,
        "what wrote to the manifest after the export",
    ),
    Clause("files: no links", KINDS, _files.no_links, _FOLDER),
    Clause(
        "files: the fingerprint is no other model's",
        KINDS,
        _files.fingerprint_is_no_others,
        "where fingerprint.pb was copied from",
    ),
    Clause(
        "files: the fingerprint is of these files",
        KINDS,
        _files.fingerprint_is_of_files,
        "what was changed after it was written",
        required=False,
    ),
    Clause(
        "files: warm-up requests can be answered",
        KINDS,
        _files.warmup_can_be_answered,
        "signatures, names, types and shapes in assets.extra/tf_serving_warmup_requests",
    ),
    Clause(
        "files: graph and names tell of no machine",
        KINDS,
        _leaks.graph_names_no_machine,
        "paths and names that were traced into the graph",
        quick=True,
    ),
    Clause(
        "files: none tells of a machine",
        KINDS,
        _leaks.no_file_names_a_machine,
        "texts among the variables, assets and extra assets",
    ),
    Clause(
        "ops: all can be served",
        KINDS,
        _files.ops_can_be_served,
        "ops of other libraries, or Python functions in the graph",
        quick=True,
    ),
)

LOADED = (
    # Calls and what they return.
    Clause("call: takes a dict of three inputs", ENCODERS, _calls.takes_inputs, _CALL, quick=True),
    Clause("call: training is optional", ENCODERS, _calls.training_is_optional, _CALL),
    Clause("call: all that is permitted is traced", ENCODERS, _calls.all_calls_are_traced, _CALL),
    Clause("outputs: names", ENCODERS, _calls.output_names, _CALL, quick=True),
    Clause(
        "outputs: float32",
        ENCODERS,
        _calls.output_dtypes,
        "mixed precision, or a cast of the outputs",
        quick=True,
    ),
    Clause("outputs: shapes", ENCODERS, _calls.output_shapes, "fixed sizes in the traced inputs"),
    Clause(
        "outputs: widths are static",
        ENCODERS,
        _calls.static_widths,
        "reshapes by tensors in the encoder",
    ),
    Clause(
        "outputs: default is pooled_output", ENCODERS, _calls.default_is_pooled, _CALL, quick=True
    ),
    Clause(
        "outputs: the last layer is sequence_output",
        ENCODERS,
        _calls.last_layer_is_sequence,
        _CALL,
        required=False,
    ),
    # What is computed.
    Clause(
        "inference: repeats",
        ENCODERS,
        _behaviour.inference_repeats,
        "dropout that is active in inference",
    ),
    Clause(
        "training: dropout differs in each call",
        ENCODERS,
        _behaviour.training_drops,
        "seeds of random ops, and training in the call of the encoder",
    ),
    Clause(
        "mask: has an effect",
        ENCODERS,
        _behaviour.mask_matters,
        "input_mask on its way to the attention",
    ),
    Clause(
        "mask: padding changes no token",
        ENCODERS,
        _behaviour.tokens_ignore_padding,
        "input_mask on its way to the attention",
    ),
    Clause(
        "mask: padding does not change pooled_output",
        ENCODERS,
        _behaviour.pooled_ignores_padding,
        "input_mask on its way to the attention",
    ),
    Clause(
        "mask: nothing but padding gives finite numbers",
        ENCODERS,
        _behaviour.padding_only,
        "divisions by the number of tokens",
    ),
    Clause(
        "types: have an effect",
        ENCODERS,
        _behaviour.types_matter,
        "input_type_ids on their way to the embeddings",
    ),
    Clause("words: have an effect", ENCODERS, _behaviour.words_matter, _WEIGHTS),
    Clause(
        "positions: have an effect", ENCODERS, _behaviour.order_matters, "the position embeddings"
    ),
    Clause(
        "batch: rows are independent",
        ENCODERS,
        _behaviour.rows_are_independent,
        "what is computed over the batch",
    ),
    # Masked-language-model head.
    Clause(
        "mlm: logits of the positions and words",
        _MLM,
        _calls.mlm_outputs,
        "the head of .mlm",
        quick=True,
    ),
    Clause("mlm: default is there", _MLM, _calls.mlm_default, "the head of .mlm", required=False),
    Clause(
        "mlm: the other outputs are the root's",
        _MLM,
        _calls.mlm_agrees,
        "whether .mlm calls the same encoder",
    ),
    Clause(
        "mlm: positions are honoured",
        _MLM,
        _calls.mlm_positions_are_honoured,
        "masked_lm_positions on their way to the head",
    ),
    Clause("mlm: training is optional", _MLM, _calls.mlm_training_is_optional, _CALL),
    Clause("mlm: all that is permitted is traced", _MLM, _calls.mlm_calls_are_traced, _CALL),
    # Fine-tuning.
    Clause("variables: the lists are there", _WITH_WEIGHTS, _variables.lists, _LISTS, quick=True),
    Clause(
        "variables: trainable ones are among all",
        _WITH_WEIGHTS,
        _variables.trainable_are_among_all,
        _LISTS,
        quick=True,
    ),
    Clause(
        "variables: those that the call reads",
        _WITH_WEIGHTS,
        _variables.variables_are_those_read,
        _LISTS,
        quick=True,
    ),
    Clause(
        "variables: gradients reach the trainable ones",
        ENCODERS,
        _variables.gradients,
        "tf.stop_gradient, or copies of variables",
    ),
    Clause(
        "variables: gradients of pooled_output alone reach the encoder",
        ENCODERS,
        _variables.pooled_gradients,
        "tf.stop_gradient before the pooler",
    ),
    Clause(
        "variables: gradients reach the trainable ones",
        _EMBEDDING,
        _variables.text_gradients,
        "tf.stop_gradient, or copies of variables",
    ),
    Clause(
        "variables: regularization losses are scalars",
        _WITH_WEIGHTS,
        _variables.regularization_losses,
        _LISTS,
        quick=True,
    ),
    Clause(
        "mlm variables: the lists are there", _MLM, _variables.mlm_lists, _LISTS, required=False
    ),
    Clause(
        "mlm variables: trainable ones are among all",
        _MLM,
        _variables.mlm_trainable_are_among_all,
        _LISTS,
    ),
    Clause(
        "mlm variables: those that the call reads",
        _MLM,
        _variables.mlm_variables_are_those_read,
        _LISTS,
    ),
    Clause(
        "mlm variables: gradients reach the trainable ones",
        _MLM,
        _variables.mlm_gradients,
        "tf.stop_gradient, or copies of variables",
    ),
    Clause(
        "mlm variables: gradients of mlm_logits alone reach the encoder",
        _MLM,
        _variables.logits_gradients,
        "tf.stop_gradient before the head",
    ),
    # What else is there.
    Clause(
        "assets: the vocabulary",
        ENCODERS,
        _attributes.vocabulary_asset,
        "vocab_file or sp_model_file of the object that is saved",
    ),
    Clause("assets: as many pieces as words", ENCODERS, _attributes.vocabulary_size, _TOKENIZER),
    Clause(
        "assets: do_lower_case",
        ENCODERS,
        _attributes.lower_casing_is_told,
        "do_lower_case of the object that is saved",
        quick=True,
    ),
    Clause(
        "signatures: one for serving",
        KINDS,
        _signatures.one_for_serving,
        _SIGNATURES,
        quick=True,
    ),
    Clause(
        "signatures: return what the calls return",
        KINDS,
        _signatures.return_what_calls_return,
        _SIGNATURES,
    ),
    Clause(
        "signatures: are what the calls are, by name",
        KINDS,
        _signatures.are_the_calls,
        _SIGNATURES,
        required=False,
    ),
    Clause(
        "signatures: others are of calls, too",
        KINDS,
        _signatures.extra_ones_are_calls,
        _SIGNATURES,
        required=False,
    ),
    Clause(
        "signatures: vectors and what they are made from",
        _EMBEDDING,
        _signatures.outputs_of_text,
        "the signature named outputs",
    ),
    Clause("serve: is the call", KINDS, _signatures.serve_is_the_call, _SIGNATURES),
    *contract_clauses_of_text.LOADED,
)


def check(
    name: str,
    path: str,
    *,
    quick: bool,
    batch: loaded_models.Inputs | None = None,
    kept: bool = False,
) -> tuple[list[reports.Check], loaded_models.Model | None]:
    """Loads a SavedModel and checks its contract.

    Args:
      name: What it is called in the report.
      path: Its folder.
      quick: Whether only clauses are checked that cost next to nothing.
      batch: The encoder inputs that most clauses look at; None for random ones.
      kept: Whether the SavedModel is kept, see `loaded_models.load`.

    Returns:
      The checks, and the SavedModel; None where it cannot be loaded, which is a failed check.
    """
    try:
        model = loaded_models.load(path, name, batch, kept=kept)
    except (*loaded_models.LOAD_ERRORS, errors.UserError) as error:
        look_at = "sizes and digests of the files, and whether it is one of the four kinds"
        return [reports.Check("loading", False, contracts.told(error), look_at=look_at)], None
    with loaded_models.called_beside(model):
        of_files = contracts.check(FILES, model, quick=quick)
    return [*of_files, *contracts.check(LOADED, model, quick=quick)], model
