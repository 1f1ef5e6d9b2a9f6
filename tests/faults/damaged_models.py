"""Exports that are damaged and then verified, with the manifest of their digests and without.

Verification must end with status 3 or 2 and name the damaged file, whatever TensorFlow makes of it.
It may pass where nothing knows better: a file that nothing reads ("no matter"), or one that is
valid and says something else, without a manifest or being itself the manifest ("other").
"""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence

from tests.faults import damages, running

_SECONDS = 300
_MEGABYTES = 1200
_MANIFEST = "assets.extra/export_manifest.json"
_ENCODER = (
    "saved_model.pb",
    "fingerprint.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00002",
    "assets/vocab.txt",
)
_PREPROCESSING = ("saved_model.pb", "assets/vocab.txt", "assets/wordpiece_trie.zlib")
# As others publish them: without a manifest, and the second without a fingerprint, too.
_FOREIGN = {"foreign_encoder": "encoder", "foreign_preprocessing": "preprocessing"}


class Examiner:
    """Damages exports, verifies them and says what came of it."""

    files: Sequence[str] = (
        *(f"encoder/{name}" for name in (*_ENCODER, _MANIFEST)),
        *(f"preprocessing/{name}" for name in (*_PREPROCESSING, _MANIFEST)),
        *(f"foreign_encoder/{name}" for name in _ENCODER),
        *(f"foreign_preprocessing/{name}" for name in _PREPROCESSING),
        "encoder.record/README.md",
    )

    def __init__(self, folder: pathlib.Path) -> None:
        """Will write to a folder."""
        self._intact = folder / "intact"
        self._damaged = folder / "damaged"

    def outcome(self, case: damages.Case) -> tuple[str, running.Ended]:
        """Damages a file and verifies.

        Returns:
          What came of it, and how it ended.

        Raises:
          AssertionError: The damage is not told, or told badly.
        """
        if not self._intact.exists():
            self._export()
        shutil.rmtree(self._damaged, ignore_errors=True)
        shutil.copytree(self._intact, self._damaged)
        case.inflict(self._damaged)
        model, _, name = case.file.partition("/")
        path = self._damaged / model.removesuffix(".record")
        ended = running.run(["--mode=verify", f"--export_path={path}"], seconds=_SECONDS)
        assert "Traceback" not in ended.told, ended.told
        assert ended.peak_mb < _MEGABYTES, f"{ended.peak_mb} MB"
        if ended.status == 0:
            assert model not in ("encoder", "preprocessing") or name == _MANIFEST, ended.told
            return damages.OTHER if path.name == model else damages.NO_MATTER, ended
        assert ended.status in (2, 3), f"status {ended.status}: {ended.told}"
        assert ended.told.count("error: ") == 1, ended.told
        assert pathlib.PurePath(name).name in ended.told, ended.told
        return damages.TOLD, ended

    def _export(self) -> None:
        for kind, name in (("model", "encoder"), ("preprocessing", "preprocessing")):
            ended = running.run(
                [*running.flags(kind, self._intact / name, 0), "--verify=off"], seconds=_SECONDS
            )
            assert ended.status == 0, ended.told
        for foreign, name in _FOREIGN.items():
            shutil.copytree(self._intact / name, self._intact / foreign)
            (self._intact / foreign / _MANIFEST).unlink()
        (self._intact / "foreign_preprocessing" / "fingerprint.pb").unlink()
