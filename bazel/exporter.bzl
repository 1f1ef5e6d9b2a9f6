"""Exports as Bazel targets, for this and other workspaces: a test of one, and one as output.

    load("@encoder_exporter//bazel:exporter.bzl", "export_saved_model", "export_test")

    export_test(
        name = "my_bert_test",
        data = glob(["my_run/**"]),
        gin_file = "my_bert.gin",
    )

    export_saved_model(
        name = "my_bert",
        data = glob(["my_run/**"]),
        flags = ["--export_type=model_with_mlm"],
        gin_file = "my_bert.gin",
    )

Relative paths in gin files and flags start at the workspace's root, as `my_package/my_run`; a path
of a generated file or of another repository's is written `$(rootpath LABEL)` in the test's flags
and `$(execpath LABEL)` in the rule's. The exporter's own gin files are found by their names
(`include 'configs/...'`) without being listed.
"""

_ATTRIBUTES = {
    "gin_file": attr.label(
        doc = "The configuration.",
        allow_single_file = [".gin"],
        mandatory = True,
    ),
    "data": attr.label_list(
        doc = "All other files that the export reads: checkpoint, vocabulary, included gin files.",
        allow_files = True,
    ),
    "flags": attr.string_list(
        doc = "More flags for launch.py, applied last.",
    ),
}

# What a build or test must not depend on or leave behind.
_ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    # Or launch.py's own folder, which Python finds through links, would stand for the runfiles.
    "PYTHONSAFEPATH": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}

def _launch(cfg):
    return attr.label(
        default = "//:launch",
        cfg = cfg,
        executable = True,
    )

def _flags(ctx):
    return [ctx.expand_location(flag, ctx.attr.data) for flag in ctx.attr.flags]

def _shell_quoted(word):
    return "'" + word.replace("'", "'\\''") + "'"

_TEST_SCRIPT = """#!/bin/sh
export HOME="$TEST_TMPDIR" TMPDIR="$TEST_TMPDIR"
exec {launch} --gin_file={gin_file} --export_path="$TEST_TMPDIR/export" --verify=full {flags} "$@"
"""

def _export_test_impl(ctx):
    launch = ctx.attr._launch[DefaultInfo]
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(script, _TEST_SCRIPT.format(
        launch = _shell_quoted(launch.files_to_run.executable.short_path),
        gin_file = _shell_quoted(ctx.file.gin_file.short_path),
        flags = " ".join([_shell_quoted(flag) for flag in _flags(ctx)]),
    ), is_executable = True)

    runfiles = ctx.runfiles(files = [ctx.file.gin_file] + ctx.files.data)
    for dependency in [ctx.attr._launch] + ctx.attr.data:
        runfiles = runfiles.merge(dependency[DefaultInfo].default_runfiles)
    return [
        DefaultInfo(executable = script, runfiles = runfiles),
        testing.TestEnvironment(_ENVIRONMENT),
    ]

_export_test = rule(
    implementation = _export_test_impl,
    attrs = dict(_ATTRIBUTES, _launch = _launch("target")),
    doc = "See `export_test`.",
    test = True,
)

def export_test(name, gin_file, data = [], flags = [], size = "medium", **kwargs):
    """Tests that a configuration exports, and that what was exported passes full verification.

    Args:
      name: The test's name.
      gin_file: The configuration. Its `--export_path` is set to scratch space.
      data: All other files that the export reads.
      flags: More flags for launch.py, applied last.
      size: Bazel's test size.
      **kwargs: What any test takes: `tags`, `timeout`, ...
    """
    _export_test(
        name = name,
        data = data,
        flags = flags,
        gin_file = gin_file,
        size = size,
        **kwargs
    )

def _export_saved_model_impl(ctx):
    export = ctx.actions.declare_directory(ctx.label.name)
    record = ctx.actions.declare_directory(ctx.label.name + ".record")
    arguments = ctx.actions.args()
    arguments.add(ctx.file.gin_file, format = "--gin_file=%s")
    arguments.add_all([export], expand_directories = False, format_each = "--export_path=%s")
    # Bazel has made both directories, empty, before the action starts.
    arguments.add("--overwrite")
    arguments.add_all(_flags(ctx))
    ctx.actions.run(
        executable = ctx.executable._launch,
        arguments = [arguments],
        inputs = [ctx.file.gin_file] + ctx.files.data,
        outputs = [export, record],
        env = _ENVIRONMENT,
        mnemonic = "ExportSavedModel",
        progress_message = "Exporting %s" % ctx.label,
    )
    return [
        DefaultInfo(
            files = depset([export]),
            runfiles = ctx.runfiles(files = [export]),
        ),
        OutputGroupInfo(record = depset([record])),
    ]

export_saved_model = rule(
    implementation = _export_saved_model_impl,
    attrs = dict(_ATTRIBUTES, _launch = _launch("exec")),
    doc = """Exports a configuration to the directory `NAME` in Bazel's output tree.

The export, verified, is the target's output, for other rules' `srcs` or `data`. The folder that
records its configuration is in the output group `record`
(`bazel build --output_groups=+record ...`).""",
)
