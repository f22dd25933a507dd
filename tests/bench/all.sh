#!/bin/bash
# What `make bench` runs: every case against every peer that is installed, one after the other,
# the whole round REPS times, so that a slow minute of the machine falls on all of them.
#
#   REPS=3 PEERS="starling bird frr" CASES="a e" GROWTH=1 ./all.sh
#   PLAN=1 ./all.sh       says what it would do, and how long that would take
#
# Lines of JSON go to results/DATE.jsonl (or OUT), what happens is told to people on stderr.
# FRR, OpenBGPD and GoBGP take minutes where the others take seconds: they run in the first round
# only, and the table says so. What goes beyond the table (BEYOND=0 leaves it out) and how cost
# grows (only with GROWTH=1) is measured in the first round too.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
REPS=${REPS:-3}
CASES=${CASES:-a b c e flap react-sink react-kernel g f50 f100}
export OUT=${OUT:-$here/results/$(date +%Y%m%dT%H%M%S).jsonl} IDLE=${IDLE:-60} FLAP_SECONDS=${FLAP_SECONDS:-300}
mkdir -p "$(dirname "$OUT")"
BEYOND_CASES="late show slow churn peers-50 peers-1000 idle-1000"
GROWTH_CASES="grow-prefixes-10000 grow-prefixes-30000 grow-prefixes-100000 grow-prefixes-300000 grow-prefixes-1000000
    grow-peers-10 grow-peers-30 grow-peers-100 grow-peers-300 grow-peers-1000
    grow-nodes-10 grow-nodes-30 grow-nodes-100 grow-nodes-200"
once="$([ "${BEYOND:-1}" != 1 ] || echo "$BEYOND_CASES") $([ "${GROWTH:-0}" != 1 ] || echo "$GROWTH_CASES")"

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
    show/* | churn/* | idle-*) [ "$2" = starling ] ;;
    flap/* | grow-* | late/* | slow/* | peers-*)
        [ "$2" = starling ] || [ "$2" = bird ] ;;
    *) true ;;
    esac
}
slow() { [ "$1" = frr ] || [ "$1" = openbgpd ] || [ "$1" = gobgp ]; }
# Seconds that it takes, about, on two cores of 2020.
estimate() {
    case $1/$2 in
    a/gobgp) echo 125 ;; b/gobgp) echo 125 ;; c/gobgp) echo 70 ;;
    a/openbgpd | a/frr) echo 30 ;; b/* | c/frr | c/openbgpd) echo 16 ;;
    a/* | c/* | e/* | flap/*) echo 12 ;; react-*) echo 7 ;;
    f50/frr) echo 45 ;; f50/*) echo 17 ;; f100/*) echo 32 ;;
    late/* | slow/*) echo 30 ;; show/*) echo 60 ;; churn/*) echo $((FLAP_SECONDS + 12)) ;;
    peers-50/*) echo 10 ;; peers-1000/bird) echo 60 ;; peers-1000/*) echo 20 ;; idle-*) echo $((IDLE + 15)) ;;
    grow-prefixes-*) echo 10 ;; grow-peers-*) echo 20 ;; grow-nodes-*) echo 35 ;;
    *) echo 0 ;;
    esac
}
one() { # CASE PEER
    case $1 in
    react-sink) LABEL=$1/$2 P=1 ./bench.sh a "$2" ;;
    react-kernel) LABEL=$1/$2 P=1 ./bench.sh e "$2" ;;
    f*[0-9]) ./mesh.sh "$2" "${1#f}" --idle 5 --settle 2 ;;
    grow-prefixes-*) LABEL=$1/$2 P=${1##*-} ./bench.sh a "$2" ;;
    grow-peers-*) LABEL=$1/$2 P=10000 M=${1##*-} ./bench.sh c "$2" ;;
    grow-nodes-*) ./mesh.sh "$2" "${1##*-}" --idle 1 --settle 1 ;;
    peers-*) LABEL=$1/$2 P=10000 M=${1##*-} ./bench.sh c "$2" ;;
    idle-*) LABEL=$1/$2 M=${1##*-} ./bench.sh g "$2" ;;
    # Past a minute it is only of interest that it is past a minute.
    c) TIMEOUT=$([ "$2" = gobgp ] && echo 60 || echo 150) ./bench.sh c "$2" ;;
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
# Idle daemons disturb nobody: a minute for all of them, each in its own namespaces.
idle() { # PEER...
    local peer part=$OUT.idle
    mkdir -p "$part"
    for peer in "$@"; do
        NS=${NS:-bb-dut}-$peer GEN=${GEN:-bb-gen}-$peer OUT=$part/$peer ./bench.sh g "$peer" >/dev/null &
    done
    wait
    cat "$part"/* >>"$OUT"
    rm -r "$part"
}
say() { echo "$(date +%H:%M:%S) $*" >&2; }

peers=""
for peer in ${PEERS:-starling bird frr openbgpd gobgp relay}; do
    if installed "$peer"; then peers="$peers $peer"; else say "not installed, left out: $peer"; fi
done
# The whole plan first, a line a measurement: ROUND CASE PEER...
plan=$(
    for ((rep = 1; rep <= REPS; rep++)); do
        for case in $CASES $([ "$rep" != 1 ] || echo "$once"); do
            all=""
            for peer in $peers; do
                offers "$case" "$peer" && { [ "$rep" = 1 ] || ! slow "$peer"; } || continue
                all="$all $peer"
            done
            [ -n "$all" ] || continue
            if [ "$case" = g ]; then echo "$rep g$all"; else for peer in $all; do echo "$rep $case $peer"; done; fi
            [ "$case" != e ] || echo "$rep limit kernel"
        done
    done
)
total=0
while read -r rep case list; do
    if [ "$case" = g ]; then total=$((total + IDLE + 12)); else total=$((total + $(estimate "$case" "$list"))); fi
done <<<"$plan"
say "$(wc -l <<<"$plan") measurements, about $(((total + 59) / 60)) minutes; results go to $OUT"
[ "${PLAN:-0}" != 1 ] || { echo "$plan"; exit; }
began=$SECONDS at=0
while read -r rep case list <&3; do
    at=$((at + 1)) since=$SECONDS said=done
    case $case in
    g) idle $list ;;
    limit) limit >/dev/null || said=FAILED ;;
    *) one "$case" "$list" >/dev/null || said=FAILED ;;
    esac
    say "$at: round $rep of $REPS: $case $list $said in $((SECONDS - since)) s"
done 3<<<"$plan"
say "all of it took $(((SECONDS - began + 59) / 60)) minutes"
echo "$OUT"
