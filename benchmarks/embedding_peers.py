"""Sentence embeddings by other libraries, on what text embedding is measured with.

    PYTHON -m benchmarks.embedding_peers OUTPUT MODEL_DIR

It needs a Python that has `sentence-transformers` (with PyTorch), `onnx` and `onnxruntime`; the
exporter needs none of them. MODEL_DIR holds a BERT as Sentence Transformers reads it. It writes a
JSON list of sentences per second to the file OUTPUT: of Sentence Transformers, by wall clock and by
processor time, then of ONNX Runtime.
"""

from __future__ import annotations

import functools
import importlib
import json
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks import texts, timing

_PASSES = 2


def sentence_transformers(model_dir: str) -> Callable[[Sequence[str]], object]:
    """Returns Sentence Transformers' embedding of a batch of sentences."""
    library = importlib.import_module("sentence_transformers")
    model = library.SentenceTransformer(model_dir, device="cpu")
    return lambda batch: model.encode(list(batch), batch_size=len(batch))


def onnx_runtime(model_dir: str, folder: str) -> Callable[[Sequence[str]], object]:
    """Returns an embedding by ONNX Runtime: a mean over the tokens, padded to the longest text.

    Args:
      model_dir: The model.
      folder: Where to write it as ONNX.
    """
    torch = importlib.import_module("torch")
    transformers = importlib.import_module("transformers")
    runtime = importlib.import_module("onnxruntime")
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_dir)
    model = transformers.AutoModel.from_pretrained(model_dir, attn_implementation="eager").eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = tokenizer(["An example.", "Another one of them."], padding=True, return_tensors="pt")
    path = f"{folder}/model.onnx"

    class SequenceOutput(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> Any:
            return self.model(**dict(zip(names, tensors, strict=True)))[0]

    torch.onnx.export(
        SequenceOutput(),
        tuple(example[name] for name in names),
        path,
        input_names=names,
        output_names=["sequence_output"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in [*names, "sequence_output"]},
        dynamo=False,
    )
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def embed(batch: Sequence[str]) -> Any:
        inputs = tokenizer(list(batch), padding=True, truncation=True, return_tensors="np")
        (tokens,) = session.run(["sequence_output"], {name: inputs[name] for name in names})
        mask = inputs["attention_mask"][:, :, None]
        return (tokens * mask).sum(axis=1) / mask.sum(axis=1)

    return embed


def _run(call: Callable[[Sequence[str]], object], batches: Iterable[Sequence[str]]) -> None:
    for batch in batches:
        call(batch)


def main(output: str, model_dir: str) -> None:
    """Measures both in turn."""
    with tempfile.TemporaryDirectory() as folder:
        peers = [sentence_transformers(model_dir), onnx_runtime(model_dir, folder)]
        calls = [functools.partial(_run, peer, texts.batches()) for peer in peers]
        for call in calls:
            call()
        spent = timing.in_turn(calls, calls=_PASSES)
    number = sum(map(len, texts.batches()))
    rates = [number / seconds for one in spent for seconds in (one.wall, one.processor)]
    pathlib.Path(output).write_text(json.dumps(rates), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
