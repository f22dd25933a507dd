#!/bin/sh
# What systemd does with these units where a page says `systemctl`: systemctl VERB [--now] UNIT.
# A walk's hosts are namespaces, without an init of their own.
set -eu
verb=$1 unit=$2
[ "$unit" != --now ] || unit=$3
pid=/run/$unit/pid

run() {
    setsid "$@" >"/run/$unit/log" 2>&1 </dev/null &
    echo $! >"$pid"
}
# Until a command says that the daemon answers, for a minute and a half.
answers() {
    for _ in $(seq 900); do
        "$@" >/dev/null 2>&1 && return
        kill -0 "$(cat "$pid")" 2>/dev/null || break
        sleep 0.1
    done
    cat "/run/$unit/log" >&2
    exit 1
}
start() {
    mkdir -p "/run/$unit"
    case $unit in
    starlingd)
        mkdir -p /run/starling
        # Of words, on purpose.
        run starlingd run ${STARLINGD_OPTIONS-}
        answers bgpctl show summary ;;
    bird)
        run bird -f
        answers birdc show status ;;
    openbgpd)
        chmod 600 /etc/bgpd.conf
        run /usr/sbin/bgpd -d
        answers bgpctl show summary ;;
    frr)
        chown frr:frr /run/frr
        /usr/lib/frr/zebra -d -A 127.0.0.1 -P 0 >/run/frr/log 2>&1
        run /usr/lib/frr/bgpd -A 127.0.0.1 -P 0
        answers vtysh -d bgpd -c 'show version'
        vtysh -b >>/run/frr/log 2>&1 ;;
    *)
        echo "systemctl: no unit $unit in a walk" >&2
        exit 1 ;;
    esac
}
stop() {
    [ "$unit" != frr ] || kill "$(cat /run/frr/zebra.pid)"
    kill "${1:--TERM}" "$(cat "$pid")"
    for _ in $(seq 300); do
        kill -0 "$(cat "$pid")" 2>/dev/null || return 0
        sleep 0.1
    done
    echo "systemctl: $unit does not stop" >&2
    exit 1
}

case $verb in
start | enable) start ;;
stop) stop ;;
restart)
    [ ! -e "$pid" ] || stop
    start ;;
reload)
    case $unit in
    starlingd) bgpctl reload ;;
    bird) birdc configure ;;
    openbgpd) bgpctl reload ;;
    esac ;;
kill) stop -KILL ;;
*)
    echo "systemctl: $verb is not known in a walk" >&2
    exit 1 ;;
esac
