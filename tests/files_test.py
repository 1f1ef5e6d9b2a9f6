from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from exporter import errors, files

_SETTING = "encoder.encoder_config_file"


def _error(read: Callable[..., Any], path: pathlib.Path | str) -> str:
    """Returns what a user is told, with the path's folder as FOLDER."""
    with pytest.raises(errors.UserError) as raised:
        read(str(path), setting=_SETTING)
    assert raised.value.setting == _SETTING
    return str(raised.value).replace(str(pathlib.Path(path).parent), "FOLDER")


@pytest.fixture(name="yaml_file")
def _yaml_file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "encoder.yaml"


@pytest.fixture(name="json_file")
def _json_file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "bert_config.json"


def _aliases(lines: str) -> str:
    """Thirty lines of YAML, of which each has the one before several times."""
    values = ["{b: 1}", *(lines.format(i) for i in range(30))]
    return "".join(f"a{i}: &a{i} {value}\n" for i, value in enumerate(values))


class TestReadBytes:
    def test_all_of_it(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "spm.model").write_bytes(b"\n\0\xff")
        read = files.read_bytes(str(tmp_path / "spm.model"), setting=_SETTING, limit=3)
        assert read == b"\n\0\xff"

    def test_a_named_pipe(self, tmp_path: pathlib.Path) -> None:
        os.mkfifo(tmp_path / "vocab.txt")
        assert _error(files.read_bytes, tmp_path / "vocab.txt") == (
            "The file must be an ordinary one, and not too large for what it is.\n"
            "  received: FOLDER/vocab.txt (a named pipe)"
        )

    def test_a_device(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "vocab.txt").symlink_to("/dev/zero")
        message = _error(files.read_bytes, tmp_path / "vocab.txt")
        assert message.endswith("\n  received: FOLDER/vocab.txt (a device)")

    def test_three_gigabytes(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "vocab.txt").touch()
        os.truncate(tmp_path / "vocab.txt", 3_000_000_000)
        message = _error(files.read_bytes, tmp_path / "vocab.txt")
        assert message.endswith("received: FOLDER/vocab.txt (3,000.0 MB, more than 1.0)")

    def test_another_file_system(self) -> None:
        path = "ram://files_test/vocab.txt"
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(b"12345678")
        assert files.read_bytes(path, setting=_SETTING) == b"12345678"
        with pytest.raises(errors.UserError) as raised:
            files.read_bytes(path, setting=_SETTING, limit=4)
        assert str(raised.value).endswith(f"{path} (0.0 MB, more than 0.0)")


class TestReadText:
    def test_utf8(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "vocab.txt").write_bytes("größe\r\n日本\n".encode())
        assert files.read_text(str(tmp_path / "vocab.txt"), setting=_SETTING) == "größe\r\n日本\n"

    def test_a_link(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "a.txt").write_text("a")
        (tmp_path / "b.txt").symlink_to("a.txt")
        assert files.read_text(str(tmp_path / "b.txt"), setting=_SETTING) == "a"

    def test_a_missing_file(self, tmp_path: pathlib.Path) -> None:
        message = _error(files.read_text, tmp_path / "vocab.txt")
        assert message == "The file must exist.\n  received: FOLDER/vocab.txt"

    def test_a_dangling_link(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "vocab.txt").symlink_to("nothing")
        message = _error(files.read_text, tmp_path / "vocab.txt")
        assert message == "The file must exist.\n  received: FOLDER/vocab.txt"

    def test_no_path(self) -> None:
        with pytest.raises(errors.UserError) as raised:
            files.read_text("", setting=_SETTING)
        assert str(raised.value) == "The file must exist.\n  received: "

    def test_a_folder(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "vocab.txt").mkdir()
        message = _error(files.read_text, tmp_path / "vocab.txt")
        assert message == "A file is needed here, not a folder.\n  received: FOLDER/vocab.txt"

    def test_below_a_file(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "vocab.txt").write_text("a")
        message = _error(files.read_text, tmp_path / "vocab.txt" / "b")
        assert message == (
            "The file must be readable.\n  received: FOLDER/b (FOLDER/b; Not a directory)"
        )

    def test_a_file_system_that_tensorflow_does_not_know(self) -> None:
        with pytest.raises(errors.UserError) as raised:
            files.read_text("nowhere://bucket/vocab.txt", setting=_SETTING)
        assert str(raised.value) == (
            "The file must be readable.\n  received: nowhere://bucket/vocab.txt "
            "(File system scheme 'nowhere' not implemented (file: 'nowhere://bucket/vocab.txt'))"
        )

    def test_binary(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "vocab.txt").write_bytes(b"a\xff")
        assert _error(files.read_text, tmp_path / "vocab.txt") == (
            "The file must be text in UTF-8.\n  received: FOLDER/vocab.txt "
            "('utf-8' codec can't decode byte 0xff in position 1: invalid start byte)"
        )


class TestReadYaml:
    def test_a_mapping(self, yaml_file: pathlib.Path) -> None:
        yaml_file.write_text("type: bert  # comment\nbert: {num_layers: 2, dropout_rate: 0.1}\n")
        assert files.read_yaml(str(yaml_file), setting=_SETTING) == {
            "type": "bert",
            "bert": {"num_layers": 2, "dropout_rate": 0.1},
        }

    def test_tuples_as_the_trainer_writes_them(self, yaml_file: pathlib.Path) -> None:
        yaml_file.write_text("layers: !!python/tuple\n- 1\n- !!python/tuple [2, [3]]\n")
        content = files.read_yaml(str(yaml_file), setting=_SETTING)
        assert content == {"layers": (1, (2, [3]))}

    def test_anchors(self, yaml_file: pathlib.Path) -> None:
        yaml_file.write_text("base: &base {a: 1}\nother:\n  <<: *base\n  b: 2\n")
        content = files.read_yaml(str(yaml_file), setting=_SETTING)
        assert content["other"] == {"a": 1, "b": 2}

    @pytest.mark.parametrize(
        "tag",
        [
            "python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [MARKER]]",
            "python/object/apply:os.system ['touch MARKER']",
            "python/object/new:os.system ['touch MARKER']",
            "python/tuple [!!python/object/apply:os.system ['touch MARKER']]",
        ],
    )
    def test_code_is_refused_and_not_executed(self, yaml_file: pathlib.Path, tag: str) -> None:
        marker = yaml_file.with_name("marker")
        yaml_file.write_text(f"type: !!{tag}".replace("MARKER", str(marker)))
        message = _error(files.read_yaml, yaml_file)
        assert message.startswith(
            "The file must be valid YAML.\n  received: FOLDER/encoder.yaml: "
            "could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/"
        )
        assert not marker.exists()

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("a: [1", "while parsing a flow sequence\n"),
            ("a:\n\t- b", "while scanning for the next token\n"),
            ("a: 1\n---\nb: 2", "expected a single document in the stream\n"),
            ("? [1]\n: b", "while constructing a mapping\n"),
            ("a: *b", "found undefined alias 'b'\n"),
            ("a: !!python/tuple 1", "expected a sequence node, but found scalar\n"),
            ("a: &a !!python/tuple [*a]", "more than 100,000 values, or an alias inside of what"),
            ("a: &a [*a]", "more than 100,000 values, or an alias inside of what it stands for"),
            (_aliases("[*a{0}, *a{0}, *a{0}, *a{0}]"), "more than 100,000 values, or an alias"),
            (_aliases("{{<<: [*a{0}, *a{0}, *a{0}, *a{0}]}}"), "more than 100,000 values, or an"),
            ("a: '\0'", "unacceptable character #x0000: special characters are not allowed\n"),
            ("a: " + "[" * 1000, "maximum recursion depth exceeded"),
            ("a: 2020-13-01", "month must be in 1..12"),
            ("a: !!int b", "invalid literal for int() with base 10: 'b'"),
            ("a: !!float b", "could not convert string to float: 'b'"),
            ("a: !!bool b", "'b'"),
            ("a: " + "1" * 5000, "Exceeds the limit (4300 digits) for integer string conversion"),
        ],
    )
    def test_no_valid_yaml(self, yaml_file: pathlib.Path, text: str, reason: str) -> None:
        yaml_file.write_text(text)
        message = _error(files.read_yaml, yaml_file)
        assert message.startswith(
            f"The file must be valid YAML.\n  received: FOLDER/encoder.yaml: {reason}"
        )

    @pytest.mark.parametrize(
        ("text", "received"),
        [
            ("", "nothing"),
            ("# Nothing yet.\n", "nothing"),
            ("{}", "nothing"),
            ("- type: bert", "list"),
            ("type=bert", "str"),
            ("12", "int"),
        ],
    )
    def test_no_mapping(self, yaml_file: pathlib.Path, text: str, received: str) -> None:
        yaml_file.write_text(text)
        assert _error(files.read_yaml, yaml_file) == (
            "The YAML file must hold names with values.\n"
            f"  received: FOLDER/encoder.yaml with {received}\n"
            "  example:  type: bert  bert: {num_layers: 12}"
        )


class TestReadJson:
    def test_an_object(self, json_file: pathlib.Path) -> None:
        json_file.write_text('{"hidden_size": 768, "hidden_act": "gelu"}')
        content = files.read_json(str(json_file), setting=_SETTING)
        assert content == {"hidden_size": 768, "hidden_act": "gelu"}

    def test_a_byte_order_mark(self, json_file: pathlib.Path) -> None:
        json_file.write_text('{"hidden_size": 768}', encoding="utf-8-sig")
        assert files.read_json(str(json_file), setting=_SETTING) == {"hidden_size": 768}

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "Expecting value: line 1 column 1 (char 0)"),
            ("{a: 1}", "Expecting property name enclosed in double quotes: line 1 column 2"),
            ('{"a": 1} {}', "Extra data: line 1 column 10 (char 9)"),
            ("[" * 100000, "maximum recursion depth exceeded"),
            ('{"a": ' + "1" * 5000 + "}", "Exceeds the limit (4300 digits) for integer string"),
        ],
    )
    def test_no_valid_json(self, json_file: pathlib.Path, text: str, reason: str) -> None:
        json_file.write_text(text)
        assert _error(files.read_json, json_file).startswith(
            f"The file must be valid JSON.\n  received: FOLDER/bert_config.json: {reason}"
        )

    @pytest.mark.parametrize(("text", "received"), [("{}", "nothing"), ("[1]", "list")])
    def test_no_object(self, json_file: pathlib.Path, text: str, received: str) -> None:
        json_file.write_text(text)
        assert _error(files.read_json, json_file) == (
            "The JSON file must hold names with values.\n"
            f"  received: FOLDER/bert_config.json with {received}\n"
            '  example:  {"hidden_size": 768, ...}'
        )
