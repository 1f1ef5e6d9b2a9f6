#!/bin/sh
# Installs Bazel where it is missing and Debian's apt-get can; elsewhere says how to get it.
set -eu

if command -v bazel > /dev/null; then
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
fi
# Without a terminal nobody can answer sudo's question for a password.
if command -v apt-get > /dev/null && { [ -z "$as_root" ] || [ -t 0 ] || sudo -n true; } 2> /dev/null
then
    if $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends bazel-bootstrap
    then
        exit 0
    fi
fi
echo >&2 "Bazel is missing. Install version 4.2.3 (Debian: apt-get install bazel-bootstrap;" \
    "elsewhere: Bazelisk, started as 'bazel'), or run the tests without it: make pytest"
exit 1
