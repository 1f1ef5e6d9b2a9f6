"""Exports get their names in real folders, by real renames and locks."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from exporter import errors, targets

_LOGGER = "exporter.targets"


@pytest.fixture(name="target", params=["local", "file://"])
def _target(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    """A path for an export, for which renames are one step (local) or two (other file systems)."""
    path = f"{tmp_path}/models/bert"
    return path if request.param == "local" else f"file://{path}"


def _refused(path: str, *, overwrite: bool = False) -> str:
    with pytest.raises(errors.UserError) as raised:
        targets.check(path, overwrite=overwrite)
    assert raised.value.setting == "export.export_path"
    return str(raised.value)


def _local(path: str) -> pathlib.Path:
    return pathlib.Path(path.removeprefix("file://"))


def _write(path: str, text: str = "new") -> None:
    with tf.io.gfile.GFile(f"{path}/saved_model.pb", "w") as file:
        file.write(text)


def _touch(folder: pathlib.Path, names: str) -> None:
    for name in names.split():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


def _export(path: str, text: str = "new", *, overwrite: bool = False) -> None:
    target = targets.check(path, overwrite=overwrite)
    with targets.staged(target, overwrite=overwrite) as staging:
        _write(staging, text)


def _interrupt(target: str, error: type[BaseException] = KeyboardInterrupt) -> None:
    """Makes an export that fails before it is complete."""

    def export() -> None:
        with targets.staged(target, overwrite=True) as staging:
            _write(staging)
            raise error

    with pytest.raises(error):
        export()


def _assert_holds(path: str | pathlib.Path, text: str) -> None:
    """Asserts that there is this export under the name and nothing beside it."""
    folder = _local(str(path))
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]
    assert [entry.name for entry in folder.iterdir()] == ["saved_model.pb"]
    assert (folder / "saved_model.pb").read_text() == text


_STAGE_UNTIL_KILLED = """\
import sys, time
from exporter import targets
with targets.staged(sys.argv[1], overwrite=False) as staging:
    print(staging, flush=True)
    time.sleep(600)
"""
_NOT_WRITABLE = "The folder that the export is to be written to must be writable.\n  received: "
_MOUNTED = (
    "The export's path must not be where a file system is mounted, for its folder is renamed.\n"
    "  received: PATH\n"
    "  example:  --export_path="
)
_NO_FOLDER = (
    "The export's path must name a folder below a bucket or host.\n"
    "  received: PATH\n"
    "  example:  --export_path=gs://bucket/bert_model"
)
_REFUSED = {
    "": "The export needs a path.\n  example:  --export_path=/tmp/bert_model",
    "/dev/null": "The export's path must be a new folder, not a file.\n  received: PATH",
    "/dev/null/a/b": f"{_NOT_WRITABLE}/dev/null",
    "/proc/1/bert": f"{_NOT_WRITABLE}/proc/1",
    "/": f"{_MOUNTED}/bert_model",
    "/proc": f"{_MOUNTED}/proc/bert_model",
    **dict.fromkeys(["gs://", "gs://bucket", "gs://bucket/", "gs:///bert", "://"], _NO_FOLDER),
    "nowhere://bucket/bert": (
        "The export's path must be one that TensorFlow can write to.\n"
        "  received: PATH (File system scheme 'nowhere' not implemented (file: 'PATH'))\n"
        "  example:  --export_path=/tmp/bert_model"
    ),
}


class TestCheck:
    @pytest.mark.parametrize("path", ["bert", "bert/", "bert//", "./bert", "models/../bert"])
    def test_the_plain_form_is_absolute(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert targets.check(path, overwrite=False) == f"{tmp_path}/bert"
        assert not list(tmp_path.iterdir())

    def test_the_plain_form_elsewhere(self) -> None:
        assert targets.check("ram://models/bert//", overwrite=False) == "ram://models/bert"

    def test_links_are_followed(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "link").symlink_to("bert")
        assert targets.check(f"{tmp_path}/link", overwrite=False) == f"{tmp_path}/bert"

    @pytest.mark.parametrize("path", ["", "/a/b/c"], ids=["empty folder", "missing parents"])
    def test_what_is_free(self, tmp_path: pathlib.Path, path: str) -> None:
        assert targets.check(f"{tmp_path}{path}", overwrite=False) == f"{tmp_path}{path}"
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "contents",
        [
            "saved_model.pb",
            "saved_model.pb fingerprint.pb variables/x assets/x assets.extra/x",
            "saved_model.pb keras_metadata.pb variables/x",
            "encoder/saved_model.pb preprocessing/saved_model.pb",
            "text_embedding/saved_model.pb",
        ],
    )
    def test_an_export_is_replaced_if_asked_for(
        self, tmp_path: pathlib.Path, contents: str
    ) -> None:
        _touch(tmp_path, contents)
        assert targets.check(str(tmp_path), overwrite=True) == str(tmp_path)
        assert _refused(f"{tmp_path}/") == (
            "An existing export is not overwritten unasked.\n"
            f"  received: {tmp_path}\n"
            "  example:  --overwrite, or another --export_path"
        )

    @pytest.mark.parametrize(
        "contents",
        [
            "thesis.tex",
            "saved_model.pb thesis.tex",
            "variables/x",
            "encoder/encoder.py",
            "encoder/saved_model.pb encoder/thesis.tex",
            "encoder/saved_model.pb thesis.tex",
            "models/saved_model.pb",
            "encoder",
        ],
    )
    def test_what_is_no_export_is_never_replaced(
        self, tmp_path: pathlib.Path, contents: str
    ) -> None:
        _touch(tmp_path, contents)
        there = ", ".join(sorted({name.partition("/")[0] for name in contents.split()}))
        assert _refused(str(tmp_path), overwrite=True) == (
            "--overwrite replaces an export and nothing else.\n"
            f"  received: {tmp_path} with {there}\n"
            "  example:  another --export_path"
        )

    @pytest.mark.parametrize("path", _REFUSED)
    def test_what_no_export_can_be_written_to(self, path: str) -> None:
        assert _refused(path, overwrite=True) == _REFUSED[path].replace("PATH", path)


class TestStaged:
    def test_a_new_export_is_written_beside_its_name_first(self, target: str) -> None:
        with targets.staged(target, overwrite=False) as staging:
            _write(staging)
            assert os.path.dirname(staging) == os.path.dirname(target)
            assert not tf.io.gfile.exists(target)
        _assert_holds(target, "new")

    def test_the_old_export_is_there_until_the_end(self, target: str) -> None:
        _export(target, "old")
        with targets.staged(target, overwrite=True) as staging:
            _write(staging)
            assert (_local(target) / "saved_model.pb").read_text() == "old"
        _assert_holds(target, "new")

    def test_an_empty_folder_becomes_the_export(self, target: str) -> None:
        _local(target).mkdir(parents=True)
        _export(target)
        _assert_holds(target, "new")

    def test_a_link_stays_a_link(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "link").symlink_to("models/bert")
        _export(f"{tmp_path}/link", "old")
        _export(f"{tmp_path}/link/", "new", overwrite=True)
        assert (tmp_path / "link").is_symlink()
        _assert_holds(tmp_path / "models" / "bert", "new")

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_nothing_is_left_after_an_exception(
        self, target: str, error: type[BaseException]
    ) -> None:
        _interrupt(target, error)
        parent = _local(target).parent
        assert list(parent.parent.rglob("*")) == ([parent] if "://" in target else [])

    def test_the_old_export_is_there_after_an_exception(self, target: str) -> None:
        _export(target, "old")
        _interrupt(target)
        _assert_holds(target, "old")

    def test_what_has_come_meanwhile_is_not_overwritten(self, target: str) -> None:
        early = contextlib.ExitStack()
        early.enter_context(targets.staged(target, overwrite=False))
        _export(target, "late")
        with pytest.raises(errors.UserError, match=r"^An existing export is not overwritten"):
            early.close()
        _assert_holds(target, "late")

    def test_what_cannot_be_written_to(self) -> None:
        with pytest.raises(errors.UserError) as raised:
            _export("/proc/models/bert")
        assert str(raised.value).startswith(
            "The export's path must be one that TensorFlow can write to.\n"
            "  received: /proc/models/bert ("
        )


class TestLeftovers:
    def test_those_of_a_killed_process_are_removed(
        self, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING, _LOGGER)
        target = f"{tmp_path}/bert"
        command = [sys.executable, "-c", _STAGE_UNTIL_KILLED, target]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            staging = process.stdout.readline().strip()
            _export(target, "ours")
            process.kill()
        assert pathlib.Path(staging).is_dir(), "removed while it was being written"
        assert not caplog.messages
        _export(target, "new", overwrite=True)
        assert caplog.messages == [f"Removed {staging}, left by an interrupted export."]
        _assert_holds(target, "new")

    def test_those_of_other_exports_are_left_alone(self, target: str) -> None:
        other = _local(target).with_name(".albert.staging-01234567")
        other.mkdir(parents=True)
        _export(target)
        assert other.is_dir()

    def test_what_is_named_like_one_and_is_no_folder_is_left_alone(self, target: str) -> None:
        parent = _local(target).parent
        parent.mkdir()
        (parent / ".bert.staging-file").touch()
        (parent / ".bert.staging-link").symlink_to("nothing")
        _export(target)
        assert len(list(parent.iterdir())) == 3

    def test_two_exports_at_once(self, tmp_path: pathlib.Path) -> None:
        target = f"{tmp_path}/bert"
        with targets.staged(target, overwrite=True) as first:
            _write(first, "first")
            with targets.staged(target, overwrite=True) as second:
                assert first != second
                _write(second, "second")
            assert (tmp_path / "bert" / "saved_model.pb").read_text() == "second"
        _assert_holds(target, "first")


class TestRecovery:
    """A process was killed between the two renames that replace an export on other systems."""

    def test_the_old_export_is_put_back(
        self, target: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING, _LOGGER)
        _export(target, "old")
        _local(target).rename(_local(target).with_name(".bert.replaced"))
        _interrupt(target)
        (message,) = caplog.messages
        assert message == f"Put back {target}, which an interrupted export had moved away."
        _assert_holds(target, "old")

    def test_an_old_export_that_has_been_replaced_is_removed(self, target: str) -> None:
        _export(target, "older")
        _local(target).rename(_local(target).with_name(".bert.replaced"))
        _local(target).mkdir()
        _write(target, "old")
        _interrupt(target)
        _assert_holds(target, "old")
