"""Connections to Ray: to a running cluster, or to one of this machine, started and stopped.

Ray is imported here and in `ray_cluster` alone, inside of functions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import pathlib
import secrets
import shutil
import signal
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import exporter
from exporter import errors

# The environment variable by which `ray job submit` tells its command where the cluster is.
_ADDRESS = "RAY_ADDRESS"
# Ray's least, in bytes. Jobs and what became of them are small, files go by the file system.
_OBJECT_STORE = 80 << 20
# Sockets' paths must be short, and Ray's are 70 bytes longer than its folder's.
_TEMPORARY = "/tmp"
_TOKEN = secrets.token_hex(32)
_SECONDS = 60.0


def require_ray() -> None:
    """Checks that Ray is installed.

    Raises:
      UserError: It is not.
    """
    if importlib.util.find_spec("ray") is None:
        raise errors.UserError(
            "The launcher @ray() needs Ray, which is not installed here.",
            example="make .venv-ray, then .venv-ray/bin/python launch.py ...; elsewhere "
            "pip install 'ray>=2.40'",
            setting="sweep.launcher",
        )


@dataclasses.dataclass(frozen=True)
class Code:
    """Where the modules are that exports import.

    Attributes:
      paths: Where this process finds them.
      is_seen: Whether each node sees the same there; otherwise they were sent to it.
    """

    paths: list[str]
    is_seen: bool = True


@contextlib.contextmanager
def _kept_signals() -> Iterator[None]:
    """Gives SIGTERM back to who had it before Ray."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextlib.contextmanager
def connected(address: str | None, py_modules: Sequence[str]) -> Iterator[Code]:
    """While open, Ray can be used. What was connected before stays so.

    Args:
      address: A cluster's; None for that of the environment, and where there is none for one of
        this machine alone, which is started and stopped.
      py_modules: Folders of packages that workers need beside the exporter, where they do not see
        this machine's files.

    Yields:
      Where workers find modules.

    Raises:
      UserError: There is no such cluster.
    """
    import ray

    address = address or os.environ.get(_ADDRESS)
    if ray.is_initialized():  # By who has called the exporter.
        yield Code(_paths())
        return
    with _kept_environment(), contextlib.ExitStack() as stack:
        if address is None:
            folder = stack.enter_context(_temporary_folder())
            stack.callback(ray.shutdown)
            _start(folder)
            yield Code(_paths())
            return
        stack.callback(ray.shutdown)
        _connect(address)
        if _sees_code():
            yield Code(_paths())
            return
        ray.shutdown()
        _connect(address, py_modules=[*map(str, py_modules), str(_code())])
        yield Code(_paths(), is_seen=False)


@_kept_signals()
def _start(folder: str) -> None:
    """Starts a cluster that nobody else can use, and that sends nothing to anybody."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_AUTH_TOKEN", _TOKEN)  # Or one would be kept in the home folder.
    ray.init(
        address="local",
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE,
        log_to_driver=False,
        logging_level="ERROR",
        _temp_dir=folder,
        _system_config={"prestart_worker_first_driver": False},
    )


@_kept_signals()
def _connect(address: str, **environment: Any) -> None:
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env=environment or None,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise errors.UserError(
            "ray.address must be the address of a Ray cluster of which this machine is a node: "
            f"{str(error).splitlines()[0]}",
            example="ray.address = '10.0.0.1:6379'",
            received=address,
            setting="ray.address",
        ) from error


def _code() -> pathlib.Path:
    return pathlib.Path(exporter.__file__).resolve().parent


def _paths() -> list[str]:
    """Where this process finds modules that do not belong to its Python."""
    own = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    archive = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    return [
        os.path.abspath(path)
        for path in sys.path
        if not {os.path.realpath(path), os.path.dirname(os.path.realpath(path))} & own
        and os.path.basename(path) != archive
    ]


def _sees_code() -> bool:
    """Whether each node of the cluster has the code that runs here, under the same path."""
    import ray
    from ray.util import scheduling_strategies

    look = _look()
    code = str(_code())
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    looked = [
        ray.remote(look)
        .options(
            num_cpus=0,
            scheduling_strategy=scheduling_strategies.NodeAffinitySchedulingStrategy(
                node, soft=False
            ),
        )
        .remote(code)
        for node in nodes
    ]
    try:
        return set(ray.get(looked, timeout=_SECONDS)) == {look(code)}
    except ray.exceptions.RayError:
        return False


def _look() -> Callable[[str], str]:
    """Returns a function that Ray sends as it is, since a node may lack this module."""

    def digest(folder: str) -> str:
        import hashlib
        import pathlib

        found = hashlib.sha256()
        for path in sorted(pathlib.Path(folder).rglob("*.py")):
            found.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
        return found.hexdigest()

    return digest


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="ray-", dir=_TEMPORARY)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # Ray's processes are about to end.


@contextlib.contextmanager
def _kept_environment() -> Iterator[None]:
    """While open, environment variables may be set, by Ray as well."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
