"""`.venv` as a repository: its interpreter as the toolchain, a py_library a locked package.

Each layer over it (`.venv-GROUP`) is a repository of its own.
"""

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

_LAYER_BUILD = """
exports_files(["pyvenv.cfg"])

py_library(
    name = "packages",
    # One link to the folder, not one for each file.
    data = ["site-packages"],
    imports = ["site-packages"],
    visibility = ["//visibility:public"],
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

def _installed(lock, name):
    """Returns the folder of the environment NAME, which must be installed."""
    environment = lock.dirname.get_child(name)
    if not environment.get_child("installed.stamp").exists:
        fail("There is no Python environment in %s yet: run `make %s` in %s." %
             (environment, name, lock.dirname))
    return environment

def _write_packages(repository_ctx, stanzas, elsewhere = {}, deps = []):
    """Writes a target for each package of a lock.

    Args:
      repository_ctx: Where.
      stanzas: The lines of each package.
      elsewhere: The labels of those that have a target already.
      deps: What each depends on beside other packages.
    """
    dependencies = {name: list(deps) for name in stanzas}
    for name, stanza in stanzas.items():
        for dependent in _dependents(stanza):
            if dependent in dependencies:
                dependencies[dependent].append(elsewhere.get(name, "//" + _target(name)))
    for name, stanza in stanzas.items():
        if name not in elsewhere:
            target = _target(name)
            content = _PACKAGE_BUILD % (target, sorted(dependencies[name]))
            repository_ctx.file(target + "/BUILD", content)
            repository_ctx.file(target + "/locked.txt", "\n".join(stanza) + "\n")

def _python_environment_impl(repository_ctx):
    lock = repository_ctx.path(repository_ctx.attr.lock)
    environment = _installed(lock, ".venv")
    python = environment.get_child("bin").get_child("python")
    _write_packages(repository_ctx, _stanzas(repository_ctx.read(lock)))
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

def _python_layer_impl(repository_ctx):
    lock = repository_ctx.path(repository_ctx.attr.lock)
    environment = _installed(lock, ".venv-" + repository_ctx.attr.group)
    base = _stanzas(repository_ctx.read(repository_ctx.path(repository_ctx.attr.base_lock)))
    base_labels = {
        name: "@%s//%s" % (repository_ctx.attr.base, _target(name))
        for name in base
    }
    stanzas = _stanzas(repository_ctx.read(lock))
    _write_packages(repository_ctx, stanzas, base_labels, ["//:packages"])
    for python in environment.get_child("lib").readdir():
        repository_ctx.symlink(python.get_child("site-packages"), "site-packages")
    repository_ctx.symlink(environment.get_child("pyvenv.cfg"), "pyvenv.cfg")
    repository_ctx.file("BUILD", _LAYER_BUILD)

python_layer = repository_rule(
    implementation = _python_layer_impl,
    attrs = {
        "base": attr.string(
            default = "pip",
            doc = "The name of the environment's repository.",
        ),
        "base_lock": attr.label(
            default = "//:requirements.lock",
            doc = "What is installed in `.venv`.",
            allow_single_file = True,
        ),
        "group": attr.string(
            doc = "The group of packages, which are installed in `.venv-GROUP`.",
            mandatory = True,
        ),
        "lock": attr.label(
            doc = "`requirements-GROUP.lock`.",
            allow_single_file = True,
            mandatory = True,
        ),
    },
    doc = """A layer over the Python environment, as `make .venv-GROUP` installs it.

Its packages are found by what depends on them, by nothing else. They are targets as those of the
environment are.""",
    local = True,
)
