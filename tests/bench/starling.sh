# How the harness runs Starling: sourced after lib.sh (which says what each function is for),
# with BIN the daemon. An ordinary configuration: import and export opened, as a router that
# passes everything on would have it; nothing that a user would not write.

version() { "$BIN" --version; }
fibproto() { echo 12; }

peer() {
    cat <<TOML
[[peer]]
name = "$3"
address = "$1"
asn = $2
passive = true
import = ["0.0.0.0/0"]
export = "all"
TOML
}

conf() {
    {
        cat <<TOML
[cluster]
asn = $AS
[[node]]
name = "dut"
address = "$ADDR"
[control]
socket = "$DIR/control.sock"
TOML
        # What others call "no kernel protocol".
        [ "$FIB" = 1 ] || cat <<'TOML'
[kernel]
policy = "nothing"
[[policy]]
name = "nothing"
rules = [{ then = "reject" }]
TOML
        each_peer peer
        [ -z "${PROBE:-}" ] || cat <<TOML
[[peer]]
name = "probe"
address = "$PROBE"
asn = 64999
passive = true
hold = "3s"
bfd = { interval = "100ms", multiplier = 10 }
TOML
    } >"$DIR/starling.toml"
}

# What reads the whole table as a person would.
bgpctl() { echo "$(dirname "$BIN")/bgpctl --socket $DIR/control.sock"; }
reader() { echo "$(bgpctl) show routes"; }

launch() { spawn starlingd "$BIN" run --config "$DIR/starling.toml" --node dut; }

# What all nodes of a cluster are told, and where this one has its socket.
mesh_conf() {
    local k=$2 n
    mkdir -p "$DIR/$1"
    [ -e "$DIR/nodes" ] || for ((n = 1; n <= k; n++)); do
        printf '[[node]]\nname = "node%s"\naddress = "%s"\nblocks = ["%s"]\n' \
            $n "$(node_addr $n)" "$(node_block $n)"
    done >"$DIR/nodes"
    {
        cat <<TOML
[cluster]
asn = 64512
[[pool]]
cidr = "10.65.0.0/16"
ipip = "never"
[control]
socket = "$DIR/$1/control.sock"
TOML
        # What BIRD's nodes are without, as Calico makes them (BFD=0).
        [ "${BFD:-1}" = 1 ] || printf '[bfd]\nenabled = false\n'
        cat "$DIR/nodes"
    } >"$DIR/$1/starling.toml"
}
mesh_cmd() { echo "$BIN run --config $DIR/{i}/starling.toml --node node{i}"; }
