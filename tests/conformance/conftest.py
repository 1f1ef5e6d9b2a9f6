"""One export of each golden case, shared by all tests of this folder."""

from __future__ import annotations

import functools

import pytest

from tests import testing
from tests.conformance import exports


@pytest.fixture(scope="session")
def export_golden(
    tmp_path_factory: pytest.TempPathFactory,
) -> exports.ExportCase:
    """Returns a function that exports a case when it is first asked to."""
    folder = tmp_path_factory.mktemp(exports.MARKER)

    @functools.cache
    def export_once(case: testing.Case) -> exports.Export:
        return exports.export(case, folder / case.name)

    return export_once
