import os
import pathlib

import pytest

from exporter import errors, gin_files


@pytest.fixture
def folders(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """`current` is the current folder, `searched` on the search path, `including` has a file."""
    for name in ("current", "searched", "including", "project"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "current")
    monkeypatch.setattr(gin_files, "PROJECT_FOLDER", tmp_path / "project")
    return tmp_path


def _find(folders: pathlib.Path, path: str, including: bool = False) -> str:
    folder = str(folders / "including") if including else None
    return gin_files.find(path, "here", [str(folders / "searched")], folder)


def test_current_folder_comes_before_searched_ones_and_the_project(folders: pathlib.Path) -> None:
    found = []
    for name in ("project", "searched", "current"):
        (folders / name / "a.gin").touch()
        found.append(_find(folders, "a.gin"))
    assert found == [
        str(folders / "project" / "a.gin"),
        str(folders / "searched" / "a.gin"),
        "a.gin",
    ]


def test_including_files_folder_comes_first(folders: pathlib.Path) -> None:
    for name in ("current", "including"):
        (folders / name / "a.gin").touch()
    assert _find(folders, "a.gin", including=True) == str(folders / "including" / "a.gin")


def test_bundled_files_are_found_from_anywhere(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = gin_files.find("configs/runs/encoder.gin", "here", [])
    assert "export.export_type" in gin_files.read(found, "here")


def test_missing_relative_file_names_the_folders_searched(folders: pathlib.Path) -> None:
    with pytest.raises(errors.UserError) as caught:
        _find(folders, "a.gin", including=True)
    names = ("including", "current", "searched", "project")
    searched = ", ".join(str(folders / name) for name in names)
    assert str(caught.value) == (
        f"A gin file must exist in one of the folders searched: {searched}.\n"
        "  received: a.gin\n"
        "  where:    here"
    )


def test_missing_absolute_file_is_searched_nowhere(folders: pathlib.Path) -> None:
    path = str(folders / "a.gin")
    with pytest.raises(errors.UserError) as caught:
        _find(folders, path)
    assert str(caught.value) == f"A gin file must exist.\n  received: {path}\n  where:    here"


def test_empty_path_is_refused() -> None:
    with pytest.raises(errors.UserError) as caught:
        gin_files.find("", "--gin_file=", [])
    assert str(caught.value) == (
        "A gin file's path must not be empty.\n"
        "  where:    --gin_file=\n"
        "  example:  --gin_file=configs/runs/encoder.gin"
    )


def test_folder_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UserError) as caught:
        gin_files.read(str(tmp_path), "here")
    assert str(caught.value) == (
        "A gin file must be a file that can be read.\n"
        f"  received: {tmp_path} (Is a directory)\n"
        "  where:    here"
    )


def test_a_named_pipe_is_refused_unopened(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "run.gin")
    with pytest.raises(errors.UserError) as caught:
        gin_files.read(f"{tmp_path}/run.gin", "here")
    assert str(caught.value) == (
        "A gin file must be an ordinary file, and not too large for what it is.\n"
        f"  received: {tmp_path}/run.gin (a named pipe)\n"
        "  where:    here"
    )


def test_three_gigabytes_are_refused_unread(tmp_path: pathlib.Path) -> None:
    (tmp_path / "run.gin").touch()
    os.truncate(tmp_path / "run.gin", 3_000_000_000)
    with pytest.raises(errors.UserError, match=r"run\.gin \(3,000\.0 MB, more than 1\.0\)"):
        gin_files.read(f"{tmp_path}/run.gin", "here")


def test_gin_text_in_place_of_a_path_is_refused() -> None:
    text = "tokenizer.vocab_file = " + "v" * 300
    with pytest.raises(errors.UserError) as caught:
        gin_files.find(text, "here", [])
    assert str(caught.value) == (
        "A gin file must be a file that can be read.\n"
        f"  received: {text} (File name too long)\n"
        "  where:    here"
    )


def test_other_encodings_are_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "latin1.gin"
    path.write_bytes("A = 'é'".encode("latin-1"))
    with pytest.raises(errors.UserError) as caught:
        gin_files.read(str(path), "here")
    assert str(caught.value) == (
        "A gin file must be text in UTF-8.\n"
        f"  received: {path}, of which byte 5 is not\n"
        "  where:    here"
    )


@pytest.mark.parametrize("content", [b"A = 1\nB = 2\n", b"A = 1\r\nB = 2\r\n", b"A = 1\rB = 2\r"])
def test_lines_end_alike_and_a_byte_order_mark_is_dropped(
    tmp_path: pathlib.Path, content: bytes
) -> None:
    path = tmp_path / "a.gin"
    path.write_bytes(b"\xef\xbb\xbf" + content)
    assert gin_files.read(str(path), "here") == "A = 1\nB = 2\n"


def test_identity_sees_through_links(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.gin").touch()
    (tmp_path / "b.gin").symlink_to("a.gin")
    assert gin_files.identity(str(tmp_path / "b.gin")) == gin_files.identity(
        str(tmp_path / "x" / ".." / "a.gin")
    )


def test_object_stores_are_read_through_tensorflow() -> None:
    import tensorflow as tf

    with tf.io.gfile.GFile("ram://gin_files_test.gin", "w") as file:
        file.write("A = 1\n")
    found = gin_files.find("ram://gin_files_test.gin", "here", [])
    assert gin_files.read(found, "here") == "A = 1\n"
    with pytest.raises(errors.UserError) as caught:
        gin_files.find("unknown://a.gin", "here", [])
    assert str(caught.value) == (
        "A gin file must be a file that can be read.\n"
        "  received: unknown://a.gin (File system scheme 'unknown' not implemented "
        "(file: 'unknown://a.gin'))\n"
        "  where:    here"
    )


@pytest.mark.parametrize("remote", [False, True])
def test_matching_lists_the_files_of_a_folder(tmp_path: pathlib.Path, remote: bool) -> None:
    folder = f"file://{tmp_path}" if remote else str(tmp_path)
    assert gin_files.matching(folder, "*.gin", "here") == []
    for name in ("b.gin", "a.gin", "a.txt"):
        (tmp_path / name).touch()
    assert gin_files.matching(folder, "*.gin", "here") == [f"{folder}/a.gin", f"{folder}/b.gin"]
    assert gin_files.matching(f"{folder}/nothing", "*.gin", "here") is None


def test_a_folder_that_cannot_be_listed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    def refuse(path: str) -> bool:
        raise tf.errors.PermissionDeniedError(None, None, "no credentials")

    monkeypatch.setattr(tf.io.gfile, "isdir", refuse)
    with pytest.raises(errors.UserError) as caught:
        gin_files.matching("ram://run", "*.gin", "--pretraining_dir=ram://run")
    assert str(caught.value) == (
        "A folder to look for gin files in must be one that can be read.\n"
        "  received: ram://run (no credentials)\n"
        "  where:    --pretraining_dir=ram://run"
    )
