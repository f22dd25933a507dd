# The ARP table is one for the whole machine, and a thousand neighbours do not fit its default
# limits: sourced by what makes that many; `arp_back` puts the limits back.
declare -A ARP
arp_room() {
    local t
    for t in gc_thresh3 gc_thresh2 gc_thresh1; do
        ARP[$t]=$(cat /proc/sys/net/ipv4/neigh/default/$t)
        echo 65536 >/proc/sys/net/ipv4/neigh/default/$t
    done
}
arp_back() {
    local t
    for t in gc_thresh1 gc_thresh2 gc_thresh3; do
        [ -z "${ARP[$t]:-}" ] || echo "${ARP[$t]}" >/proc/sys/net/ipv4/neigh/default/$t
    done
}
