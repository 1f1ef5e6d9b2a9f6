"""The outside repositories: the Python environment, and answers to what Bazel would download."""

load(":python_environment.bzl", "python_environment", "python_layer")

def _written_repository_impl(repository_ctx):
    repository_ctx.file("WORKSPACE", "workspace(name = %r)\n" % repository_ctx.name)
    for path, content in repository_ctx.attr.files.items():
        repository_ctx.file(path, content)

_written_repository = repository_rule(
    implementation = _written_repository_impl,
    attrs = {
        "files": attr.string_dict(
            doc = "Contents by path.",
            mandatory = True,
        ),
    },
    doc = "A repository of a few small files, given here.",
)

# The layers over the environment that tests use: "GROUP" is `@pip_GROUP`, from `.venv-GROUP`.
_LAYERS = ["evaluate", "ray"]

_CC_RULES = ["cc_binary", "cc_import", "cc_library", "cc_proto_library", "cc_test"]
_CC_TOOLCHAINS = ["cc_toolchain", "cc_toolchain_suite"]
_OBJC_RULES = ["objc_library"]
_JAVA_RULES = ["java_binary", "java_import", "java_library", "java_test"]
_JAVA_TOOLCHAINS = ["java_runtime", "java_toolchain"]

def _native_rules(names):
    return "".join(["%s = native.%s\n" % (name, name) for name in names])

_NOT_USED = """
sh_binary(
    name = "%s",
    srcs = ["not_used.sh"],
    visibility = ["//visibility:public"],
)
"""

def exporter_repositories(python_environment_name = "pip"):
    """Declares everything that the exporter's targets need; downloads nothing.

    Bazel 4's own tools load rules_cc and rules_java, and every test names remote_coverage_tools.
    Python targets use nothing of the three. A WORKSPACE that has the real ones declares them
    first.

    Args:
      python_environment_name: The name of the repository of `.venv`. The exporter's own BUILD
        files call it `pip`; in another workspace it can have a second name as well.
    """
    if not native.existing_rule("rules_cc"):
        _written_repository(
            name = "rules_cc",
            files = {
                "cc/BUILD": "",
                "cc/defs.bzl": _native_rules(_CC_RULES + _CC_TOOLCHAINS + _OBJC_RULES),
            },
        )
    if not native.existing_rule("rules_java"):
        _written_repository(
            name = "rules_java",
            files = {
                "java/BUILD": "",
                "java/defs.bzl": _native_rules(_JAVA_RULES + _JAVA_TOOLCHAINS),
            },
        )
    if not native.existing_rule("remote_coverage_tools"):
        _written_repository(
            name = "remote_coverage_tools",
            files = {
                "BUILD": _NOT_USED % "coverage_report_generator" + _NOT_USED % "lcov_merger",
                "not_used.sh": "echo >&2 'Coverage is not supported.'; exit 1\n",
            },
        )
    if not native.existing_rule(python_environment_name):
        python_environment(name = python_environment_name)
    for group in _LAYERS:
        name = "%s_%s" % (python_environment_name, group)
        if not native.existing_rule(name):
            python_layer(
                name = name,
                base = python_environment_name,
                group = group,
                lock = Label("//:requirements-%s.lock" % group),
            )
    native.register_toolchains("@%s//:toolchain" % python_environment_name)
