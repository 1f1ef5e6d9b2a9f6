"""The original BERT and ALBERT in plain NumPy, from the values of a TF1 checkpoint by their names.

Devlin et al., 2018, "BERT: Pre-training of Deep Bidirectional Transformers", and Lan et al., 2019,
"ALBERT: A Lite BERT", with the choices of the code that was released with them: GELU by its tanh
approximation, layer norms after the residual sums, the output embeddings tied to the input's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

_NORM_EPSILON = 1e-12
_MASKED = -10000.0
Array = np.ndarray


@dataclasses.dataclass(frozen=True)
class Bert:
    """An encoder and its masked-language-model head.

    Attributes:
      config: What bert_config.json or albert_config.json holds.
      values: The checkpoint's values by name.
    """

    config: Mapping[str, Any]
    values: Mapping[str, Array]

    @property
    def is_albert(self) -> bool:
        """Whether all layers are one, behind narrow embeddings."""
        return "num_hidden_groups" in self.config

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Any]:
        """Computes what an export returns, in float64.

        Args:
          inputs: `input_word_ids`, `input_mask`, `input_type_ids`, int `[B, L]`, each row with an
            unmasked token; and `masked_lm_positions` `[B, P]` for the head's logits, too (B: batch
            size, L: sequence length, P: predictions a row).

        Returns:
          `sequence_output` `[B, L, D]`, `pooled_output` and `default` `[B, D]`, `encoder_outputs`,
          a list of `[B, L, D]`, and `mlm_logits` `[B, P, V]` (D: hidden size, V: vocabulary size).
        """
        state = self._embed(inputs)
        if self.is_albert:
            state = self._dense("bert/encoder/embedding_hidden_mapping_in", state)
        layers = []
        for number in range(self.config["num_hidden_layers"]):
            state = self._layer(number, state, inputs["input_mask"])
            layers.append(state)
        pooled = np.tanh(self._dense("bert/pooler/dense", state[:, 0]))
        outputs = {
            "sequence_output": state,
            "pooled_output": pooled,
            "default": pooled,
            "encoder_outputs": layers,
        }
        if "masked_lm_positions" in inputs:
            outputs["mlm_logits"] = self._logits(state, inputs["masked_lm_positions"])
        return outputs

    def _embed(self, inputs: Mapping[str, Array]) -> Array:
        words, positions, types = (
            self._value(f"bert/embeddings/{name}_embeddings")
            for name in ("word", "position", "token_type")
        )
        length = inputs["input_word_ids"].shape[1]
        embedded = words[inputs["input_word_ids"]] + types[inputs["input_type_ids"]]
        return self._norm("bert/embeddings/LayerNorm", embedded + positions[:length])

    def _layer(self, number: int, state: Array, mask: Array) -> Array:
        if self.is_albert:
            layer = "bert/encoder/transformer/group_0/inner_group_0"
            names = ("attention_1", "LayerNorm", "ffn_1/intermediate")
            names = (*names, "ffn_1/intermediate/output", "LayerNorm_1")
        else:
            layer = f"bert/encoder/layer_{number}"
            names = ("attention", "attention/output/LayerNorm", "intermediate")
            names = (*names, "output", "output/LayerNorm")
        attention, attention_norm, inner, output, output_norm = (f"{layer}/{n}" for n in names)
        attended = self._dense(f"{attention}/output/dense", self._attend(attention, state, mask))
        state = self._norm(attention_norm, state + attended)
        hidden = self._activate(self._dense(f"{inner}/dense", state))
        return self._norm(output_norm, state + self._dense(f"{output}/dense", hidden))

    def _attend(self, name: str, state: Array, mask: Array) -> Array:
        heads = self.config["num_attention_heads"]
        batch, length, width = state.shape
        query, key, value = (
            self._dense(f"{name}/self/{part}", state).reshape(batch, length, heads, width // heads)
            for part in ("query", "key", "value")
        )
        scores = np.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(width // heads)
        scores = scores + _MASKED * (1 - mask[:, None, None, :])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return np.einsum("bhqk,bkhd->bqhd", weights, value).reshape(batch, length, width)

    def _logits(self, state: Array, positions: Array) -> Array:
        chosen = np.take_along_axis(state, positions[:, :, None], axis=1)
        hidden = self._activate(self._dense("cls/predictions/transform/dense", chosen))
        hidden = self._norm("cls/predictions/transform/LayerNorm", hidden)
        table = self._value("bert/embeddings/word_embeddings")
        return hidden @ table.T + self._value("cls/predictions/output_bias")

    def _activate(self, x: Array) -> Array:
        if self.config["hidden_act"] == "relu":
            return np.maximum(x, 0)
        assert self.config["hidden_act"] == "gelu"
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def _dense(self, name: str, x: Array) -> Array:
        return x @ self._value(f"{name}/kernel") + self._value(f"{name}/bias")

    def _norm(self, name: str, x: Array) -> Array:
        mean = x.mean(-1, keepdims=True)
        scaled = (x - mean) / np.sqrt(x.var(-1, keepdims=True) + _NORM_EPSILON)
        return scaled * self._value(f"{name}/gamma") + self._value(f"{name}/beta")

    def _value(self, name: str) -> Array:
        return self.values[name].astype(np.float64)
