#!/bin/sh
# Installs packages where Debian's apt-get can and nobody must be asked; fails elsewhere.
set -eu

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
fi
command -v apt-get > /dev/null
# Without a terminal nobody can answer sudo's question for a password.
[ -z "$as_root" ] || [ -t 0 ] || sudo -n true 2> /dev/null
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "$@"
