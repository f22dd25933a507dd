#!/bin/bash
# Starling: the adapter is ../starling.sh, the daemon BIN or the checkout's release build.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
BIN=${BIN:-${CARGO_TARGET_DIR:-$here/../../../target}/release/starlingd}
. "$here/../starling.sh"
main "$@"
