"""Rounds in which both contenders do everything once, in turn."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Collection

from benchmarks import figures, samples, sizes, workspace


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure and how often.

    Attributes:
      groups: What, of `figures.GROUPS`.
      rounds: How many.
      warmups: How many to run before them and not to count. What is read for the first time comes
        from the disk and not from memory, and Python compiles it.
      peer_python: A Python that has Hugging Face's `tokenizers`, to be measured too, or None.
      embedding_peer_python: A Python that has what `benchmarks.embedding_peers` needs, or None.
      sentence_model: A folder with the weights of a BERT of sentences, for one size, or None.
    """

    groups: Collection[str]
    rounds: int
    warmups: int
    peer_python: str | None = None
    embedding_peer_python: str | None = None
    sentence_model: str | None = None


def run(
    plan: Plan, size: sizes.Size, folder: pathlib.Path, say: Callable[[str], None]
) -> samples.Samples:
    """Measures one encoder.

    Args:
      plan: What to measure and how often.
      size: Which encoder.
      folder: For the encoder's files, which are reused if they are there, and all exports of it.
      say: Shows a line of progress.
    """
    space = workspace.Workspace(size, folder, say, plan.sentence_model)
    measured = figures.jobs(plan.groups)
    for job in dict.fromkeys(figures.used(plan.groups)):
        if job not in measured:
            space.export(job)
    arguments = (plan.groups, plan.peer_python, plan.embedding_peer_python)
    counted = samples.Samples()
    for number in range(1 - plan.warmups, plan.rounds + 1):
        title = f"round {number} of {plan.rounds}" if number > 0 else "warm-up, not counted"
        say(f"{size.name}: {title}")
        for figure, values in figures.measure(space, *arguments):
            if number > 0:
                counted.add(figure, values)
    return counted
