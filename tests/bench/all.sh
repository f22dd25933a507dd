#!/bin/bash
# What `make bench` runs: every case against every peer that is installed, one after the other,
# the whole round REPS times, so that a slow minute of the machine falls on all of them.
#
#   REPS=3 PEERS="starling bird frr" CASES="a e" GROWTH=1 ./all.sh
#
# Lines of JSON go to results/DATE.jsonl (or OUT), a line each is told to people on stderr.
# A peer that took more than SLOW (30) seconds for a case is not asked for it again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
REPS=${REPS:-3} SLOW=${SLOW:-30}
CASES=${CASES:-a b c e flap react-sink react-kernel g f50 f100}
export OUT=${OUT:-$here/results/$(date +%Y%m%dT%H%M%S).jsonl}
mkdir -p "$(dirname "$OUT")"

installed() {
    case $1 in
    starling | relay) true ;;
    bird) [ -x /usr/sbin/bird ] ;;
    frr) [ -x /usr/lib/frr/bgpd ] ;;
    openbgpd) [ -x /usr/sbin/bgpd ] ;;
    gobgp) command -v gobgpd >/dev/null ;;
    *) [ -n "${BIN:-}" ] ;;
    esac
}
# What a peer does not have is left out: no kernel routes (openbgpd, gobgp, relay), no mesh.
offers() {
    case $1/$2 in
    e/openbgpd | e/gobgp | e/relay | react-kernel/openbgpd | react-kernel/gobgp) false ;;
    react-kernel/relay | g/relay | f*/relay | f*/openbgpd | f*/gobgp | f100/frr) false ;;
    flap/* | grow-*) [ "$2" = starling ] || [ "$2" = bird ] ;;
    *) true ;;
    esac
}
one() { # CASE PEER
    case $1 in
    react-sink) LABEL=$1/$2 P=1 ./bench.sh a "$2" ;;
    react-kernel) LABEL=$1/$2 P=1 ./bench.sh e "$2" ;;
    f*) ./mesh.sh "$2" "${1#f}" --idle 5 --settle 2 ;;
    grow-prefixes-*) LABEL=$1/$2 P=${1##*-} ./bench.sh a "$2" ;;
    grow-peers-*) LABEL=$1/$2 P=10000 M=${1##*-} ./bench.sh c "$2" ;;
    grow-nodes-*) ./mesh.sh "$2" "${1##*-}" --idle 1 --settle 1 ;;
    netlink) limit ;;
    *) ./bench.sh "$1" "$2" ;;
    esac
}
# The kernel's own limit for case e: the same routes, batched, nothing else.
limit() {
    ip netns add bb-limit
    trap 'ip netns del bb-limit' RETURN
    ip -n bb-limit link add nl0 type veth peer name nl1
    ip -n bb-limit addr add 10.255.0.1/16 dev nl0
    ip -n bb-limit link set nl0 up
    ip -n bb-limit link set nl1 up
    target/release/bgpbench netlink --ns bb-limit --dev nl0 --via 10.255.0.2 \
        --prefixes 200000 --batch 256 | tee -a "$OUT"
}

peers=""
for peer in ${PEERS:-starling bird frr openbgpd gobgp relay}; do
    if installed "$peer"; then peers="$peers $peer"; else echo "not installed, left out: $peer" >&2; fi
done
growth=""
if [ "${GROWTH:-1}" = 1 ]; then
    growth="grow-prefixes-10000 grow-prefixes-30000 grow-prefixes-100000 grow-prefixes-300000 grow-prefixes-1000000
        grow-peers-10 grow-peers-30 grow-peers-100 grow-peers-300 grow-peers-1000
        grow-nodes-10 grow-nodes-30 grow-nodes-100 grow-nodes-200"
fi
declare -A slow
for ((rep = 1; rep <= REPS; rep++)); do
    for case in $CASES $growth; do
        for peer in $peers; do
            offers "$case" "$peer" && [ -z "${slow[$case/$peer]:-}" ] || continue
            began=$SECONDS
            if one "$case" "$peer" >/dev/null; then said=done; else said="FAILED"; fi
            took=$((SECONDS - began))
            [ $took -le "$SLOW" ] || [ "$case" = g ] || slow[$case/$peer]=1
            echo "round $rep of $REPS: $case $peer $said in $took s" >&2
        done
        [ "$case" != e ] || limit >/dev/null
    done
done
echo "$OUT"
