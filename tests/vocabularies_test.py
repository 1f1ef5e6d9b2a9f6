from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from exporter import errors, vocabularies


def _write(path: pathlib.Path, content: str | bytes) -> str:
    file = path / "vocab.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return str(file)


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        ("a\nb\n", ("a", "b")),
        ("a\nb", ("a", "b")),
        ("a\r\nb\r\n", ("a", "b")),
        ("a\r\nb\r", ("a", "b")),
        ("a\rb\n\r\r\nc\n\r", ("a\rb", "\r", "c")),
        ("a b\n c \n", ("a b", " c ")),
        ("a\x0bb\x0cc\x85d\u2028e\n", ("a\x0bb\x0cc\x85d\u2028e",)),
        ("\ufeffa\nb\n", ("\ufeffa", "b")),
        ("ä\n##ö\n中\n", ("ä", "##ö", "中")),
    ],
)
def test_lines_are_those_of_lookup_tables(
    tmp_path: pathlib.Path, content: str, pieces: tuple[str, ...]
) -> None:
    path = _write(tmp_path, content)

    vocabulary = vocabularies.read(path)

    assert vocabulary.pieces == pieces
    assert vocabulary.path == path
    initializer = tf.lookup.TextFileInitializer(
        path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, -1
    )
    table = tf.lookup.StaticHashTable(initializer, default_value=-1)
    assert int(table.size()) == len(pieces)
    assert table.lookup(tf.constant(pieces)).numpy().tolist() == list(range(len(pieces)))


def test_digest_is_of_pieces(tmp_path: pathlib.Path) -> None:
    unix, windows, other = tmp_path / "unix", tmp_path / "windows", tmp_path / "other"
    for folder in (unix, windows, other):
        folder.mkdir()

    digest = vocabularies.read(_write(unix, "a\nb\n")).digest

    assert vocabularies.read(_write(windows, "a\r\nb")).digest == digest
    assert vocabularies.read(_write(other, "ab\n")).digest != digest


def test_repeated_pieces_are_named_with_their_lines(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path, "a\nb\na\nc\nb\na\n")

    with pytest.raises(errors.UserError, match="No two lines of a vocabulary may be equal") as info:
        vocabularies.read(path)

    assert f"{path}: 'a' in lines 1, 3, 6; 'b' in lines 2, 5" in str(info.value)


def test_what_no_text_has_may_be_there_twice(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path, "[unused1]\na\n\n[unused1]\n\nx y\nx y\n##'\n##'\n")
    pieces = vocabularies.read(path).pieces
    assert pieces == ("[unused1]", "a", "", "[unused1]", "", "x y", "x y", "##'", "##'")
    assert [str(finding) for finding in vocabularies.find(pieces, "a")] == [
        (
            "warning: vocabulary: no text has '[unused1]' in lines 1, 4; 'x y' in lines 6, 7; "
            '"##\'" in lines 8, 9, or their ids would be open'
        ),
        "warning: vocabulary: nothing in lines 3, 5, whose ids are never used",
        "vocabulary: never used, for its white space: 'x y', 'x y'",
    ]


def test_special_tokens_in_two_lines_are_refused(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path, "[PAD]\n[CLS]\n[SEP]\n[MASK]\n[SEP]\n")
    pieces = vocabularies.read(path).pieces
    with pytest.raises(errors.UserError, match="A special token must be in one line") as info:
        vocabularies.special_ids(
            {piece: i for i, piece in enumerate(pieces)},
            vocabularies.WORDPIECE_SPELLINGS,
            path=path,
            vocab_size=5,
            several=vocabularies.repeated(pieces),
        )
    assert info.value.received == f"{path}: '[SEP]' in lines 3, 5"


def test_findings_of_oddities() -> None:
    assert vocabularies.find(["[UNK]", "a", "##b"], "[UNK]") == []
    assert [str(finding) for finding in vocabularies.find(["\ufeffthe", "<unk>"], "[UNK]")] == [
        (
            "warning: vocabulary: it has no [UNK] (is it <unk>? tokenizer.special_tokens = "
            '{"unknown_id": "<unk>"}): words that it cannot spell get the id -1, for which no '
            "encoder has an embedding"
        ),
        (
            "warning: vocabulary: its first line begins with a byte-order mark, so that no text "
            "has 'the'"
        ),
    ]


def test_many_repeated_pieces_are_counted(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path, "a\nb\nc\nd\ne\nf\ng\n" * 2)
    with pytest.raises(errors.UserError, match="'e' in lines 5, 12 and 2 more"):
        vocabularies.read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"must not be empty[\s\S]*0 bytes"),
        (b"\r", r"has one piece a line[\s\S]*nothing but empty lines"),
        (b"\n\r\n\n", r"has one piece a line[\s\S]*nothing but empty lines"),
        (b"a\n\xff\xfe\n", r"must be text in UTF-8[\s\S]*0xff"),
        (b"\n\x0e\n\x05<unk>\x15\x00\x00\x80\xbf\x18\x02", "SentencePiece model goes to sp_model"),
    ],
)
def test_what_is_no_vocabulary_is_refused(
    tmp_path: pathlib.Path, content: bytes, message: str
) -> None:
    with pytest.raises(errors.UserError, match=message) as info:
        vocabularies.read(_write(tmp_path, content))
    assert info.value.setting == "tokenizer.vocab_file"


def test_missing_file_and_folder_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UserError, match=r"The file must exist.[\s\S]*nothing_here"):
        vocabularies.read(str(tmp_path / "nothing_here"))
    with pytest.raises(errors.UserError, match="A file is needed here, not a folder"):
        vocabularies.read(str(tmp_path))


def test_unreadable_file_system_is_refused() -> None:
    with pytest.raises(errors.UserError, match=r"The file must be readable.[\s\S]*nofs"):
        vocabularies.read_bytes("nofs://bucket/vocab.txt", setting="tokenizer.vocab_file")


def test_special_ids() -> None:
    ids = {"[PAD]": 0, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
    spellings = vocabularies.spellings(vocabularies.WORDPIECE_SPELLINGS, None)

    assert vocabularies.special_ids(ids, spellings, path="vocab.txt", vocab_size=9) == {
        "vocab_size": 9,
        "start_of_sequence_id": 2,
        "end_of_segment_id": 3,
        "padding_id": 0,
        "mask_id": 4,
    }


def test_mask_may_be_missing() -> None:
    ids = {"[PAD]": 0, "[CLS]": 2, "[SEP]": 3}
    spellings = vocabularies.spellings(vocabularies.WORDPIECE_SPELLINGS, None)
    special = vocabularies.special_ids(ids, spellings, path="vocab.txt", vocab_size=9)
    assert "mask_id" not in special


def test_other_missing_tokens_are_all_named() -> None:
    spellings = vocabularies.spellings(
        vocabularies.WORDPIECE_SPELLINGS, {"end_of_segment_id": "</s>"}
    )
    with pytest.raises(
        errors.UserError, match="special tokens that inputs are packed with"
    ) as info:
        vocabularies.special_ids({"[PAD]": 0}, spellings, path="vocab.txt", vocab_size=1)
    assert info.value.received == (
        "vocab.txt has no '[CLS]' (start_of_sequence_id), '</s>' (end_of_segment_id)"
    )
    assert info.value.example == 'tokenizer.special_tokens = {"padding_id": "<pad>"}'


def test_byte_order_mark_is_told() -> None:
    spellings = vocabularies.spellings(vocabularies.WORDPIECE_SPELLINGS, None)
    ids = {"\ufeff[PAD]": 0, "[CLS]": 1, "[SEP]": 2}
    with pytest.raises(errors.UserError, match="byte-order mark: remove it"):
        vocabularies.special_ids(ids, spellings, path="vocab.txt", vocab_size=3)


def test_unknown_purpose_is_refused() -> None:
    with pytest.raises(errors.UserError, match="named by purpose: end_of_segment_id") as info:
        vocabularies.spellings(vocabularies.WORDPIECE_SPELLINGS, {"pad_id": "<pad>"})
    assert info.value.received == "'pad_id'"
    assert info.value.setting == "tokenizer.special_tokens"
