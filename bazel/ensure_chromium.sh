#!/bin/sh
# Installs Chromium, which some tests look at pages with, where it is missing and Debian's apt-get
# can. Where neither is so, these tests are skipped.
set -eu

if command -v chromium > /dev/null || "$(dirname "$0")/apt_get_install.sh" chromium; then
    exit 0
fi
echo >&2 "Chromium is missing (Debian: apt-get install chromium): tests that need a browser are" \
    "skipped."
