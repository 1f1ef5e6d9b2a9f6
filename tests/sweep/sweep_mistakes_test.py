"""Mistakes in a sweep are told before anything starts, with the points and the place."""

from __future__ import annotations

import pathlib

import pytest

import launch

_TESTDATA = pathlib.Path(__file__).parent.parent / "testdata"
_FILES = f"""
tokenizer.vocab_file = '{_TESTDATA}/bert_tiny/vocab.txt'
tokenizer.do_lower_case = True
encoder.encoder_config_file = '{_TESTDATA}/bert_tiny/params.yaml'
checkpoint.model_checkpoint_path = '{_TESTDATA}/bert_tiny'
export.export_type = 'all'
"""
_SWEEP = """
sweep.points = @product()
product.parts = [@pooler/axis(), @length/axis()]
pooler/axis.name = 'export.pooler'
pooler/axis.values = [@restored_pooler, @identity_pooler]
length/axis.name = 'preprocessing.default_seq_length'
length/axis.values = [64, 128]
length/axis.label = 'length'
"""


def _sweep(folder: pathlib.Path, text: str, *flags: str) -> int:
    (folder / "sweep.gin").write_text(f"{_FILES}{_SWEEP}{text.replace('{folder}', str(folder))}")
    arguments = [f"--gin_file={folder}/sweep.gin", f"--export_path={folder}/out", *flags]
    return launch.run(["launch.py", "--mode=sweep", *arguments])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "length/axis.values = [64, 'x', 700, 2]",
            (
                "error: restored_pooler-x, identity_pooler-x: "
                "preprocessing.default_seq_length must be an integer or None.\n"
                "  received: preprocessing.default_seq_length = 'x'\n"
                "  where:    {file}:15\n"
                "  example:  preprocessing.default_seq_length = 128\n"
            ),
        ),
        (
            (
                "length/axis.name = 'preprocessing.max_segments'\n"
                "length/axis.values = [1, 3]\npreprocessing.default_seq_length = 64"
            ),
            (
                "error: restored_pooler-3, identity_pooler-3: preprocessing.max_segments must not "
                "be larger than the number of types of segments that the encoder knows "
                "(type_vocab_size): further segments' types would have no embedding.\n"
                "  received: 3, with 2 types\n"
                "  where:    {file}:16\n"
                "  example:  preprocessing.max_segments = 2\n"
            ),
        ),
        (
            "length/axis.values = [64, 700, 2]",
            (
                "error: restored_pooler-700, identity_pooler-700: --default_seq_length must not be "
                "longer than the sequences that the encoder has position embeddings for.\n"
                "  received: 700, with 128 positions\n"
                "  where:    {file}:15\n"
                "  example:  --default_seq_length=128\n"
                "error: restored_pooler-2, identity_pooler-2: --default_seq_length must leave "
                "room for "
                "[CLS], one token and [SEP].\n"
                "  received: 2\n"
                "  where:    {file}:15\n"
                "  example:  --default_seq_length=128\n"
            ),
        ),
        (
            "pooler/axis.values = [@identity_pooler]\npooler/axis.name = 'export.poller'",
            (
                "error: all 2 points: The parameter must be one of export's: export_path, "
                "export_type, "
                "pooler, verify, overwrite, show, dry_run. Did you mean pooler?\n"
                "  received: export.poller = @identity_pooler\n"
                "  where:    {file}:16\n"
            ),
        ),
        (
            "LENGHT = 3",
            (
                "error: all 4 points: A macro that is defined must be used.\n"
                "  received: LENGHT = 3\n"
                "  where:    {file}:15\n"
                "  example:  tokenizer.vocab_file = %LENGHT\n"
            ),
        ),
        (
            "pooler/axis.valeus = [1]",
            (
                "error: The parameter must be one of axis's: name, values, label, labels. Did you "
                "mean values?\n"
                "  received: pooler/axis.valeus = [1]\n"
                "  where:    {file}:15\n"
            ),
        ),
        (
            "sweep.points = @product",
            (
                "error: sweep.points must be an object, which gin makes of a name with "
                "parentheses.\n"
                "  received: sweep.points = @product\n"
                "  where:    {file}:15\n"
                "  example:  sweep.points = @product()\n"
            ),
        ),
        (
            "sweep.launcher = @product()",
            (
                "error: sweep.launcher must be an object, which gin makes of a name with "
                "parentheses.\n"
                "  received: sweep.launcher = @product()\n"
                "  where:    {file}:15\n"
                "  example:  sweep.launcher = @in_process()\n"
            ),
        ),
        (
            "sweep.launcher = @local()\nlocal.num_workers = 0",
            (
                "error: local.num_workers must be an integer of at least 1.\n"
                "  received: 0\n"
                "  where:    {file}:16\n"
                "  example:  local.num_workers = 2\n"
            ),
        ),
        (
            "sweep.launcher = @local()\nlocal.retries = -1",
            (
                "error: local.retries must be an integer of at least 0.\n"
                "  received: -1\n"
                "  where:    {file}:16\n"
                "  example:  local.retries = 2\n"
            ),
        ),
        (
            "sweep.launcher = @ray()\nray.num_workers = 0",
            (
                "error: ray.num_workers must be an integer of at least 1.\n"
                "  received: 0\n"
                "  where:    {file}:16\n"
                "  example:  ray.num_workers = 2\n"
            ),
        ),
        (
            "sweep.launcher = @ray()\nray.retries = -1",
            (
                "error: ray.retries must be an integer of at least 0.\n"
                "  received: -1\n"
                "  where:    {file}:16\n"
                "  example:  ray.retries = 2\n"
            ),
        ),
        (
            "sweep.launcher = @ray()\nray.num_cpus = 0",
            (
                "error: ray.num_cpus must be a number above 0.\n"
                "  received: 0\n"
                "  where:    {file}:16\n"
                "  example:  ray.num_cpus = 2\n"
            ),
        ),
        (
            "sweep.points = @where()\nwhere.of = @product()\nwhere.keep = 'length > 999'",
            (
                "error: A sweep must have points.\n"
                "  received: none\n"
                "  where:    {file}:17\n"
                "  example:  where.keep = 'default_seq_length <= 128'\n"
            ),
        ),
        (
            (
                "length/axis.name = 'L'\nL = 64\npreprocessing.default_seq_length = %L\n"
                "warmup.seq_lengths = [%L]\nexporter.preprocessing.default_seq_length = 32\n"
                "exporter.warmup.seq_lengths = [32]"
            ),
            (
                "error: all 4 points: What a sweep varies must have an effect. L has none here: "
                "what used it is bound to something else.\n"
                "  received: exporter.preprocessing.default_seq_length = 32 ({file}:19), "
                "exporter.warmup.seq_lengths = [32] ({file}:20)\n"
                "  where:    {file}:15\n"
                "  example:  an axis over exporter.preprocessing.default_seq_length\n"
            ),
        ),
        (
            (
                "pooler/axis.name = 'gin_file'\npooler/axis.values = ['{folder}/file.inc']\n"
                "product.parts = [@length/axis(), @pooler/axis()]"
            ),
            (
                "error: all 2 points: A gin file that is a value of an axis must not say anything "
                "of the sweep.\n"
                "  received: sweep.name = 'a'\n"
                "  where:    {folder}/file.inc:2\n"
                "  example:  the same line in the file that --gin_file names\n"
                "error: 128-file.inc: What a sweep varies must have an effect. "
                "preprocessing.default_seq_length has none here: what is bound later wins, of "
                "combined parts that of the last one.\n"
                "  received: preprocessing.default_seq_length = 64 ({folder}/file.inc:1)\n"
                "  where:    {file}:14\n"
                "  example:  product.parts = [@file/axis(), @length/axis()], where the files say "
                "the length\n"
            ),
        ),
        (
            (
                "length/axis.name = 'initialized_pooler.seed'\nlength/axis.values = [0, 1]\n"
                "pooler/axis.values = [@restored_pooler, @initialized_pooler, @identity_pooler]"
            ),
            (
                "error: Points of a sweep must be different exports. These are the same: "
                "initialized_pooler.seed has no effect.\n"
                "  received: restored_pooler-0 and restored_pooler-1, identity_pooler-0 and "
                "identity_pooler-1\n"
                "  where:    {file}:16\n"
                "  example:  @union() in the place of @product(), where a value matters only with "
                "some others\n"
            ),
        ),
        (
            "length/axis.name = 'export.show'\nlength/axis.values = [True, False]",
            (
                "error: Points of a sweep must be different exports. These are the same: "
                "export.show has no effect.\n"
                "  received: restored_pooler-True and restored_pooler-False, identity_pooler-True "
                "and identity_pooler-False\n"
                "  where:    {file}:16\n"
                "  example:  @union() in the place of @product(), where a value matters only with "
                "some others\n"
            ),
        ),
        (
            "length/axis.name = 'a/exporter.preprocessing.default_seq_length'",
            (
                "error: Points of a sweep must be different exports. These are the same: "
                "a/exporter.preprocessing.default_seq_length has no effect.\n"
                "  received: restored_pooler-64 and restored_pooler-128, identity_pooler-64 and "
                "identity_pooler-128\n"
                "  where:    {file}:15\n"
                "  example:  @union() in the place of @product(), where a value matters only with "
                "some others\n"
            ),
        ),
        (
            "length/axis.values = [64, 64]\nsweep.name = '{index}'",
            (
                "error: Points of a sweep must be different exports. These are the same: their "
                "values are equal.\n"
                "  received: 0 and 1, 2 and 3\n"
                "  where:    {file}:11\n"
                "  example:  @union() in the place of @product(), where a value matters only with "
                "some others\n"
            ),
        ),
        (
            "length/axis.name = 'exporter.export.export_path'",
            (
                "error: A sweep must not vary exporter.export.export_path: that is said once, of "
                "the sweep as a whole.\n"
                "  received: exporter.export.export_path\n"
                "  where:    {file}:15\n"
                "  example:  exporter.export.export_path = ... outside of the axes\n"
            ),
        ),
        (
            "length/axis.name = 'local.retries'",
            (
                "error: A sweep must not vary local.retries: that is said once, of the sweep as a "
                "whole.\n"
                "  received: local.retries\n"
                "  where:    {file}:15\n"
                "  example:  local.retries = ... outside of the axes\n"
            ),
        ),
        (
            "length/axis.name = 'export.show = True\\npreprocessing.default_seq_length'",
            (
                "error: What a sweep varies must be a parameter, a macro or 'gin_file'.\n"
                "  received: 'export.show = True\\npreprocessing.default_seq_length'\n"
                "  where:    {file}:15\n"
                "  example:  axis.name = 'preprocessing.default_seq_length'\n"
            ),
        ),
        (
            "length/axis.label = 'status'",
            (
                "error: status is another column of the results, and can be no label.\n"
                "  received: 'status' for preprocessing.default_seq_length\n"
                "  where:    {file}:15\n"
                "  example:  an axis over preprocessing.default_seq_length with axis.label = "
                "'my_status'\n"
            ),
        ),
        (
            "sweep.points = @length/axis()\nlenght/axis.values = [32]",
            (
                "error: There must be something that uses lenght/axis. Did you mean length/axis?\n"
                "  received: lenght/axis.values = [32]\n"
                "  where:    {file}:16\n"
                "  example:  product.parts = [@lenght/axis(), ...]\n"
            ),
        ),
        (
            "sweep.name = '{pooler}'",
            (
                "error: Each point's export must have a name of its own, whatever the letters' "
                "case. axis.labels says what values are called.\n"
                "  received: restored_pooler for export.pooler = @restored_pooler, "
                "preprocessing.default_seq_length = 64 and for export.pooler = @restored_pooler, "
                "preprocessing.default_seq_length = 128\n"
                "  where:    {file}:15\n"
                "  example:  sweep.name = '{pooler}-{length}'\n"
            ),
        ),
    ],
    ids=lambda text: text.split("\n")[0][:40],
)
def test_mistakes(
    text: str, told: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file.inc").write_text("preprocessing.default_seq_length = 64\nsweep.name = 'a'")
    assert _sweep(tmp_path, text) == 2
    error = capsys.readouterr().err
    if not error.startswith("error"):  # A step that took a while.
        error = error[error.index("error") :]
    expected = told.replace("{file}", "{folder}/sweep.gin").replace("{folder}", str(tmp_path))
    assert error == expected
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.gin", "file.inc"}


def test_no_points(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example is a file that has them."""
    assert launch.run(["launch.py", "--mode=sweep", f"--export_path={tmp_path}/out"]) == 2
    assert capsys.readouterr().err == (
        "error: sweep.points must be set.\n  where:    (not set)\n"
        "  example:  --gin_file=configs/sweeps/poolers_lengths.gin\n"
    )
