"""Which job goes to which process."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.sweep import jobs, scheduling


def _job(name: str, weights: int = 0) -> jobs.Job:
    """Makes a job of a group and of graphs: the first letter of its name, and the second."""
    return jobs.Job(name, "", {}, (), "", name[0], name[1], weights)


def _names(given: Iterable[jobs.Job | None]) -> list[str | None]:
    return [job and job.name for job in given]


def test_jobs_go_where_what_they_need_is_loaded() -> None:
    planned = [_job(f"{group}-{index}") for group in "xy" for index in range(3)]
    queue = scheduling.Queue(planned)
    first, second = queue.next(None), queue.next(None)
    assert first is not None
    assert _names([first, second]) == ["x-0", "y-0"]
    assert _names(queue.next(second) for _ in range(3)) == ["y-1", "y-2", "x-1"]
    queue.put_back(first)
    assert _names(queue.next(first) for _ in range(2)) == ["x-0", "x-2"]
    assert queue.next(first) is None


def test_no_two_processes_begin_the_same_graphs() -> None:
    queue = scheduling.Queue([_job(name) for name in ("xa1", "xb1", "xc1", "xa2", "xb2", "xc2")])
    one, other = queue.next(None), queue.next(None)
    assert _names([one, other]) == ["xa1", "xb1"]
    assert other is not None
    assert _names([queue.next(one), queue.next(one), queue.next(other)]) == ["xa2", "xc1", "xb2"]
    queue.put_back(other)
    assert _names(queue.next(None) for _ in range(3)) == ["xb1", "xc2", None]


def test_the_last_graphs_are_shared_out() -> None:
    queue = scheduling.Queue([_job(f"xa{index}") for index in range(4)])
    one, other = queue.next(None), queue.next(None)
    assert _names([one, other]) == ["xa0", "xa1"]
    assert _names([queue.next(other), queue.next(one)]) == ["xa2", "xa3"]


def test_jobs_in_order() -> None:
    planned = [_job(name) for name in ("xa1", "ya1", "xb1", "xa2", "yb1", "ya2")]
    # Of the next group, the graphs that the last one has ended with come first.
    expected = ["xa1", "xa2", "xb1", "yb1", "ya1", "ya2"]
    assert _names(scheduling.in_order(planned)) == expected


def test_graphs_that_another_process_has_begun_are_left_to_it() -> None:
    queue = scheduling.Queue([_job(name) for name in ("xa1", "ya1", "ya2", "yb1")])
    one, other = queue.next(None), queue.next(None)
    assert _names([one, other, queue.next(one)]) == ["xa1", "ya1", "yb1"]


def test_where_memory_is_short_smaller_ones_go_first() -> None:
    sizes = {"small": 10, "large": 30, "none": 0}
    planned = [_job(name, size) for name, size in sizes.items()]
    queue = scheduling.Queue([*planned, planned[1]])
    assert queue.weights() == [30, 30, 10, 0]
    given = [queue.next(None, room=10) for _ in range(3)]
    assert _names(given) == ["small", "none", None]
    assert _names([queue.next(None, room=30)]) == ["large"]
    assert queue.weights() == [30]


def test_memory() -> None:
    assert scheduling.memory(0) == 800_000_000
    assert scheduling.memory(440_000_000) == 3_440_000_000
