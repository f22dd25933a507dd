#!/bin/bash
# One measurement: bench.sh CASE PEER  -> a JSON line on stdout (and in $OUT if set)
# Cases: a b c e g flap drop, late show slow churn (README.md); d is part of a.
# Size by environment: P, N, M. BESIDE: a command of bgpctl that runs meanwhile, again and again.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
BB=$HERE/target/release/bgpbench
CASE=$1 PEER=$2
export NS=${NS:-bb-dut} DIR=${DIR:-/tmp/bgpbench-run/$PEER}
GEN=${GEN:-bb-gen}
S="$HERE/peers/$PEER.sh"
. <(sed -n '/^sink_addr/p' "$HERE/peers/lib.sh")
extra=""
case $CASE in
a) P=${P:-1000000} INJ=${N:-1} SINKS=${M:-1} extra="--withdraw" ;;
flap) P=${P:-1000000} INJ=${N:-1} SINKS=${M:-1} extra="--flap 10" ;;
drop) P=${P:-1000000} INJ=${N:-1} SINKS=${M:-1} extra="--drop" ;;
b) P=${P:-100000} INJ=${N:-10} SINKS=${M:-1} ;;
c) P=${P:-100000} INJ=${N:-1} SINKS=${M:-50} extra="--withdraw" ;;
e) P=${P:-200000} INJ=${N:-1} SINKS=${M:-0} FIB=1 extra="--withdraw --fib-ns $NS --fib-proto $($S fibproto)" ;;
g) P=${P:-1} INJ=${N:-0} SINKS=${M:-50} extra="--idle ${IDLE:-60} --hold 90 --no-announce --settle 5000" ;;
late) P=${P:-1000000} INJ=${N:-1} SINKS=${M:-1} PROBE=10.255.3.1 extra="--withdraw --probe 10.255.3.1" ;;
show) P=${P:-1000000} INJ=${N:-1} SINKS=${M:-1} extra="--reader" ;;
slow) P=${P:-200000} INJ=${N:-1} SINKS=${M:-1} SLOW=${SLOW:-1} extra="--slow $SLOW --churn 20 --for ${SECONDS_OF_SLOW:-20}" ;;
churn) P=${P:-1000000} INJ=${N:-1} SINKS=${M:-1} extra="--churn 20 --for ${FLAP_SECONDS:-300}" ;;
*) echo "unknown case $CASE" >&2; exit 2 ;;
esac
# A few hundred private AS numbers have two octets.
[ $SINKS -le 400 ] || export SINK_AS=4200000001
# Those that read slowly are neighbours like the sinks, after them.
FAST=$SINKS SINKS=$((SINKS + ${SLOW:-0}))
export INJ SINKS FIB=${FIB:-0} PROBE=${PROBE:-}
. "$HERE/arp.sh"
cleanup() {
    [ -z "${beside:-}" ] || kill -- -"$beside" || true
    "$S" stop || true; arp_back; ip netns del $NS 2>/dev/null || true; ip netns del $GEN 2>/dev/null || true
}
trap cleanup EXIT
cleanup
[ $SINKS -le 400 ] || arp_room
mkdir -p "$DIR"
ip netns add $NS; ip netns add $GEN
ip link add dut0 netns $NS type veth peer name gen0 netns $GEN
ip -n $NS link set lo up; ip -n $GEN link set lo up
ip -n $NS addr add 10.255.0.1/16 dev dut0; ip -n $NS link set dut0 up
ip -n $GEN link set gen0 up
{
    for ((i = 1; i <= INJ; i++)); do echo "addr add 10.255.1.$i/16 dev gen0"; done
    for ((i = 0; i < SINKS; i++)); do echo "addr add $(sink_addr $i)/16 dev gen0"; done
    [ -z "$PROBE" ] || echo "addr add $PROBE/16 dev gen0"
} | ip -n $GEN -batch -
"$S" start
beside=
if [ -n "${BESIDE:-}" ]; then
    # setsid: it ends with all that it has started.
    setsid bash -c "while :; do $("$S" bgpctl) $BESIDE >/dev/null 2>&1 || sleep 0.1; done" &
    beside=$!
fi
READER=
[ "$CASE" != show ] || READER=$("$S" reader)
[ "$PEER" = relay ] && extra="$extra --prepend 0"
ip netns exec $GEN ${PIN:+taskset -c $PIN} timeout ${LIMIT:-400} "$BB" run --label "${LABEL:-$CASE/$PEER}" --prefixes $P --injectors $INJ --sinks $FAST ${SINK_AS:+--sink-as $SINK_AS} \
    --pids "$("$S" pids)" --timeout ${TIMEOUT:-150} $extra ${READER:+"$READER"} ${MORE:-} | tee -a "${OUT:-/dev/null}"
