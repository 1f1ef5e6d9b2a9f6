"""Paths are told from what has slashes for other reasons."""

from __future__ import annotations

import pytest

from exporter import leaks


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/scratch7/someone/run/ckpt", "/scratch7/someone/run/ckpt"),
        ("made in /gpfs2/x/y", "/gpfs2/x/y"),
        ("/vocab.txt", "/vocab.txt"),
        ("/ckpt-6000", "/ckpt-6000"),
        ("--input=/cluster2/a/b.txt", "/cluster2/a/b.txt"),
        ('{"path": "/a/b"}', "/a/b"),
        ("['/scratch/run-1/x']", "/scratch/run-1/x"),
        ("hash_table_/tmp/tmpx/vocab.txt_-2_-1", "/tmp/tmpx/vocab.txt_-2_-1"),
        ("hash_table_/foo/bar/vocab.txt_-2_-1", "/foo/bar/vocab.txt_-2_-1"),
        ("_/home/someone/x", "/home/someone/x"),
        ("gs://bucket/someone/ckpt", "gs://bucket/someone/ckpt"),
        ("s3a://bucket/x", "s3a://bucket/x"),
        ("hdfs://node:8020/x", "hdfs://node:8020/x"),
        ("abfss://c@acc.dfs.core.windows.net/x", "abfss://c@acc.dfs.core.windows.net/x"),
        ("file:///srv/x", "file:///srv/x"),
        ("file:/x/y", "/x/y"),
        ("~/runs/x", "~/runs"),
        ("~someone/run1", "~someone/run1"),
        ("C:\\Users\\someone\\x.txt", "C:\\Users"),
        ("C:\\\\Users\\\\someone", "C:\\\\Users"),
        ("D:/sets/x", "/sets/x"),
        ("\\\\server\\share\\x", "\\\\server\\share"),
    ],
)
def test_paths(text: str, found: str) -> None:
    assert (leaks.find(text) or "").startswith(found)


@pytest.mark.parametrize(
    "text",
    [
        "bert/layer_0/kernel",
        "StatefulPartitionedCall/a/b",
        "^a/b",
        "loc:@a/b",
        "/job:localhost/replica:0/task:0/device:CPU:0",
        "variables/0/.ATTRIBUTES/VARIABLE_VALUE",
        "/.ATTRIBUTES/VARIABLE_VALUE",
        "_temp/part",
        "^s3://.*",
        "https://tfhub.dev/google/bert/1",
        "type.googleapis.com/x.Y",
        # Regular expressions.
        r"[!-/]|[:-@]|[\[-`]|[{-~]|[\p{P}]",
        r"https?://\S+",
        r"\p{L}+/\d",
        r"[^/]+/[a-z]+",
        r"/[a-z]+/\w+",
        r"(?i:\w+)",
        r"C:\d",
        # Pieces of vocabularies.
        "/",
        "//",
        "://",
        "http://",
        "##/",
        "</s>",
        "1/2",
        "and/or",
        "(/)",
        "/s",
    ],
)
def test_what_is_none(text: str) -> None:
    assert leaks.find(text) is None


def test_pieces_of_vocabularies_may_look_like_paths() -> None:
    assert leaks.find("/r/AskReddit", only_known=True) is None
    assert leaks.find("/home/someone/x", only_known=True) == "/home/someone/x"


def test_names_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks.socket, "gethostname", lambda: "node-17.example.org")
    monkeypatch.setattr(leaks.getpass, "getuser", lambda: "someone")
    pattern = leaks.machine()
    assert pattern is not None
    for text in ("by someone", "on node-17", "node-17.example.org:80", "/x/someone/y"):
        assert pattern.search(text), text
    for text in ("someones", "awesomeone", "node-170", "localhost"):
        assert not pattern.search(text), text
