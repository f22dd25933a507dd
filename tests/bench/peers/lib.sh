# Shared by the peers' scripts. Each peers/NAME.sh defines:
#   conf           write the configuration into $DIR
#   launch         start the daemon(s) in $NS with `spawn NAME COMMAND...`
#   version        one line
#   fibproto       the protocol number its kernel routes carry (empty: has no FIB)
#   mesh_conf I K  write $DIR/I/* for node I of a K-node iBGP mesh   (optional)
#   mesh_cmd       the command of node {i}, several with ' ;; '      (optional)
#   reader         the command that prints the whole table               (optional)
# $PROBE, if set, is one more neighbour (AS 64999, told nothing): hold time 3 s, BFD each 100 ms.
# and ends with `main "$@"`.
set -eu
NS=${NS:-bb-dut} DIR=${DIR:-/tmp/bgpbench-run} AS=${AS:-65000} ADDR=${ADDR:-10.255.0.1}
INJ=${INJ:-1} SINKS=${SINKS:-1} INJ_AS=${INJ_AS:-65101} SINK_AS=${SINK_AS:-64601} FIB=${FIB:-0}

# Calls `f ADDRESS AS NAME` for every neighbour.
each_peer() {
    local i
    for ((i = 0; i < INJ; i++)); do "$1" "10.255.1.$((i + 1))" $((INJ_AS + i)) "inj$i"; done
    for ((i = 0; i < SINKS; i++)); do "$1" "$(sink_addr $i)" $((SINK_AS + i)) "sink$i"; done
}
# Address of sink I, counted from 0: 10.255.2.1 and on, over the borders of octets.
sink_addr() { echo "10.255.$((2 + ($1 + 1) / 256)).$((($1 + 1) % 256))"; }
# Starts a process in the namespace and notes its pid.
spawn() {
    local name=$1; shift
    setsid ip netns exec "$NS" "$@" >"$DIR/$name.log" 2>&1 </dev/null &
    echo $! >>"$DIR/pids"
}
descend() { local p; for p in "$@"; do echo "$p"; descend $(cat /proc/"$p"/task/*/children 2>/dev/null || true); done; }
stop() {
    [ -f "$DIR/pids" ] || return 0
    local all p n=0
    all=$(descend $(cat "$DIR/pids"))
    for p in $(tac "$DIR/pids"); do kill "$p" 2>/dev/null || true; done
    while [ $n -lt 200 ]; do
        local left=""
        for p in $all; do [ -d /proc/"$p" ] && ! grep -q '^State:.Z' /proc/"$p"/status 2>/dev/null && left="$left $p"; done
        [ -z "$left" ] && break
        sleep 0.05; n=$((n + 1))
    done
    [ -n "${left:-}" ] && kill -9 $left 2>/dev/null || true
    rm -f "$DIR/pids"
}
main() {
    case ${1:-} in
    start) mkdir -p "$DIR"; stop; conf; launch; sleep 1; ;;
    pids) descend $(cat "$DIR/pids") | paste -sd, ;;
    stop) stop ;;
    version) version ;;
    fibproto) fibproto ;;
    reader) reader ;;
    bgpctl) bgpctl ;;
    mesh-conf) mesh_conf "$2" "$3" ;;
    mesh-cmd) mesh_cmd ;;
    *) echo "usage: $0 start|pids|stop|version|fibproto|mesh-conf I K|mesh-cmd" >&2; exit 2 ;;
    esac
}
# Address of mesh node I, and its /26 block.
node_addr() { echo "10.254.$(($1 / 200)).$(($1 % 200 + 1))"; }
node_block() { echo "10.65.$(($1 / 4)).$(($1 % 4 * 64))/26"; }
