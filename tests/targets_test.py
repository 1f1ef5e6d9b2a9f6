"""Exports get their names in real folders, by real renames and locks."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tensorflow as tf

from exporter import errors, targets

_LOGGER = "exporter.targets"


@pytest.fixture(name="target", params=["local", "file://"])
def _target(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    """A path for an export, for which renames are one step (local) or two (other file systems)."""
    path = f"{tmp_path}/models/bert"
    return path if request.param == "local" else f"file://{path}"


def _error(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(errors.UserError) as raised:
        call(*args, **kwargs)
    assert raised.value.setting == "export.export_path"
    return str(raised.value)


def _local(path: str) -> pathlib.Path:
    return pathlib.Path(path.removeprefix("file://"))


def _write(path: str | pathlib.Path, name: str = "saved_model.pb", text: str = "new") -> None:
    with tf.io.gfile.GFile(f"{path}/{name}", "w") as file:
        file.write(text)


def _export(path: str, text: str = "new", *, overwrite: bool = False) -> str:
    """Makes an export and returns the path of its staging folder."""
    target = targets.check(path, overwrite=overwrite)
    with targets.staged(target, overwrite=overwrite) as staging:
        _write(staging, text=text)
    return staging


def _assert_holds(path: str | pathlib.Path, text: str) -> None:
    """Asserts that there is this export under the name and nothing beside it."""
    folder = _local(str(path))
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]
    assert [entry.name for entry in folder.iterdir()] == ["saved_model.pb"]
    assert (folder / "saved_model.pb").read_text() == text


@contextlib.contextmanager
def _process_that_stages(target: str) -> Iterator[subprocess.Popen[str]]:
    """Runs a process that writes to a staging folder until it is killed."""
    program = (
        "import sys, time\n"
        "from exporter import targets\n"
        "with targets.staged(sys.argv[1], overwrite=False) as staging:\n"
        "    print(staging, flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, target]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class TestCheck:
    @pytest.mark.parametrize("path", ["bert", "bert/", "bert//", "./bert", "models/../bert"])
    def test_the_plain_form_is_absolute(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert targets.check(path, overwrite=False) == f"{tmp_path}/bert"
        assert not list(tmp_path.iterdir())

    def test_the_plain_form_of_other_file_systems(self) -> None:
        assert targets.check("ram://models/bert//", overwrite=False) == "ram://models/bert"

    def test_links_are_followed(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "link").symlink_to("bert")
        assert targets.check(f"{tmp_path}/link", overwrite=False) == f"{tmp_path}/bert"

    def test_missing_parents_are_fine(self, tmp_path: pathlib.Path) -> None:
        assert targets.check(f"{tmp_path}/a/b/c", overwrite=False) == f"{tmp_path}/a/b/c"
        assert not list(tmp_path.iterdir())

    def test_an_empty_folder_is_fine(self, tmp_path: pathlib.Path) -> None:
        assert targets.check(str(tmp_path), overwrite=False) == str(tmp_path)

    @pytest.mark.parametrize(
        "contents",
        [
            ["saved_model.pb"],
            ["saved_model.pb", "fingerprint.pb", "variables/x", "assets/x", "assets.extra/x"],
            ["saved_model.pb", "keras_metadata.pb", "variables/x"],
            ["encoder/saved_model.pb", "preprocessing/saved_model.pb"],
            ["text_embedding/saved_model.pb"],
        ],
    )
    def test_an_export_is_replaced_if_asked_for(
        self, tmp_path: pathlib.Path, contents: list[str]
    ) -> None:
        for name in contents:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        assert targets.check(str(tmp_path), overwrite=True) == str(tmp_path)
        assert _error(targets.check, f"{tmp_path}/", overwrite=False) == (
            "An existing export is not overwritten unasked.\n"
            f"  received: {tmp_path}\n"
            "  example:  --overwrite, or another --export_path"
        )

    @pytest.mark.parametrize(
        "contents",
        [
            ["thesis.tex"],
            ["saved_model.pb", "thesis.tex"],
            ["variables/x"],
            ["encoder/encoder.py"],
            ["encoder/saved_model.pb", "encoder/thesis.tex"],
            ["encoder/saved_model.pb", "thesis.tex"],
            ["models/saved_model.pb"],
            ["encoder"],
        ],
    )
    def test_what_is_no_export_is_never_replaced(
        self, tmp_path: pathlib.Path, contents: list[str]
    ) -> None:
        for name in contents:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        there = ", ".join(sorted({name.partition("/")[0] for name in contents}))
        assert _error(targets.check, str(tmp_path), overwrite=True) == (
            "--overwrite replaces an export and nothing else.\n"
            f"  received: {tmp_path} with {there}\n"
            "  example:  another --export_path"
        )

    def test_no_path(self) -> None:
        assert _error(targets.check, "", overwrite=False) == (
            "The export needs a path.\n  example:  --export_path=/tmp/bert_model"
        )

    def test_a_file(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "bert").touch()
        assert _error(targets.check, f"{tmp_path}/bert", overwrite=True) == (
            f"The export's path must be a new folder, not a file.\n  received: {tmp_path}/bert"
        )

    def test_below_a_file(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "bert").touch()
        assert _error(targets.check, f"{tmp_path}/bert/a/b", overwrite=False) == (
            "The folder that the export is to be written to must be writable.\n"
            f"  received: {tmp_path}/bert"
        )

    def test_below_a_folder_that_nobody_may_write_to(self) -> None:
        assert _error(targets.check, "/proc/1/bert", overwrite=False) == (
            "The folder that the export is to be written to must be writable.\n  received: /proc/1"
        )

    @pytest.mark.parametrize("path", ["/", "/proc"])
    def test_a_mount_point(self, path: str) -> None:
        assert _error(targets.check, path, overwrite=True) == (
            "The export's path must not be where a file system is mounted, for its folder is "
            "renamed.\n"
            f"  received: {path}\n"
            "  example:  --export_path=/mnt/disk/bert_model"
        )

    @pytest.mark.parametrize("path", ["gs://", "gs://bucket", "gs://bucket/", "://", "gs:///bert"])
    def test_no_folder_on_another_file_system(self, path: str) -> None:
        assert _error(targets.check, path, overwrite=False) == (
            "The export's path must name a folder below a bucket or host.\n"
            f"  received: {path}\n"
            "  example:  --export_path=gs://bucket/bert_model"
        )

    def test_an_unknown_file_system(self) -> None:
        assert _error(targets.check, "nowhere://bucket/bert", overwrite=False) == (
            "The export's path must be one that TensorFlow can write to.\n"
            "  received: nowhere://bucket/bert (File system scheme 'nowhere' not implemented "
            "(file: 'nowhere://bucket/bert'))\n"
            "  example:  --export_path=/tmp/bert_model"
        )


class TestStaged:
    def test_a_new_export(self, target: str) -> None:
        _export(target)
        _assert_holds(target, "new")

    def test_the_staging_folder_is_beside_the_target(self, target: str) -> None:
        staging = _export(target)
        assert os.path.dirname(staging) == os.path.dirname(target)
        assert os.path.basename(staging).startswith(".bert.staging-")

    def test_nothing_is_under_the_name_before_the_end(self, target: str) -> None:
        with targets.staged(target, overwrite=False) as staging:
            _write(staging)
            assert not tf.io.gfile.exists(target)

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
        with pytest.raises(error), targets.staged(target, overwrite=False) as staging:
            _write(staging)
            raise error
        assert not list(_local(target).parent.iterdir())

    def test_the_old_export_is_there_after_an_exception(self, target: str) -> None:
        _export(target, "old")
        with pytest.raises(ValueError, match="stop"), targets.staged(target, overwrite=True) as s:
            _write(s)
            raise ValueError("stop")
        _assert_holds(target, "old")

    def test_what_has_come_meanwhile_is_not_overwritten(self, target: str) -> None:
        with pytest.raises(errors.UserError) as raised:
            with targets.staged(target, overwrite=False) as staging:
                _write(staging, text="late")
                _export(target, "early")
        assert raised.value.rule == "An existing export is not overwritten unasked."
        _assert_holds(target, "early")

    def test_what_cannot_be_written_to(self) -> None:
        path = "/proc/models/bert"
        with pytest.raises(errors.UserError) as raised:
            with targets.staged(path, overwrite=False):
                pytest.fail("was opened")
        assert raised.value.rule == "The export's path must be one that TensorFlow can write to."
        assert (raised.value.received or "").startswith("/proc/models/bert (")

    def test_a_name_too_long_for_a_staging_folder(self, tmp_path: pathlib.Path) -> None:
        path = f"{tmp_path}/{'b' * 240}"
        with pytest.raises(errors.UserError) as raised:
            with targets.staged(path, overwrite=False):
                pytest.fail("was opened")
        assert raised.value.rule == "The export's path must be one that TensorFlow can write to."
        assert not list(tmp_path.iterdir())


class TestLeftovers:
    def test_those_of_a_killed_process_are_removed(
        self, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING, _LOGGER)
        target = f"{tmp_path}/bert"
        with _process_that_stages(target) as process:
            assert process.stdout is not None
            staging = process.stdout.readline().strip()
            _export(target, "ours")
            assert pathlib.Path(staging).is_dir(), "removed while it was being written"
            assert not caplog.messages
        assert pathlib.Path(staging).is_dir()
        _export(target, "new", overwrite=True)
        assert caplog.messages == [f"Removed {staging}, left by an interrupted export."]
        _assert_holds(target, "new")

    def test_those_of_other_exports_are_left_alone(self, target: str) -> None:
        other = _local(target).with_name(".albert.staging-01234567")
        other.mkdir(parents=True)
        _export(target)
        assert other.is_dir()

    def test_what_is_named_like_one_and_is_no_folder_is_left_alone(self, target: str) -> None:
        file = _local(target).with_name(".bert.staging-file")
        link = _local(target).with_name(".bert.staging-link")
        file.parent.mkdir(parents=True)
        file.touch()
        link.symlink_to("nothing")
        _export(target)
        assert file.exists()
        assert link.is_symlink()

    def test_two_exports_at_once(self, tmp_path: pathlib.Path) -> None:
        target = f"{tmp_path}/bert"
        with targets.staged(target, overwrite=True) as first:
            _write(first, text="first")
            with targets.staged(target, overwrite=True) as second:
                assert first != second
                _write(second, text="second")
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
        with pytest.raises(ValueError, match="stop"), targets.staged(target, overwrite=True):
            raise ValueError("stop")
        assert caplog.messages == [
            f"Put back {target}, which an interrupted export had moved away."
        ]
        _assert_holds(target, "old")

    def test_an_old_export_that_has_been_replaced_is_removed(self, target: str) -> None:
        _export(target, "older")
        _local(target).rename(_local(target).with_name(".bert.replaced"))
        _local(target).mkdir()
        _write(target, text="old")
        with pytest.raises(ValueError, match="stop"), targets.staged(target, overwrite=True):
            raise ValueError("stop")
        _assert_holds(target, "old")


def test_is_remote() -> None:
    assert targets.is_remote("gs://bucket/bert")
    assert not targets.is_remote("/tmp/bert")
    assert not targets.is_remote("gs:/bert")
