"""`--mode=verify` on exports of the bundled run: with its source and without, right and wrong."""

from __future__ import annotations

import html.parser
import json
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest

import launch
from exporter import errors
from tests import testing

_RUN = testing.TESTDATA / "bert_tiny"
_SOURCE = (f"--pretraining_dir={_RUN}", f"--vocab_file={_RUN}/vocab.txt", "--do_lower_case")
_NAMES = ("encoder", "preprocessing", "text_embedding")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="exports", scope="module")
def _exports(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("exports") / "all"
    command = ("launch.py", f"--export_path={path}", "--export_type=all", "--verify=off")
    assert launch.run([*command, *_SOURCE]) == 0
    return path


@pytest.fixture(name="verify")
def _verify(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        """Returns the status, what was printed, and the errors."""
        capsys.readouterr()
        status = launch.run(["launch.py", "--mode=verify", *arguments])
        captured = capsys.readouterr()
        position = captured.err.find("error: ")
        return status, captured.out, captured.err[position:] if position >= 0 else ""

    return run


def _files(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class TestRightExports:
    def test_with_the_source(
        self, exports: pathlib.Path, verify: Run, tmp_path: pathlib.Path
    ) -> None:
        before = _files(exports)
        status, out, told = verify(
            f"--export_path={exports}", *_SOURCE, f"--report_dir={tmp_path}/report"
        )
        assert (status, told) == (0, "")
        found = json.loads((tmp_path / "report" / "report.json").read_text())
        assert [report["subject"] for report in found] == [*_NAMES, "together"]
        assert all(report["passed"] for report in found)
        for report, name in zip(
            found, ("gradients of pooled_output", "packed pairs", "vectors"), strict=False
        ):
            assert name in [check["name"] for check in report["checks"]]
        assert (tmp_path / "report" / "report.txt").read_text() == out
        assert _files(exports) == before

    def test_effects_may_be_small(self, verify: Run, tmp_path: pathlib.Path) -> None:
        """As those of words and their order on this `pooled_output`, which is next to nothing."""
        bindings = (
            "--gin_params=export.pooler = @initialized_pooler",
            "--gin_params=initialized_pooler.config = {'stddev': 1e-5}",
        )
        path = f"--export_path={tmp_path}/encoder"
        assert launch.run(["launch.py", path, *_SOURCE, *bindings, "--verify=off"]) == 0
        status, out, told = verify(path)
        assert (status, told) == (0, ""), out

    def test_without_the_source(self, exports: pathlib.Path, verify: Run) -> None:
        status, out, _ = verify(f"--export_path={exports}/preprocessing")
        assert status == 0
        line = next(line for line in out.splitlines() if "comparison with the source" in line)
        assert line.endswith("no vocabulary is given (--vocab_file or --sp_model_file)")
        assert "not checked" in line
        assert out.startswith("preprocessing\n  ok ")

    def test_an_encoder_with_its_own_vocabulary(self, exports: pathlib.Path, verify: Run) -> None:
        """Of the source, only the checkpoint and the configuration are given."""
        status, out, _ = verify(
            f"--export_path={exports}/encoder",
            f"--model_checkpoint_path={_RUN}",
            f"--encoder_config_file={_RUN}/params.yaml",
            "--verify=quick",
        )
        assert status == 0
        assert "mlm outputs at length 16" in out
        assert "gradients" not in out

    def test_what_is_not_bound_is_taken_from_the_manifest(
        self, exports: pathlib.Path, verify: Run
    ) -> None:
        status, out, _ = verify(
            f"--export_path={exports}/preprocessing", *_SOURCE[:2], "--verify=quick"
        )
        assert status == 0
        (line,) = (line for line in out.splitlines() if "choices of the manifest" in line)
        assert "not checked" in line
        assert line.endswith(
            "taken, as nothing else is bound: preprocessing.default_seq_length = 32, "
            "tokenizer.do_lower_case = True"
        )

    def test_the_page_is_html_that_needs_nothing_else(
        self, exports: pathlib.Path, verify: Run, tmp_path: pathlib.Path
    ) -> None:
        verify(f"--export_path={exports}/preprocessing", f"--report_dir={tmp_path}")
        page = (tmp_path / "report.html").read_text()
        links = _Links()
        links.feed(page)
        assert links.found == []
        assert "<h2>preprocessing</h2>" in page
        assert "special tokens: ids of the vocabulary" in page


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href")]


class TestWrongExports:
    def test_another_pooler(self, exports: pathlib.Path, verify: Run) -> None:
        status, out, told = verify(
            f"--export_path={exports}/encoder",
            *_SOURCE,
            "--copy_pooler_dense_to_encoder",
            "--verify=quick",
        )
        assert status == errors.EXIT_VERIFICATION_FAILED
        assert "FAILED       variables in the source's order" in out
        assert (
            "look at: the manifest says export.pooler = @restored_pooler, not "
            "@next_sentence_pooler; whether it was made from this checkpoint"
        ) in out
        assert told == (
            f"error: {exports}/encoder does not pass: encoder with MLM. What failed and what to "
            "look at is above.\n"
        )

    def test_another_default_length(self, exports: pathlib.Path, verify: Run) -> None:
        status, out, _ = verify(
            f"--export_path={exports}/preprocessing", *_SOURCE, "--default_seq_length=64"
        )
        assert status == errors.EXIT_VERIFICATION_FAILED
        assert "FAILED       packed inputs" in out

    def test_another_choice_than_the_manifests_is_named(
        self, exports: pathlib.Path, verify: Run
    ) -> None:
        status, out, _ = verify(
            f"--export_path={exports}/preprocessing",
            *_SOURCE,
            "--gin_params=preprocessing.truncation = 'waterfall'",
            "--verify=quick",
        )
        assert status == errors.EXIT_VERIFICATION_FAILED
        assert "FAILED       packed pairs" in out
        assert (
            "look at: the manifest says preprocessing.truncation = 'equal_size', not 'waterfall'; "
            "seq_length, truncation"
        ) in out

    def test_a_damaged_file(
        self, exports: pathlib.Path, verify: Run, tmp_path: pathlib.Path
    ) -> None:
        path = shutil.copytree(exports / "encoder", tmp_path / "damaged")
        data = path / "variables" / "variables.data-00000-of-00002"
        size = data.stat().st_size
        os.truncate(data, size - 100)
        status, out, _ = verify(f"--export_path={path}")
        assert status == errors.EXIT_VERIFICATION_FAILED
        assert (
            "  FAILED       files: each can be read  variables/variables.data-00000-of-00002 has "
            f"{size - 100} bytes of at least {size}: cut off?\n"
        ) in out


_MISTAKES = {
    "no path": (
        lambda path: [],
        (
            "error: What is to be verified needs a path.\n"
            "  where:    export.export_path (not set)\n"
            "  example:  --export_path=/tmp/bert_model\n"
        ),
    ),
    "no folder": (
        lambda path: ["--export_path=no/such"],
        (
            "error: What is to be verified must be a folder.\n"
            "  received: no/such\n"
            "  where:    --export_path=no/such\n"
            "  example:  --export_path=/tmp/bert_model\n"
        ),
    ),
    "nothing in it": (
        lambda path: [f"--export_path={path}"],
        (
            "error: What is verified must be a SavedModel, or a folder of several.\n"
            "  received: {path}\n"
            "  where:    --export_path={path}\n"
            "  example:  --export_path=/tmp/bert_model, with /tmp/bert_model/saved_model.pb\n"
        ),
    ),
    "no level": (
        lambda path: [f"--export_path={path}", "--verify=off"],
        (
            "error: To verify, --verify must be one of quick, full.\n"
            "  received: 'off'\n"
            "  where:    --verify=off\n"
            "  example:  --verify=full\n"
        ),
    ),
    "a report in what is verified": (
        lambda path: [f"--export_path={path}", f"--report_dir={path}/report"],
        (
            "error: A report must not be written into what is verified.\n"
            "  received: {path}/report\n"
            "  where:    --report_dir={path}/report\n"
            "  example:  --report_dir={path}.record\n"
        ),
    ),
}


@pytest.mark.parametrize("name", _MISTAKES)
def test_mistakes_are_told(name: str, verify: Run, tmp_path: pathlib.Path) -> None:
    make, expected = _MISTAKES[name]
    status, out, told = verify(*make(tmp_path))
    assert (status, out) == (errors.EXIT_USER_ERROR, "")
    assert told == expected.replace("{path}", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
