#!/bin/bash
# Starling: the adapter is ../starling.sh, the daemon BIN or the checkout's release build.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
# STARLING names it where BIN would name every peer.
BIN=${STARLING:-${BIN:-${CARGO_TARGET_DIR:-$here/../../../target}/release/starlingd}}
. "$here/../starling.sh"
main "$@"
