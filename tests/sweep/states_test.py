"""What is known of exports, and when one is complete."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib

import pytest

from exporter import manifests
from exporter.sweep import jobs, states


@pytest.fixture(name="job")
def exported(tmp_path: pathlib.Path) -> jobs.Job:
    """An export of one file, with its manifest and state."""
    path = tmp_path / "a"
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"graph")
    manifests.write(str(path), {})
    job = jobs.Job("a", str(path), {"x": [1, None]}, (), "d1", "", "", 0)
    found = {"files": states.files(job.path), "manifests": states.manifest_digests(job.path)}
    states.write(job.record, states.State("a", states.SUCCEEDED, "d1", job.values, **found))
    return job


def _why(job: jobs.Job) -> str | None:
    return states.why(job, states.read(job.record))


def test_written_and_read(job: jobs.Job) -> None:
    state = states.read(job.record)
    assert state is not None
    assert (state.name, state.status, state.values) == ("a", "succeeded", {"x": [1, None]})
    assert {name: size for name, (size, _) in state.files.items()} == {
        "saved_model.pb": 5,
        manifests.FILE: os.path.getsize(f"{job.path}/{manifests.FILE}"),
    }
    assert _why(job) is None
    assert os.listdir(job.record) == [jobs.STATE_FILE]


def test_missing(tmp_path: pathlib.Path) -> None:
    assert _why(jobs.Job("b", f"{tmp_path}/b", {}, (), "d1", "", "", 0)) == "missing"


def test_changed(job: jobs.Job) -> None:
    assert _why(dataclasses.replace(job, digest="d2")) == "changed"


@pytest.mark.parametrize(
    ("status", "why"), [(states.STARTED, "interrupted"), (states.FAILED, "failed before")]
)
def test_not_succeeded(job: jobs.Job, status: str, why: str) -> None:
    state = states.read(job.record)
    assert state is not None
    states.write(job.record, dataclasses.replace(state, status=status))
    assert _why(job) == why


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 0, "files": {}}'])
def test_text_of_nobody_known(job: jobs.Job, text: str) -> None:
    pathlib.Path(job.record, jobs.STATE_FILE).write_text(text)
    assert _why(job) == "missing"


def _graph(job: jobs.Job) -> pathlib.Path:
    return pathlib.Path(job.path, "saved_model.pb")


def test_equal_bytes_written_later(job: jobs.Job) -> None:
    os.utime(_graph(job), ns=(1, 1))
    assert _why(job) is None


def test_other_bytes(job: jobs.Job) -> None:
    _graph(job).write_bytes(b"grapH")
    os.utime(_graph(job), ns=(2, 2))  # A test is quicker than a file system's clock.
    assert _why(job) == "damaged"


def test_a_file_too_few(job: jobs.Job) -> None:
    _graph(job).unlink()
    assert _why(job) == "damaged"


def test_a_file_too_many(job: jobs.Job) -> None:
    pathlib.Path(job.path, "more").touch()
    assert _why(job) == "damaged"


@pytest.mark.parametrize("text", ["", json.dumps({"manifest_version": 99, "files": {}})])
def test_another_manifest(job: jobs.Job, text: str) -> None:
    pathlib.Path(job.path, manifests.FILE).write_text(text)
    assert _why(job) == "damaged"


def test_another_manifest_with_the_same_digests(job: jobs.Job) -> None:
    manifest = pathlib.Path(job.path, manifests.FILE)
    manifest.write_text(manifest.read_text().replace("{", "{ ", 1))
    assert states.damages(job.path) == []
    assert _why(job) == "damaged"


def test_damages_are_named(job: jobs.Job) -> None:
    _graph(job).write_bytes(b"grapH")
    assert states.damages(job.path) == ["saved_model.pb has other bytes"]
    pathlib.Path(job.path, manifests.FILE).unlink()
    assert states.damages(job.path) == ["there is no manifest"]
