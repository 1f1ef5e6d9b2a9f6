#!/bin/sh
# Installs Bazel where it is missing and Debian's apt-get can; elsewhere says how to get it.
set -eu

if command -v bazel > /dev/null || "$(dirname "$0")/apt_get_install.sh" bazel-bootstrap; then
    exit 0
fi
echo >&2 "Bazel is missing. Install version 4.2.3 (Debian: apt-get install bazel-bootstrap;" \
    "elsewhere: Bazelisk, started as 'bazel'), or run the tests without it: make pytest"
exit 1
