//! `bgpctl`: asks the daemon of this node over its control socket. All of it is in
//! [`starling::ctl`].

use std::process::ExitCode;

fn main() -> ExitCode {
    starling::ctl::main()
}
