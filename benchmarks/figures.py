"""What is measured in a round, and how it becomes figures."""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Iterator, Mapping

from benchmarks import commands, processes
from benchmarks.samples import Figure
from benchmarks.workspace import Job, Workspace

# What `--only` chooses from: each export type, and these.
VERIFIED, LOAD, FORWARD, THROUGHPUT = "verified", "load", "forward", "throughput"
VERIFICATION = "verification"
SWEEP, EMBEDDING = "sweep", commands.TEXT_EMBEDDING
GROUPS = (
    *(*commands.EXPORT_TYPES, VERIFIED, commands.ALL, SWEEP),
    *(VERIFICATION, LOAD, FORWARD, THROUGHPUT, EMBEDDING),
)
# What the predecessor needs for one point of a sweep: it has no text embedding.
_POINT = ("model_with_mlm", "preprocessing")
# Of the lines that preprocessing is measured with, as in `benchmarks.text_probes`.
BATCH_SIZES = (1, 32, 256, 4096)
# Of smaller ones, the multiples would tell of TensorFlow's own memory alone.
_SMALLEST_WEIGHTS = 100e6

_EMBEDDING_JOBS = (
    Job(commands.PREDECESSOR, "preprocessing"),
    Job(commands.PREDECESSOR, "model"),
    Job(commands.EXPORTER, commands.TEXT_EMBEDDING),
)

# A figure and its value for each contender.
Found = Iterator[tuple[Figure, dict[str, float]]]


def jobs(groups: Collection[str]) -> list[Job]:
    """Returns the exports that a round measures, in order.

    Args:
      groups: What to measure, of `GROUPS`.
    """
    listed = []
    for export_type in commands.EXPORT_TYPES:
        if not {export_type, VERIFIED, commands.ALL}.isdisjoint(groups):
            listed.append(Job(commands.PREDECESSOR, export_type))
        if export_type in groups:
            listed.append(Job(commands.EXPORTER, export_type))
        if VERIFIED in groups:
            listed.append(Job(commands.EXPORTER, export_type, verify=True))
    if commands.ALL in groups:
        listed.append(Job(commands.EXPORTER, commands.ALL, verify=True))
    return listed


def used(groups: Collection[str]) -> list[Job]:
    """Returns the exports that a round uses.

    Args:
      groups: What to measure, of `GROUPS`.
    """
    export_types: list[str] = []
    if LOAD in groups:
        export_types += commands.EXPORT_TYPES
    if FORWARD in groups:
        export_types.append("model")
    if THROUGHPUT in groups:
        export_types.append("preprocessing")
    listed = [Job(name, kind) for kind in export_types for name in commands.CONTENDERS]
    return [*listed, *_EMBEDDING_JOBS] if EMBEDDING in groups else listed


def measure(
    workspace: Workspace,
    groups: Collection[str],
    peer_python: str | None = None,
    embedding_peer_python: str | None = None,
) -> Found:
    """Runs one round.

    Args:
      workspace: Where; it holds the exports of `used`, or `jobs` makes them.
      groups: What to measure, of `GROUPS`.
      peer_python: A Python that has Hugging Face's `tokenizers`, or None.
      embedding_peer_python: A Python that has what `embedding_peers` needs, or None.
    """
    listed = jobs(groups)
    if listed:
        imports = {name: workspace.import_tensorflow(name) for name in commands.CONTENDERS}
        usages = {job: workspace.export(job) for job in listed}
        for job in listed:
            if job.contender == commands.EXPORTER:
                yield from _export_figures(workspace, job, usages, imports)
    for group, found in (
        (SWEEP, _sweep),
        (VERIFICATION, _verification),
        (LOAD, _loads),
        (FORWARD, _forwards),
    ):
        if group in groups:
            yield from found(workspace)
    if THROUGHPUT in groups:
        yield from _throughputs(workspace)
        if peer_python is not None:
            yield from _peers(workspace, peer_python)
    if EMBEDDING in groups:
        yield from _embeddings(workspace, embedding_peer_python)


def _export_figures(
    workspace: Workspace,
    ours: Job,
    usages: Mapping[Job, processes.Usage],
    imports: Mapping[str, processes.Usage],
) -> Found:
    """Compares an export with the predecessor's one or ones."""
    everything = ours.export_type == commands.ALL
    export_types = commands.EXPORT_TYPES if everything else (ours.export_type,)
    theirs = [usages[Job(commands.PREDECESSOR, name)] for name in export_types]
    title = "`all` in one run, against three runs" if everything else f"`{ours.export_type}`"
    title += ", verified" if ours.verify else ""
    seconds = [sum(usage.seconds for usage in theirs), usages[ours].seconds]
    peaks = [max(usage.peak_bytes for usage in theirs), usages[ours].peak_bytes]
    yield Figure(f"{title}: wall", "s"), _pair(seconds)
    yield Figure(f"{title}: peak memory", "MB"), _pair([peak / 1e6 for peak in peaks])
    if ours.verify:
        return
    paths = [workspace.path(Job(name, ours.export_type)) for name in commands.CONTENDERS]
    weights = _weights_bytes(paths[0])
    if weights >= _SMALLEST_WEIGHTS:
        name = f"{title}: peak above `import tensorflow`, in weights ({weights / 1e6:.0f} MB)"
        above = [peak - imports[n].peak_bytes for peak, n in zip(peaks, imports, strict=True)]
        yield Figure(name, "times"), _pair([value / weights for value in above])
    graph_sizes = [(path / "saved_model.pb").stat().st_size for path in paths]
    yield Figure(f"{title}: `saved_model.pb`", "MB"), _pair([size / 1e6 for size in graph_sizes])
    if ours.export_type == "preprocessing":
        yield Figure(f"{title}: all files", "MB"), _pair([_bytes(path) / 1e6 for path in paths])


def _verification(workspace: Workspace) -> Found:
    """Compares exports that are verified, as they are by default, with such that are not."""
    for export_type in (*commands.EXPORT_TYPES, commands.ALL):
        usages = [
            workspace.export(Job(commands.EXPORTER, export_type, verify=verify))
            for verify in (False, True)
        ]
        title = f"`{export_type}`, verified, against `--verify=off` in place of the predecessor"
        yield Figure(f"{title}: wall", "s"), _pair([usage.seconds for usage in usages])
        yield (
            Figure(f"{title}: processor time", "s"),
            _pair([usage.processor_seconds for usage in usages]),
        )


def _sweep(workspace: Workspace) -> Found:
    """Compares a sweep with the predecessor's runs for one point, times the number of points."""
    points = commands.SWEEP_POINTS
    jobs = [Job(commands.PREDECESSOR, export_type) for export_type in _POINT]
    theirs = [workspace.export(job) for job in jobs]
    ours = workspace.sweep()
    title = f"sweep of {points} points, `all`, verified, against {points} times two runs"
    seconds = [points * sum(usage.seconds for usage in theirs), ours.seconds]
    yield Figure(f"{title}: wall", "s"), _pair(seconds)
    stored = [points * sum(_bytes(workspace.path(job)) for job in jobs)]
    stored.append(_stored_bytes(workspace.sweep_path))
    yield Figure(f"{title}: disk", "MB"), _pair([size / 1e6 for size in stored])


def _loads(workspace: Workspace) -> Found:
    for export_type in commands.EXPORT_TYPES:
        kind = "load_with_text" if export_type == "preprocessing" else "load"
        paths = [workspace.path(Job(name, export_type)) for name in commands.CONTENDERS]
        seconds = [workspace.probe(kind, path)[0] for path in paths]
        yield Figure(f"`{export_type}`: load", "s"), _pair(seconds)


def _forwards(workspace: Workspace) -> Found:
    paths = [workspace.path(Job(name, "model")) for name in commands.CONTENDERS]
    vocab_size = len(workspace.source.vocabulary.read_text(encoding="utf-8").splitlines())
    batch_size = workspace.size.batch_size
    for length in workspace.size.lengths:
        seconds = workspace.probe("forward", *paths, vocab_size, batch_size, length)
        name = f"`model`: forward pass, {batch_size} sequences of length {length}"
        yield Figure(name, "ms"), _pair([1e3 * value for value in seconds])


def _throughputs(workspace: Workspace) -> Found:
    paths = [workspace.path(Job(name, "preprocessing")) for name in commands.CONTENDERS]
    for probe, what in (("throughput", "lines"), ("pairs", "pairs of lines")):
        rates = workspace.probe(probe, *paths)
        ways = ("one batch at a time", "as many at a time as cores")
        titles = [f"{way}{note}" for note in ("", ", by processor time") for way in ways]
        for i, title in enumerate(titles):
            name = f"`preprocessing`: batches of 256 {what}, {title}"
            unit = f"{what.split()[0]}/s"
            yield Figure(name, unit, more_is_better=True), _pair(rates[2 * i : 2 * i + 2])
    values = workspace.probe("batch_sizes", *paths)
    for i, size in enumerate(BATCH_SIZES):
        name = f"`preprocessing`: a line, in batches of {size:,}"
        yield Figure(name, "us"), _pair(values[2 * i : 2 * i + 2])
    grown = [workspace.probe("memory", path)[0] for path in paths]
    name = "`preprocessing`: memory after 2,000 batches, of that after 200"
    yield Figure(name, "times"), _pair(grown)


def _peers(workspace: Workspace, python: str) -> Found:
    ours = str(workspace.path(Job(commands.EXPORTER, "preprocessing")))
    # With as many batches at a time as there are cores, and by processor time.
    _, _, _, wall, _, _, _, processor = workspace.probe("throughput", ours, ours)
    pairs = zip(workspace.peer(python), (wall, processor), ("", ", by processor time"), strict=True)
    for theirs, rate, note in pairs:
        name = (
            "`preprocessing`: batches of 256 lines, Hugging Face's `tokenizers` in place of the "
            f"predecessor{note}"
        )
        yield Figure(name, "lines/s", more_is_better=True), _pair([theirs, rate])


def _embeddings(workspace: Workspace, peer_python: str | None) -> Found:
    paths = [workspace.path(job) for job in _EMBEDDING_JOBS]
    measured = workspace.probe("embedding", *paths)
    wall, processor = measured[:3], measured[3:]
    others = {
        "preprocessing and encoder at 128": (wall[0], processor[0]),
        "preprocessing and encoder padded to the longest": (wall[1], processor[1]),
    }
    if peer_python is not None and workspace.sentence_model is not None:
        peers = workspace.embedding_peers(peer_python, workspace.sentence_model)
        others["Sentence Transformers in place of the predecessor"] = (peers[0], peers[1])
        others["ONNX Runtime in place of the predecessor"] = (peers[2], peers[3])
    for name, theirs in others.items():
        for value, ours, note in zip(
            theirs, (wall[2], processor[2]), ("", ", by processor time"), strict=True
        ):
            title = f"`text_embedding`: batches of 32 sentences, against {name}{note}"
            yield Figure(title, "sentences/s", more_is_better=True), _pair([value, ours])


def _pair(values: list[float]) -> dict[str, float]:
    return dict(zip(commands.CONTENDERS, values, strict=True))


def _bytes(path: pathlib.Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _stored_bytes(path: pathlib.Path) -> int:
    """The size of all files, each counted once however many links it has."""
    files = (file.stat() for file in path.rglob("*") if file.is_file())
    return sum({status.st_ino: status.st_size for status in files}.values())


def _weights_bytes(path: pathlib.Path) -> int:
    return sum(file.stat().st_size for file in path.glob("variables/variables.data-*"))
