"""One library and one test for each module, with their settings in one place."""

_PYTEST_MAIN = "//tests:pytest_main.py"

def exporter_library(name, deps = [], **kwargs):
    """A module of the exporter, its tests' helpers or its tools: `NAME.py`.

    Args:
      name: The module's name.
      deps: All that it imports: other modules, and packages as `@pip//PACKAGE`.
      **kwargs: Passed to `py_library`: `data`, `testonly`, ...
    """
    native.py_library(
        name = name,
        srcs = [name + ".py"],
        srcs_version = "PY3",
        deps = ["//exporter"] + deps,
        **kwargs
    )

def exporter_test(name, srcs = None, deps = [], data = [], size = "medium", tags = [], **kwargs):
    """Runs `NAME.py` with pytest.

    Args:
      name: The test file's name without `.py`: that of the module under test, and `_test`.
      srcs: In its place, test files that share what is costly to make: they run in one process.
      deps: All that it imports: modules of the exporter, test helpers, `@pip//PACKAGE`.
      data: Files that it reads.
      size: "small" for less than a minute and without TensorFlow, "medium" up to 5 minutes, "large"
        up to 15.
      tags: Bazel's tags, e.g. "exclusive" for what measures time.
      **kwargs: Passed to `py_test`.
    """
    files = srcs or [name + ".py"]
    native.py_test(
        name = name,
        size = size,
        srcs = files + [_PYTEST_MAIN],
        args = ["$(location %s)" % file for file in files],
        data = ["//:pyproject.toml"] + data,
        main = _PYTEST_MAIN,
        python_version = "PY3",
        srcs_version = "PY3",
        tags = tags,
        deps = [
            "//tests:conftest",
            "@pip//pytest",
        ] + deps,
        **kwargs
    )
