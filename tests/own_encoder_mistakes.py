"""Mistakes with encoders of a user's own package, each with what is said of it.

"{run}" stands for the run's directory, "{folder}" for the one that the gin file `export.gin` is in.
"""

from __future__ import annotations

from collections.abc import Mapping

NEEDS_CLASS = (
    "error: An encoder of type 'any' needs the class of its configuration: gin must import the "
    "package that binds a builder to it (official.modeling.hyperparams.base_config.bind) and, if "
    "there are several, name the class. To export it as one of TF-NLP's types instead, set "
    "encoder.type.\n"
)
_NEEDS_BUILDER = (
    "error: The configuration of an encoder of type 'any' must have a BUILDER: its package binds "
    "one to the class (official.modeling.hyperparams.base_config.bind).\n"
)

# What packages with a mistake begin with.
_PACKAGE = """\
import dataclasses
import tf_keras
from official.modeling.hyperparams import base_config
from official.nlp.configs import encoders

@dataclasses.dataclass
class MyConfig(encoders.BertEncoderConfig):
    initial_gain: float = 1.5

class Layer(tf_keras.layers.Layer):
    def get_embedding_table(self):
        return None

    def call(self, inputs):
        return {"sequence_output": inputs["input_word_ids"]}

@base_config.bind(MyConfig)
def build(config):
"""

# What modules hold, by name.
PACKAGES: Mapping[str, str] = {
    "needs_another": "import no_such_builder\n",
    "not_bound": "import gin\n"
    + _PACKAGE.partition("@base_config.bind")[0]
    + "\ngin.external_configurable(MyConfig)\n",
    "returns_none": f"{_PACKAGE}    return None\n",
    "returns_dense": f"{_PACKAGE}    return tf_keras.layers.Dense(1)\n",
    "returns_layer": f"{_PACKAGE}    return Layer()\n",
}
Mistakes = Mapping[str, tuple[str, str]]

# What a gin file says, and what is said of it.
OF_PACKAGES: Mistakes = {
    "no class": (
        "",
        (
            f"{NEEDS_CLASS}"
            "  received: {run}/params.yaml; bound are: none\n"
            "  where:    --pretraining_dir={run}\n"
            "  example:  import my_package, and encoder.config = @my_package.MyEncoderConfig\n"
        ),
    ),
    "no module": (
        "import no_such_package\n",
        (
            "error: What a gin file imports must be a module that can be imported: installed, "
            "or in a folder that PYTHONPATH names.\n"
            "  received: import no_such_package (No module named 'no_such_package')\n"
            "  where:    {folder}/export.gin:1\n"
            "  example:  PYTHONPATH=/path/to/your/folder python launch.py ...\n"
        ),
    ),
    "module without its own": (
        "import needs_another\n",
        (
            "error: What a gin file imports must be a module that can be imported: installed, "
            "or in a folder that PYTHONPATH names.\n"
            "  received: import needs_another (No module named 'no_such_builder')\n"
            "  where:    {folder}/export.gin:1\n"
            "  example:  PYTHONPATH=/path/to/your/folder python launch.py ...\n"
        ),
    ),
    "class without BUILDER": (
        "import not_bound\nencoder.config = @MyConfig\n",
        (
            f"{_NEEDS_BUILDER}"
            "  received: not_bound.MyConfig without; bound are: none\n"
            "  where:    {folder}/export.gin:2\n"
            "  example:  @base_config.bind(MyEncoderConfig) above "
            "def build(config: MyEncoderConfig)\n"
        ),
    ),
    "configuration without BUILDER": (
        "encoder.type = 'any'\nencoder.config = @BertEncoderConfig()\n",
        (
            f"{_NEEDS_BUILDER}"
            "  received: official.nlp.configs.encoders.BertEncoderConfig without; bound are: "
            "none\n"
            "  where:    {folder}/export.gin:2\n"
            "  example:  @base_config.bind(MyEncoderConfig) above "
            "def build(config: MyEncoderConfig)\n"
        ),
    ),
    "BUILDER of none": (
        "import returns_none\n",
        (
            "error: TF-NLP must be able to build the encoder of type 'any'; it says: The "
            "BUILDER returns an unexpected instance. The `build_encoder` should returns a "
            "tf.Module, tf_keras.Model or tf_keras.layers.Layer. However, we get "
            "<class 'NoneType'>\n"
            "  received: {run}/params.yaml\n"
            "  where:    returns_none.build, the BUILDER of returns_none.MyConfig\n"
            "  example:  def build(config): return MyEncoder(...), a subclass of "
            "networks.BertEncoderV2, say\n"
        ),
    ),
    "BUILDER of no encoder": (
        "import returns_dense\n",
        (
            "error: TF-NLP must be able to build the encoder of type 'any'; it says: The "
            "BUILDER must return an encoder: a layer or model of tf_keras with "
            "get_embedding_table(), not tf_keras.src.layers.core.dense.Dense.\n"
            "  received: {run}/params.yaml\n"
            "  where:    returns_dense.build, the BUILDER of returns_dense.MyConfig\n"
            "  example:  def build(config): return MyEncoder(...), a subclass of "
            "networks.BertEncoderV2, say\n"
        ),
    ),
    "BUILDER of other outputs": (
        "import returns_layer\n",
        (
            "error: TF-NLP must be able to build the encoder of type 'any'; it says: The "
            "encoder of a BUILDER must return a dict with sequence_output, pooled_output, "
            "encoder_outputs, not one with sequence_output.\n"
            "  received: {run}/params.yaml\n"
            "  where:    returns_layer.build, the BUILDER of returns_layer.MyConfig\n"
            "  example:  def build(config): return MyEncoder(...), a subclass of "
            "networks.BertEncoderV2, say\n"
        ),
    ),
}
OF_OVERRIDES: Mistakes = {
    "type": (
        "encoder.config = @GainConfig\nGainConfig.num_layers = 'four'\n",
        (
            "error: GainConfig.num_layers must be of type int, as in the encoder's "
            "configuration.\n"
            "  received: 'four'\n"
            "  where:    {folder}/export.gin:3\n"
            "  example:  GainConfig.num_layers = 12\n"
        ),
    ),
    "type in TF-NLP's": (
        "encoder.type = 'bert_v2'\nBertEncoderConfig.num_layers = 'four'\n",
        (
            "error: BertEncoderConfig.num_layers must be an integer.\n"
            "  received: BertEncoderConfig.num_layers = 'four'\n"
            "  where:    {folder}/export.gin:3\n"
            "  example:  BertEncoderConfig.num_layers = 12\n"
        ),
    ),
    "name": (
        "GainConfig.initial_gane = 1.0\n",
        (
            "error: The parameter must be one of GainConfig's: vocab_size, hidden_size, "
            "num_layers, num_attention_heads, hidden_activation, intermediate_size, "
            "dropout_rate, attention_dropout_rate, max_position_embeddings, type_vocab_size, "
            "initializer_range, embedding_size, output_range, return_all_encoder_outputs, "
            "return_attention_scores, return_word_embeddings, norm_first, initial_gain. Did "
            "you mean initial_gain?\n"
            "  received: GainConfig.initial_gane = 1.0\n"
            "  where:    {folder}/export.gin:2\n"
        ),
    ),
    "another class": (
        "encoder.config = @GainConfig\nBertEncoderConfig.dropout_rate = 0.5\n",
        (
            "error: What is set for an encoder must have an effect. This has none: "
            "encoder.config = @BertEncoderConfig() is not set, and the configuration came from "
            "elsewhere.\n"
            "  received: BertEncoderConfig.dropout_rate = 0.5\n"
            "  where:    {folder}/export.gin:3\n"
        ),
    ),
    "norm order": (
        "encoder.config = @GainConfig\nGainConfig.norm_first = True\n",
        (
            "error: An encoder must be built as it was trained, unless the difference is "
            "allowed by name.\n"
            "  received: norm_first = True, trained with False ({run}/params.yaml)\n"
            "  where:    {folder}/export.gin:3\n"
            "  example:  pretraining.allow_overrides = ['norm_first']\n"
        ),
    ),
}
