"""The benchmark: its numbers are right, and it runs. How fast anything is, it does not assert."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from benchmarks import commands, figures, processes, report, samples, sizes, sources, texts
from benchmarks.workspace import Job

_ROOT = pathlib.Path(__file__).absolute().parent.parent


def _samples() -> samples.Samples:
    found = samples.Samples()
    wall = samples.Figure("`model`: wall", "s")
    for predecessor, exporter in ((28.0, 7.0), (27.54, 6.9), (28.94, 9.0)):
        found.add(wall, {"predecessor": predecessor, "exporter": exporter})
    rate = samples.Figure("lines", "lines/s", more_is_better=True)
    for exporter in (12004.0, 12001.0, 12006.6):
        found.add(rate, {"predecessor": 1200.4, "exporter": exporter})
    return found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.8, "1,234,568"),
        (100.0, "100"),
        (28.04, "28.0"),
        (2.345, "2.35"),
        (0.0123, "0.012"),
        (-0.5, "-0.500"),
    ],
)
def test_number_text(value: float, text: str) -> None:
    assert report.number_text(value) == text


def test_table() -> None:
    assert report.table(_samples().summaries()) == (
        "| | ratio | predecessor | exporter |\n"
        "|---|---|---|---|\n"
        "| `model`: wall | **0.25** | 28.0 s (27.5 to 28.9) | 7.00 s (6.90 to 9.00) |\n"
        "| lines | **10.00** | 1,200 lines/s (1,200 to 1,200) | "
        "12,004 lines/s (12,001 to 12,007) |"
    )


def test_markdown_has_a_table_a_size_and_the_machine() -> None:
    text = report.markdown({"tiny": _samples(), "base": _samples()}, {"Python": "3.11.7"})
    assert text.startswith(f"**{sizes.SIZES['tiny'].title}**\n\n| | ratio |")
    assert f"\n**{sizes.SIZES['base'].title}**\n\n| | ratio |" in text
    assert text.endswith("- Runs of which these are the medians: 3. Machine: Python 3.11.7.\n")


def test_json() -> None:
    content = json.loads(report.to_json({"tiny": _samples()}, {"Python": "3.11.7"}))
    assert content["machine"] == {"Python": "3.11.7"}
    wall, rate = content["sizes"]["tiny"]
    assert wall == {
        "figure": "`model`: wall",
        "unit": "s",
        "more_is_better": False,
        "ratio": 0.25,
        "predecessor": {
            "median": 28.0,
            "min": 27.54,
            "max": 28.94,
            "values": [28.0, 27.54, 28.94],
        },
        "exporter": {"median": 7.0, "min": 6.9, "max": 9.0, "values": [7.0, 6.9, 9.0]},
    }
    assert rate["more_is_better"]


def test_exports_take_turns() -> None:
    predecessor, exporter = commands.CONTENDERS
    assert figures.jobs(["preprocessing", "model"]) == [
        Job(predecessor, "model"),
        Job(exporter, "model"),
        Job(predecessor, "preprocessing"),
        Job(exporter, "preprocessing"),
    ]


def test_all_is_compared_with_three_runs() -> None:
    predecessor, exporter = commands.CONTENDERS
    three = [Job(predecessor, name) for name in ("model", "model_with_mlm", "preprocessing")]
    assert figures.jobs(["all"]) == [*three, Job(exporter, "all", verify=True)]


def test_a_sweep_has_as_many_points_as_it_is_compared_for() -> None:
    command = commands.sweep(sources.Source(pathlib.Path("s")), pathlib.Path("p"))
    assert "--mode=sweep" in command
    lists = [flag.partition("[")[2] for flag in command if "axis.values" in flag]
    counts = [values.count(",") + 1 for values in lists]
    assert counts[0] * counts[1] == commands.SWEEP_POINTS == 8


def test_a_file_of_several_links_is_stored_once(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "weights").write_bytes(b"12345")
    (tmp_path / "b").hardlink_to(tmp_path / "a" / "weights")
    (tmp_path / "c").write_bytes(b"12345")
    assert figures._stored_bytes(tmp_path) == 10


def test_commands_differ_in_the_program_and_in_verification() -> None:
    source, path = sources.Source(pathlib.Path("s")), pathlib.Path("p")
    theirs, ours = (
        commands.export(contender, "model", source, path, verify=False)
        for contender in commands.CONTENDERS
    )
    assert theirs == [
        sys.executable,
        "-m",
        "official.nlp.tools.export_tfhub",
        "--encoder_config_file=s/bert_encoder.yaml",
        "--model_checkpoint_path=s/bert_model.ckpt-1",
        "--vocab_file=s/vocab.txt",
        "--do_lower_case=true",
        "--export_type=model",
        "--export_path=p",
    ]
    assert ours == [sys.executable, str(_ROOT / "launch.py"), *theirs[3:], "--verify=off"]
    verified = commands.export("exporter", "all", source, path, verify=True)
    assert not any("verify" in argument for argument in verified)


def test_memory_of_a_command_includes_what_it_starts(tmp_path: pathlib.Path) -> None:
    large = "value = b'x' * (1 << 29)"
    starts = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {large!r}], check=True)"
    )
    usage = processes.run([sys.executable, "-c", starts], tmp_path / "log")
    assert usage.peak_bytes >= 1 << 29
    assert usage.seconds > 0
    assert usage.processor_seconds > 0


def test_a_command_that_fails_stops_the_benchmark(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-c", "import sys; print('what happened'); sys.exit(7)"]
    with pytest.raises(processes.BenchmarkError, match=r"received: 7 from(.|\n)*what happened"):
        processes.run(command, tmp_path / "log")


def test_wordpieces_are_words_ends_of_words_and_special_tokens() -> None:
    pieces = texts.wordpieces(30522)
    assert len(set(pieces)) == len(pieces) == 30522
    assert tuple(pieces[:5]) == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert {"the", "return", "##ing", "##s", ".", "7", "##7"} <= set(pieces)


def test_lines_are_text() -> None:
    lines = texts.lines()
    assert len(lines) > 5000
    assert all(line == line.strip() and line for line in lines)


def test_sentences_are_prose() -> None:
    sentences = texts.sentences()
    assert len(sentences) > 300
    assert len(set(sentences)) == len(sentences)
    assert all(s[0].isupper() and s[-1] in ".!?" and "\n" not in s for s in sentences)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--sizes=tiny,huge", "--sizes takes some of tiny, minilm, base, large"),
        ("--only=speed", "received: speed"),
        ("--runs=0", "--runs=0"),
    ],
)
def test_wrong_flags(flag: str, message: str) -> None:
    process = _run(flag)
    assert process.returncode == 1
    assert message in process.stdout + process.stderr


def test_runs(tmp_path: pathlib.Path) -> None:
    """The other groups' exports are made as this one's; what is done with them is tested apart."""
    process = _run(
        "--only=model,forward",
        "--sizes=tiny",
        "--runs=1",
        "--warmups=0",
        f"--work_dir={tmp_path}",
        f"--json={tmp_path / 'results.json'}",
    )
    assert process.returncode == 0, process.stderr
    content = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    measured = content["sizes"]["tiny"]
    names = [figure["figure"] for figure in measured]
    for name in names:
        assert name in process.stdout
    assert names == [
        "`model`: wall",
        "`model`: peak memory",
        "`model`: `saved_model.pb`",
        *(f"`model`: forward pass, 4 sequences of length {length}" for length in (16, 64, 128)),
    ]
    for figure in measured:
        for contender in commands.CONTENDERS:
            assert len(figure[contender]["values"]) == 1
            assert figure[contender]["median"] > 0


def _run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *flags]
    return subprocess.run(command, cwd=_ROOT, check=False, capture_output=True, text=True)
