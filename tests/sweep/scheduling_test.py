"""Which job goes to which process."""

from __future__ import annotations

from exporter.sweep import jobs, scheduling


def test_jobs_go_where_what_they_need_is_loaded() -> None:
    planned = [
        jobs.Job(f"{group}{index}", "", {}, (), "", group, 0)
        for group in ("x", "y")
        for index in range(3)
    ]
    queue = scheduling.Queue(planned)
    first, second = queue.next(None), queue.next(None)
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("x0", "y0")
    assert [queue.next("y").name for _ in range(3)] == ["y1", "y2", "x2"]  # type: ignore[union-attr]
    queue.put_back(first)
    assert [queue.next("x").name for _ in range(2)] == ["x0", "x1"]  # type: ignore[union-attr]
    assert queue.next("x") is None


def test_where_memory_is_short_smaller_ones_go_first() -> None:
    sizes = {"small": 10, "large": 30, "none": 0}
    planned = [jobs.Job(name, "", {}, (), "", name, size) for name, size in sizes.items()]
    queue = scheduling.Queue([*planned, planned[1]])
    assert queue.weights() == [30, 30, 10, 0]
    given = [queue.next(None, room=10) for _ in range(3)]
    assert [job and job.name for job in given] == ["small", "none", None]
    large = queue.next(None, room=30)
    assert large is not None
    assert large.name == "large"
    assert queue.weights() == [30]


def test_memory() -> None:
    assert scheduling.memory(0) == 800_000_000
    assert scheduling.memory(440_000_000) == 2_560_000_000
