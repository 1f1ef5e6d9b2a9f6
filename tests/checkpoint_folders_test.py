from __future__ import annotations

import os
import pathlib

import pytest

from exporter import checkpoint_folders


def _write(folder: pathlib.Path, *names: str, named: str | None = None) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.index").write_bytes(b"")
        (folder / f"{name}.data-00000-of-00001").write_bytes(b"")
    if named is not None:
        (folder / "checkpoint").write_text(f'model_checkpoint_path: "{named}"\n')
    return str(folder)


def _picked(folder: str) -> tuple[str | None, list[str]]:
    """Returns the name of the newest one, and what is said."""
    newest = checkpoint_folders.newest(folder)
    if newest is None:
        return None, []
    head, _, name = newest.prefix.rpartition("/")
    assert head == folder.rstrip("/")
    return name, [str(finding).replace(head, "FOLDER") for finding in newest.found]


class TestListing:
    def test_by_number(self, tmp_path: pathlib.Path) -> None:
        folder = _write(
            tmp_path, "ckpt-1000", "ckpt-9", "ckpt-20", "best_ckpt-3", "bert_model.ckpt"
        )
        names = [prefix.rpartition("/")[2] for prefix in checkpoint_folders.prefixes_in(folder)]
        assert names == ["bert_model.ckpt", "best_ckpt-3", "ckpt-9", "ckpt-20", "ckpt-1000"]
        assert checkpoint_folders.numbered(folder, "ckpt") == {
            9: f"{folder}/ckpt-9",
            20: f"{folder}/ckpt-20",
            1000: f"{folder}/ckpt-1000",
        }
        assert list(checkpoint_folders.numbered(f"{folder}/", "best_ckpt")) == [3]

    @pytest.mark.parametrize("name", ["empty", "missing"])
    def test_none(self, tmp_path: pathlib.Path, name: str) -> None:
        (tmp_path / "empty").mkdir()
        assert checkpoint_folders.prefixes_in(f"{tmp_path}/{name}") == []
        assert checkpoint_folders.numbered(f"{tmp_path}/{name}", "ckpt") == {}
        assert checkpoint_folders.newest(f"{tmp_path}/{name}") is None


class TestNewest:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_the_named_one(self, tmp_path: pathlib.Path, slash: str) -> None:
        folder = _write(tmp_path, "ckpt-9", "ckpt-10", named="ckpt-10")
        assert _picked(folder + slash) == ("ckpt-10", [])

    def test_a_newer_one_is_not_named_yet(self, tmp_path: pathlib.Path) -> None:
        folder = _write(tmp_path, "ckpt-9", "ckpt-10", "ckpt-11", "other-12", named="ckpt-9")
        assert _picked(folder) == (
            "ckpt-9",
            [
                (
                    "warning: checkpoint: ckpt-10, ckpt-11 not taken: the file `checkpoint` does "
                    "not name it, it may be incomplete"
                )
            ],
        )

    @pytest.mark.parametrize("elsewhere", ["/models/run/ckpt-9", "gs://bucket/run/ckpt-9"])
    def test_a_moved_folder(self, tmp_path: pathlib.Path, elsewhere: str) -> None:
        folder = _write(tmp_path, "ckpt-9", "ckpt-8", named=elsewhere)
        assert _picked(folder) == ("ckpt-9", [])

    def test_never_from_another_folder(self, tmp_path: pathlib.Path) -> None:
        """As after `cp -r run copy`, where the file names the original's by its whole path."""
        original = _write(tmp_path / "run", "ckpt-10")
        folder = _write(tmp_path / "copy", "ckpt-9", named=f"{original}/ckpt-10")
        assert _picked(folder)[0] == "ckpt-9"

    def test_the_named_one_is_not_there(self, tmp_path: pathlib.Path) -> None:
        folder = _write(tmp_path, "ckpt-9", "ckpt-10", named="ckpt-11")
        assert _picked(folder) == (
            "ckpt-10",
            [
                (
                    "warning: checkpoint: FOLDER/checkpoint names ckpt-11, which is not there; "
                    "taken is ckpt-10"
                )
            ],
        )

    def test_removed_between_reading_the_name_and_listing(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A trainer that keeps one checkpoint has written the next one meanwhile."""
        folder = _write(tmp_path, "ckpt-9", named="ckpt-9")
        listing = checkpoint_folders.prefixes_in

        def save_then_list(path: str) -> list[str]:
            if (tmp_path / "ckpt-9.index").exists():
                _write(tmp_path, "ckpt-10", named="ckpt-10")
                (tmp_path / "ckpt-9.index").unlink()
            return listing(path)

        monkeypatch.setattr(checkpoint_folders, "prefixes_in", save_then_list)
        assert _picked(folder) == ("ckpt-10", [])

    def test_nothing_names_one(self, tmp_path: pathlib.Path) -> None:
        assert _picked(_write(tmp_path, "ckpt-9", "ckpt-10")) == ("ckpt-10", [])

    def test_nothing_tells_which(self, tmp_path: pathlib.Path) -> None:
        assert _picked(_write(tmp_path, "ckpt-9", "best_ckpt-10")) == (None, [])

    @pytest.mark.parametrize("content", [b"", b"model_checkpoint_path", b"\xff\xfe\x00"])
    def test_a_file_that_names_nothing(self, tmp_path: pathlib.Path, content: bytes) -> None:
        folder = _write(tmp_path, "ckpt-9")
        (tmp_path / "checkpoint").write_bytes(content)
        assert _picked(folder) == (
            "ckpt-9",
            [
                (
                    "warning: checkpoint: FOLDER/checkpoint is damaged: it names no checkpoint; "
                    "taken is ckpt-9"
                )
            ],
        )

    def test_a_named_pipe_called_checkpoint(self, tmp_path: pathlib.Path) -> None:
        folder = _write(tmp_path, "ckpt-9")
        os.mkfifo(tmp_path / "checkpoint")
        assert _picked(folder) == (
            "ckpt-9",
            [
                (
                    "warning: checkpoint: FOLDER/checkpoint is no ordinary file (a named pipe); "
                    "taken is ckpt-9"
                )
            ],
        )

    def test_a_folder_called_checkpoint(self, tmp_path: pathlib.Path) -> None:
        folder = _write(tmp_path, "ckpt-9")
        (tmp_path / "checkpoint").mkdir()
        assert _picked(folder) == ("ckpt-9", [])
