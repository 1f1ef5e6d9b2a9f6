"""Damaged files, made from a seed: all that an exporter reads, and what may be wrong with it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import random
import shutil
from collections.abc import Callable, Iterable, Sequence

from tests.faults import running

# What may come of a damage.
TOLD, NO_MATTER, OTHER = "told", "no matter", "other"

_EMA = running.RUN.parent / "ema_tiny"
_HUGE = 3_000_000_000
_CONFIG = {
    "attention_probs_dropout_prob": 0.05,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.05,
    "hidden_size": 64,
    "initializer_range": 0.1,
    "intermediate_size": 128,
    "max_position_embeddings": 128,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 3391,
}
_YAML = """\
type: bert
bert:
  attention_dropout_rate: 0.05
  dropout_rate: 0.05
  hidden_size: 64
  initializer_range: 0.1
  intermediate_size: 128
  max_position_embeddings: 128
  num_attention_heads: 2
  num_layers: 2
  type_vocab_size: 2
  vocab_size: 3391
"""


def sources(folder: pathlib.Path) -> None:
    """Writes intact files of all kinds to a folder."""
    shutil.copytree(running.RUN, folder / "run")
    shutil.copytree(_EMA, folder / "ema")
    shutil.copy(running.RUN.parent / "spm" / "spm.model", folder)
    shutil.copy(running.RUN / "vocab.txt", folder)
    shutil.copy(running.RUN.parent / "uncased" / "vocab.txt", folder / "small_vocab.txt")
    (folder / "encoder.yaml").write_text(_YAML)
    (folder / "bert_config.json").write_text(json.dumps(_CONFIG, indent=1))
    (folder / "run.gin").write_text("include 'included.gin'\nexport.export_type = 'model'\n")
    (folder / "included.gin").write_text(
        f"pretraining.pretraining_dir = '{folder}/run'\ntokenizer.do_lower_case = True\n"
    )


def arguments(folder: pathlib.Path) -> dict[str, Sequence[str]]:
    """Returns the files that can be damaged, and the flags by which they are read."""
    text = [f"--vocab_file={running.RUN}/vocab.txt", "--do_lower_case=True"]
    run = [f"--pretraining_dir={folder}/run", *text]
    weights = [f"--model_checkpoint_path={running.RUN}", *text]
    vocabulary = [f"--vocab_file={folder}/vocab.txt", "--do_lower_case=True"]
    ema = [f"--vocab_file={folder}/small_vocab.txt", "--do_lower_case=True", "--checkpoint=best"]
    return {
        "run/params.yaml": run,
        "run/operative_config.train.gin": run,
        "run/checkpoint": run,
        "run/ckpt-6000.index": run,
        "run/ckpt-6000.data-00000-of-00001": run,
        "ema/best/info.json": [f"--pretraining_dir={folder}/ema", *ema],
        "vocab.txt": [f"--pretraining_dir={folder}/run", *vocabulary],
        "spm.model": ["--export_type=preprocessing", f"--sp_model_file={folder}/spm.model"],
        "encoder.yaml": [f"--encoder_config_file={folder}/encoder.yaml", *weights],
        "bert_config.json": [f"--bert_config_file={folder}/bert_config.json", *weights],
        "run.gin": [f"--gin_file={folder}/run.gin", text[0]],
        "included.gin": [f"--gin_file={folder}/run.gin", text[0]],
    }


@dataclasses.dataclass(frozen=True)
class Case:
    """One damaged file.

    Attributes:
      file: Which one, relative to the folder.
      damage: What is done to it.
      seed: Of what is random in that.
    """

    file: str
    damage: str
    seed: str

    def inflict(self, folder: pathlib.Path) -> None:
        """Damages the file in a folder with intact ones."""
        path = folder / self.file
        data = path.read_bytes()
        path.unlink()
        _DAMAGES[self.damage](path, data, random.Random(self.seed))


def cases(files: Iterable[str], count: int, seed: int) -> list[Case]:
    """Lists so many cases: all kinds of damage to some file, then of any to any.

    Args:
      files: The files that may be damaged.
      count: How many cases.
      seed: Of what is chosen.
    """
    chosen = random.Random(seed)
    found: dict[tuple[str, str], Case] = {}
    pairs = [(file, damage) for damage in _DAMAGES for file in files if _fits(damage, file)]
    chosen.shuffle(pairs)
    first = {damage: file for file, damage in reversed(pairs)}
    pairs = [(file, damage) for damage, file in first.items()] + pairs
    for file, damage in pairs:
        found.setdefault((file, damage), Case(file, damage, f"{seed} {file} {damage}"))
    several = list(found.values())
    # More than there are pairs: what is random is so once more.
    more = (
        dataclasses.replace(case, seed=f"{case.seed} {number}")
        for number in range(count)
        for case in several
        if case.damage in _RANDOM
    )
    while len(several) < count:
        several.append(next(more))
    return several[:count]


def _fits(damage: str, file: str) -> bool:
    kinds = _ONLY.get(damage)
    if file.endswith(_NEVER_READ) and damage not in _STOPPING:
        return False
    return kinds is None or file.endswith(kinds)


_Damage = Callable[[pathlib.Path, bytes, random.Random], object]


def _cut(path: pathlib.Path, data: bytes, chosen: random.Random) -> None:
    path.write_bytes(data[: chosen.randrange(1, len(data))])


def _flip(times: int) -> _Damage:
    def flip(path: pathlib.Path, data: bytes, chosen: random.Random) -> None:
        damaged = bytearray(data)
        for _ in range(times):
            damaged[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
        path.write_bytes(damaged)

    return flip


def _insert(added: bytes) -> _Damage:
    def insert(path: pathlib.Path, data: bytes, chosen: random.Random) -> None:
        place = chosen.randrange(len(data))
        path.write_bytes(data[:place] + added + data[place:])

    return insert


def _add(added: Callable[[pathlib.Path], str]) -> _Damage:
    return lambda path, data, chosen: path.write_bytes(data + added(path).encode())


def _holes(path: pathlib.Path, data: bytes, chosen: random.Random) -> None:
    path.write_bytes(data)
    os.truncate(path, _HUGE)


def _aliases(lines: str) -> Callable[[pathlib.Path], str]:
    text = "".join(f"a{i}: &a{i} {lines.format(i - 1)}\n" for i in range(1, 30))
    return lambda path: f"a0: &a0 {{b: 1}}\n{text}"


def _pyramid(times: int, height: int) -> Callable[[pathlib.Path], str]:
    def include(path: pathlib.Path) -> str:
        for i in range(height):
            text = f"include '{path.parent}/level_{i + 1}.gin'\n" * times
            (path.parent / f"level_{i}.gin").write_text(text)
        (path.parent / f"level_{height}.gin").write_text("")
        return f"include '{path.parent}/level_0.gin'\n"

    return include


_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20
# A file that nothing reads: it matters if it is opened all the same.
_NEVER_READ = ".record/README.md"
_STOPPING = ("a named pipe", "/dev/zero")
_RANDOM = ("cut off", "one bit flipped", "20 bits flipped")
_DAMAGES: dict[str, _Damage] = {
    "cut off": _cut,
    "one bit flipped": _flip(1),
    "20 bits flipped": _flip(20),
    "empty": lambda path, data, chosen: path.write_bytes(b""),
    "an image": lambda path, data, chosen: path.write_bytes(_PNG),
    "a folder": lambda path, data, chosen: path.mkdir(),
    "3 GB": _holes,
    "a named pipe": lambda path, data, chosen: os.mkfifo(path),
    "/dev/zero": lambda path, data, chosen: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path, data, chosen: path.symlink_to("nothing"),
    "not UTF-8": _insert(b"\xe9\xff"),
    "zero bytes": _insert(b"\0" * 8),
    "aliases that multiply": _add(_aliases("[*a{0}, *a{0}, *a{0}, *a{0}]")),
    "merges that multiply": _add(_aliases("{{<<: [*a{0}, *a{0}, *a{0}, *a{0}]}}")),
    "an alias of itself": _add(lambda path: "z: &z [*z]\n"),
    "a tag that runs code": _add(
        lambda path: f"z: !!python/object/apply:os.system ['touch {path.parent}/RUN']\n"
    ),
    "100,000 brackets": lambda path, data, chosen: path.write_bytes(b"[" * 100_000),
    "a value of 10,000 brackets": _add(lambda path: f"export.pooler = {'[' * 10_000}\n"),
    "including itself": _add(lambda path: f"include '{path}'\n"),
    "300 includes deep": _add(_pyramid(1, 300)),
    "2^40 includes": _add(_pyramid(2, 40)),
}
# The kinds of files that some damages are for.
_ONLY: dict[str, str | tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("aliases that multiply", "merges that multiply", "an alias of itself"),
            "a tag that runs code",
        ),
        ".yaml",
    ),
    "100,000 brackets": (".yaml", ".json"),
    **dict.fromkeys(
        (
            *("a value of 10,000 brackets", "including itself", "300 includes deep"),
            "2^40 includes",
        ),
        ".gin",
    ),
}
