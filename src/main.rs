//! `starlingd`: the daemon. All of it is in [`starling::daemon`].

use std::process::ExitCode;

fn main() -> ExitCode {
    starling::daemon::cli::main()
}
