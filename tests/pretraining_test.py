from __future__ import annotations

import json
import pathlib
import shutil
from typing import Any

import pytest
import yaml

from exporter import errors, pretraining

_EMA = pathlib.Path(__file__).parent / "testdata" / "ema_tiny"


def _run(folder: pathlib.Path, **params: Any) -> pretraining.Run:
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params or {"task": {}}))
    return pretraining.read(f"{folder}/")


def _save(folder: pathlib.Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.index").write_bytes(b"")


def _error(run: pretraining.Run, which: str | int) -> str:
    with pytest.raises(errors.UserError) as raised:
        run.pick(which)
    return str(raised.value).replace(run.directory, "RUN")


class TestRead:
    def test_the_run_with_averages(self) -> None:
        run = pretraining.read(str(_EMA))
        assert run.params_file == f"{_EMA}/params.yaml"
        assert run.model["encoder"]["type"] == "bert"
        assert run.model["mlm_activation"] == "gelu"
        assert run.seq_length == 32
        assert run.recorded_vocab_file is None
        assert run.vocab_file() is None

    def test_no_run(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(errors.UserError, match=r"must hold params\.yaml"):
            pretraining.read(str(tmp_path))

    @pytest.mark.parametrize("task", [None, "text", [], {"train_data": None, "model": 3}])
    def test_other_contents(self, tmp_path: pathlib.Path, task: Any) -> None:
        run = _run(tmp_path, task=task, trainer=None)
        assert (run.model, run.seq_length, run.vocab_file()) == ({}, None, None)

    @pytest.mark.parametrize("length", ["32", 0, -1, 1.5, None])
    def test_no_length(self, tmp_path: pathlib.Path, length: Any) -> None:
        run = _run(tmp_path, task={"train_data": {"seq_length": length}})
        assert run.seq_length is None


class TestVocabulary:
    @pytest.mark.parametrize("field", ["vocab_file_path", "vocab_file"])
    def test_an_absolute_path(self, tmp_path: pathlib.Path, field: str) -> None:
        path = tmp_path / "v.txt"
        path.write_text("[PAD]\n")
        run = _run(tmp_path / "run", task={"train_data": {field: str(path)}})
        assert run.vocab_file() == str(path)

    def test_the_first_place_that_has_it(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        run = _run(tmp_path / "run", task={"train_data": {"vocab_file_path": "data/v.txt"}})
        for place in ("run/v.txt", "run/data/v.txt", "data/v.txt"):
            path = tmp_path / place
            path.parent.mkdir(exist_ok=True)
            path.write_text("[PAD]\n")
            expected = place if place == "data/v.txt" else f"{tmp_path}/{place}"
            assert run.vocab_file() == expected

    def test_nowhere(self, tmp_path: pathlib.Path) -> None:
        run = _run(tmp_path, task={"train_data": {"vocab_file_path": "/data/v.txt"}})
        with pytest.raises(errors.UserError) as raised:
            run.vocab_file()
        assert str(raised.value).replace(str(tmp_path), "RUN") == (
            "The vocabulary that the run recorded is not here and must be given.\n"
            "  received: /data/v.txt in RUN/params.yaml; none of /data/v.txt, RUN/data/v.txt, "
            "RUN/v.txt exists\n"
            "  example:  --vocab_file=/path/to/v.txt"
        )
        assert raised.value.setting == "tokenizer.vocab_file"


class TestPick:
    @pytest.mark.parametrize(
        ("which", "name", "phrase"),
        [
            ("latest", "ckpt-400", "the latest one"),
            (300, "ckpt-300", "of step 300"),
            (400, "ckpt-400", "of step 400"),
            ("best", "best/best_ckpt-8", "the best one"),
        ],
    )
    def test_one(self, which: str | int, name: str, phrase: str) -> None:
        picked = pretraining.read(str(_EMA)).pick(which)
        assert picked.prefix == f"{_EMA}/{name}"
        assert str(picked.found[0]) == (
            f"checkpoint: {_EMA}/{name}, {phrase}; the run has 300, 400, best"
        )

    def test_best_by_a_metric(self) -> None:
        _, why = pretraining.read(str(_EMA)).pick("best").found
        assert (
            str(why) == f"checkpoint: the best by validation_loss: 5.94543 ({_EMA}/best/info.json)"
        )

    def test_best_by_a_nested_metric(self, tmp_path: pathlib.Path) -> None:
        shutil.copytree(_EMA / "best", tmp_path / "run" / "best")
        info = {"test": {"accuracy": 0.25}, "best_ckpt_global_step": 300.0}
        (tmp_path / "run" / "best" / "info.json").write_text(json.dumps(info))
        trainer = {"best_checkpoint_eval_metric": "test|accuracy"}
        _, why = _run(tmp_path / "run", trainer=trainer).pick("best").found
        assert "the best by test|accuracy: 0.25 (" in str(why)

    def test_info_of_the_next_best_one(self, tmp_path: pathlib.Path) -> None:
        """The trainer writes it before the checkpoint."""
        shutil.copytree(_EMA / "best", tmp_path / "best")
        (tmp_path / "best" / "info.json").write_text('{"best_ckpt_global_step": 400.0}')
        run = _run(tmp_path)
        found = [str(finding).replace(run.directory, "RUN") for finding in run.pick("best").found]
        assert found == [
            "checkpoint: RUN/best/best_ckpt-8, the best one; the run has best",
            (
                "warning: checkpoint: RUN/best/info.json is of step 400, RUN/best/best_ckpt-8 of "
                "step 300"
            ),
        ]

    def test_best_without_info(self, tmp_path: pathlib.Path) -> None:
        _save(tmp_path / "b", "best_ckpt-2")
        run = _run(tmp_path, trainer={"best_checkpoint_export_subdir": "b/"})
        assert run.pick("best").prefix == f"{tmp_path}/b/best_ckpt-2"

    def test_best_in_several_folders(self, tmp_path: pathlib.Path) -> None:
        for name in ("first", "second"):
            _save(tmp_path / name, "best_ckpt-2")
        assert _error(_run(tmp_path), "best") == (
            "Best checkpoints are in several folders; name the one to take.\n"
            "  received: RUN/first, RUN/second\n"
            "  example:  --model_checkpoint_path=RUN/first"
        )
        named = _run(tmp_path, trainer={"best_checkpoint_export_subdir": "second"})
        assert named.pick("best").prefix == f"{tmp_path}/second/best_ckpt-2"

    def test_no_best(self, tmp_path: pathlib.Path) -> None:
        _save(tmp_path, "ckpt-20", "ckpt-100")
        assert _error(_run(tmp_path), "best") == (
            "--checkpoint must be latest, best, or a global step that the run has saved.\n"
            "  received: 'best'; RUN has 20, 100 (the trainer keeps a best one with "
            "trainer.best_checkpoint_export_subdir)\n"
            "  example:  --checkpoint=100"
        )

    @pytest.mark.parametrize("which", [30, "newest", "20"])
    def test_no_such_one(self, tmp_path: pathlib.Path, which: str | int) -> None:
        _save(tmp_path, "ckpt-20", "ckpt-100")
        assert f"  received: {which!r}; RUN has 20, 100\n" in _error(_run(tmp_path), which)

    @pytest.mark.parametrize("which", ["latest", "best", 20])
    def test_none(self, tmp_path: pathlib.Path, which: str | int) -> None:
        run = _run(tmp_path)
        assert _error(run, which) == (
            "--checkpoint must be latest, best, or a global step that the run has saved.\n"
            f"  received: {which!r}; RUN has no checkpoint\n"
            "  example:  a run that has saved a checkpoint"
        )
