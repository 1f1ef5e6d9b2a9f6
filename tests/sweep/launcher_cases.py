"""What every launcher must do: tests to be inherited, with what is launched in one place."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import shutil
from typing import Any

import pytest

import launch
from exporter import gin_parsing
from exporter.sweep import jobs

TESTDATA = pathlib.Path(__file__).parent.parent / "testdata"
_SWEEP = """
{launcher}
tokenizer.vocab_file = '{testdata}/bert_tiny/vocab.txt'
tokenizer.do_lower_case = True
checkpoint.model_checkpoint_path = '{testdata}/bert_tiny'
pretraining.allow_overrides = ['num_layers']
export.verify = 'quick'
export.export_type = 'preprocessing'
encoder.encoder_config_file = '{testdata}/bert_tiny/params.yaml'

sweep.points = @union()
union.parts = [@product(), @points(), @length/axis()]
product.parts = [@type/axis(), @pooler/axis()]
type/axis.name = 'export.export_type'
type/axis.values = ['model']
pooler/axis.name = 'export.pooler'
pooler/axis.values = [@restored_pooler, @identity_pooler]
points.values = [
    {{'export.export_type': 'model', 'encoder.encoder_config_file': '{folder}/one_layer.yaml'}}]
length/axis.name = 'preprocessing.default_seq_length'
length/axis.values = [32, 64]
"""
_MODELS = ("model-restored_pooler", "model-identity_pooler")
_TEXTS = ("32", "64")
_FAILING = "model-one_layer"
NAMES = (*_MODELS, _FAILING, *_TEXTS)
INCOMPLETE = 4


def write_sweep(folder: pathlib.Path, launcher: str, more: str = "") -> None:
    """Writes a gin file with 5 points, of which one fails when it is exported."""
    params = (TESTDATA / "bert_tiny" / "params.yaml").read_text()
    assert "num_layers: 2" in params
    (folder / "one_layer.yaml").write_text(params.replace("num_layers: 2", "num_layers: 1"))
    text = _SWEEP.format(launcher=launcher, testdata=TESTDATA, folder=folder)
    (folder / "sweep.gin").write_text(f"{text}\n{more}")


def run_sweep(folder: pathlib.Path, *flags: str) -> int:
    """Runs it; returns the exit status."""
    arguments = [f"--gin_file={folder}/sweep.gin", f"--export_path={folder}/out", *flags]
    return launch.run(["launch.py", "--mode=sweep", *arguments])


def records(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Returns the records of results.jsonl by their names."""
    lines = (folder / "out" / "results.jsonl").read_text().splitlines()
    return {record["name"]: record for record in map(json.loads, lines)}


def files(path: pathlib.Path) -> dict[str, bytes]:
    """Returns the content of all files of an export."""
    return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}


def times(folder: pathlib.Path) -> dict[str, int]:
    """Returns when each export was begun or looked at as incomplete."""
    paths = (folder / "out").glob("*.record/export.json")
    return {path.parent.name.removesuffix(".record"): path.stat().st_mtime_ns for path in paths}


def job(folder: pathlib.Path, name: str, text: str) -> jobs.Job:
    """Returns the job of a preprocessing export, made of the given gin text among other."""
    vocabulary = TESTDATA / "bert_tiny" / "vocab.txt"
    bindings = (
        f"{text}\nexport.export_type = 'preprocessing'\nexport.verify = 'off'\n"
        f"export.export_path = '{folder}/{name}'\ntokenizer.vocab_file = '{vocabulary}'\n"
        "tokenizer.do_lower_case = True"
    )
    sources = (gin_parsing.Source(bindings, "here"),)
    return jobs.Job(name, f"{folder}/{name}", {}, sources, "digest", "group", "graphs", 0)


@pytest.fixture(name="single", scope="session")
def single_exports(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The same exports as the sweep's, each by a command of its own."""
    folder = tmp_path_factory.mktemp("single")
    flags = [
        f"--vocab_file={TESTDATA}/bert_tiny/vocab.txt",
        "--do_lower_case",
        "--gin_params=pretraining.allow_overrides = ['num_layers']",
        f"--model_checkpoint_path={TESTDATA}/bert_tiny",
        f"--encoder_config_file={TESTDATA}/bert_tiny/params.yaml",
    ]
    for name in (_MODELS[1], _TEXTS[1]):
        own = ["--export_type=preprocessing", "--default_seq_length=64"]
        if name == _MODELS[1]:
            own = ["--gin_params=export.pooler = @identity_pooler", "--export_type=model"]
        assert launch.run(["launch.py", *flags, *own, f"--export_path={folder}/{name}"]) == 0
    return folder


@pytest.fixture(name="sweep", scope="class")
def sweep_once(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """The folder of a sweep that has run once."""
    folder = tmp_path_factory.mktemp("sweep")
    write_sweep(folder, request.cls.launcher)
    assert run_sweep(folder) == INCOMPLETE
    return folder


class LauncherTests:
    """The battery. The tests build on each other's exports, in this order."""

    launcher = ""

    def test_results(self, sweep: pathlib.Path) -> None:
        found = records(sweep)
        assert tuple(found) == NAMES
        assert {name: record["status"] for name, record in found.items()} == {
            **dict.fromkeys(NAMES, "succeeded"),
            _FAILING: "failed",
        }
        first = found[_MODELS[0]]
        assert first["pooler"] == "restored_pooler"
        assert (first["step"], first["verification"]) == (6000, "passed")
        assert first["checks_passed"] > 10
        assert 0 <= first["max_difference"] < 1e-4
        assert first["bytes"] == sum(map(len, files(sweep / "out" / _MODELS[0]).values()))
        assert first["saved_model_bytes"] < first["bytes"]
        assert first["load_seconds"] > 0
        assert first["seconds"] > 0
        assert (sweep / "out" / first["record"] / "report.txt").is_file()
        text = found["64"]
        assert (text["default_seq_length"], text["step"]) == (64, None)

    def test_the_failing_one_is_told(self, sweep: pathlib.Path) -> None:
        failed = records(sweep)[_FAILING]
        rule = "The checkpoint must be that of the configured encoder, value by value"
        assert failed["message"].startswith(f"{rule}: the checkpoint has 2 layers")
        assert (sweep / "out" / failed["log"]).read_text().count(f"error: {rule}") == 1
        assert not (sweep / "out" / _FAILING).exists()

    def test_csv(self, sweep: pathlib.Path) -> None:
        with (sweep / "out" / "results.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["name"] for row in rows] == list(NAMES)
        assert rows[0]["pooler"] == "restored_pooler"
        assert rows[0]["default_seq_length"] == ""
        assert rows[-1]["default_seq_length"] == "64"
        assert rows[-1]["status"] == "succeeded"

    def test_exports_are_those_of_single_commands(
        self, sweep: pathlib.Path, single: pathlib.Path
    ) -> None:
        for name in (_MODELS[1], _TEXTS[1]):
            expected, got = files(single / name), files(sweep / "out" / name)
            assert expected.keys() == got.keys()
            assert {file for file in expected if expected[file] != got[file]} == set()

    def test_equal_files_are_stored_once(self, sweep: pathlib.Path) -> None:
        vocabularies = list((sweep / "out").glob("*/assets/vocab.txt"))
        assert len(vocabularies) == 4
        assert len({path.stat().st_ino for path in vocabularies}) == 1
        weights = list((sweep / "out").glob("*/variables/variables.data-*"))
        assert len({path.stat().st_ino for path in weights}) == len(
            {path.read_bytes() for path in weights}
        )
        # Nothing else holds them: who removes an export gets its space back.
        assert vocabularies[0].stat().st_nlink == 4
        assert not (sweep / "out" / ".shared").exists()

    def test_again_only_the_failed_one_is_tried(
        self, sweep: pathlib.Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = times(sweep)
        assert run_sweep(sweep) == INCOMPLETE
        after = times(sweep)
        assert {name for name in NAMES if before[name] != after[name]} == {_FAILING}
        captured = capsys.readouterr()
        assert captured.out == f"5 exports in {sweep}/out: 0 succeeded, 4 skipped, 1 failed\n"
        assert captured.err.rpartition("error: ")[2] == (
            "1 of 5 exports failed: model-one_layer. What each said is in results.jsonl and in "
            "NAME.record/log.txt.\n"
        )

    def test_what_is_missing_changed_or_damaged_is_made_again(
        self, sweep: pathlib.Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = sweep / "out"
        contents = {name: files(out / name) for name in (*_MODELS, *_TEXTS)}
        shutil.rmtree(out / "32")
        # Written anew with equal bytes: it is whole, whatever its time is.
        graph = out / _MODELS[1] / "saved_model.pb"
        content = graph.read_bytes()
        graph.unlink()
        graph.write_bytes(content)
        # And one with other bytes, of the same size.
        asset = out / "64" / "saved_model.pb"
        os.replace(shutil.copy(asset, f"{asset}.new"), asset)
        asset.write_bytes(asset.read_bytes()[:-1] + b"\0")
        write_sweep(sweep, self.launcher, "points.values = []")
        capsys.readouterr()
        assert run_sweep(sweep, "--dry_run") == 0
        told = capsys.readouterr().out.splitlines()
        assert [line.partition(": export.")[0].partition(": prep")[0] for line in told] == [
            f"{_MODELS[0]}: complete",
            f"{_MODELS[1]}: complete",
            "32: to be exported (damaged)",
            "64: to be exported (damaged)",
            f"4 points in {out}: 2 to be exported, 2 complete",
        ]
        before = times(sweep)
        assert run_sweep(sweep) == 0
        after = times(sweep)
        assert {name for name in before if before[name] != after[name]} == {"32", "64"}
        assert {name: files(out / name) for name in contents} == contents
        assert len({p.stat().st_ino for p in out.glob("*/assets/vocab.txt")}) == 1

    def test_another_configuration_is_made_again(self, sweep: pathlib.Path) -> None:
        out = sweep / "out"
        before, models = times(sweep), {name: files(out / name) for name in _MODELS}
        more = (
            "points.values = []\nlength/axis.values = [64]\nchecks.allow_padded_vocabulary = True"
        )
        write_sweep(sweep, self.launcher, more)
        assert run_sweep(sweep) == 0
        assert list(records(sweep)) == [*_MODELS, "64"]
        after = times(sweep)
        assert {name for name in before if before[name] != after[name]} == {*_MODELS, "64"}
        # What is removed takes nothing from the others.
        shutil.rmtree(out / "64")
        shutil.rmtree(out / _MODELS[0])
        assert files(out / _MODELS[1]).keys() == models[_MODELS[1]].keys()
