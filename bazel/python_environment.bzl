"""`.venv` as a repository: its interpreter as the toolchain, a py_library a locked package."""

_BUILD = """
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

exports_files(["pyvenv.cfg"])

py_runtime(
    name = "python",
    interpreter_path = %r,
    python_version = "PY3",
    stub_shebang = %r,
)

py_runtime_pair(
    name = "runtimes",
    py3_runtime = ":python",
)

toolchain(
    name = "toolchain",
    toolchain = ":runtimes",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
"""

_PACKAGE_BUILD = """
# The code stays in the environment, where the interpreter finds it. What is here makes a target
# that depends on the package run again when another version of it is locked.
py_library(
    name = %r,
    data = [
        "locked.txt",
        "//:pyvenv.cfg",
    ],
    visibility = ["//visibility:public"],
    deps = %r,
)
"""

def _stanzas(lock):
    """Returns the lines of each package by its name, of a lock as `uv pip compile` writes it."""
    stanzas = {}
    name = None
    for line in lock.splitlines():
        if not line or line.startswith("#"):
            continue
        if not line.startswith(" "):
            name = line.split("==")[0].split("[")[0]
            stanzas[name] = []
        stanzas[name].append(line)
    return stanzas

def _dependents(stanza):
    """Returns the names of the packages which a stanza's "via" comment tells need it."""
    names = []
    for line in stanza:
        text = line.strip()
        if text.startswith("#"):
            text = text[1:].strip()
            if text.startswith("via"):
                text = text[len("via"):].strip()
            names.append(text)
    return names

def _target(name):
    return name.lower().replace("-", "_").replace(".", "_")

def _python_environment_impl(repository_ctx):
    lock = repository_ctx.path(repository_ctx.attr.lock)
    environment = lock.dirname.get_child(".venv")
    python = environment.get_child("bin").get_child("python")
    if not (python.exists and environment.get_child("installed.stamp").exists):
        fail("There is no Python environment in %s yet: run `make .venv` in %s." %
             (environment, lock.dirname))

    stanzas = _stanzas(repository_ctx.read(lock))
    dependencies = {name: [] for name in stanzas}
    for name, stanza in stanzas.items():
        for dependent in _dependents(stanza):
            if dependent in dependencies:
                dependencies[dependent].append(name)
    for name, stanza in stanzas.items():
        target = _target(name)
        deps = ["//" + _target(dependency) for dependency in sorted(dependencies[name])]
        repository_ctx.file(target + "/BUILD", _PACKAGE_BUILD % (target, deps))
        repository_ctx.file(target + "/locked.txt", "\n".join(stanza) + "\n")
    repository_ctx.symlink(environment.get_child("pyvenv.cfg"), "pyvenv.cfg")
    repository_ctx.file("BUILD", _BUILD % (str(python), "#!" + str(python)))

python_environment = repository_rule(
    implementation = _python_environment_impl,
    attrs = {
        "lock": attr.label(
            default = "//:requirements.lock",
            doc = "What is installed in `.venv` beside it.",
            allow_single_file = True,
        ),
    },
    doc = """The project's one Python environment, as `make .venv` installs it.

Nothing is installed or copied here. Each locked package is a target `@NAME//PACKAGE`, with the
packages that it needs as `deps`.""",
    local = True,
)
