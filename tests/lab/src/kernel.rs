//! Can this kernel tunnel? Found out by doing it, not by reading lists of modules.

use crate::{Lab, Result, must};

/// True if the kernel can make `ipip` devices; loads the module where it can.
///
/// # Errors
/// When no namespace can be made (not root, no iproute2).
pub fn has_ipip() -> Result<bool> {
    // Absent or failing modprobe is no verdict: ipip may be built in.
    must(&["modprobe", "-q", "ipip"]).ok();
    let lab = Lab::unique()?;
    let probe = lab.netns("probe")?;
    // The module brings tunl0 into every namespace; without it, one can't be made either.
    Ok(probe.ip(&["link", "show", "tunl0"]).is_ok()
        || probe.ip(&["tunnel", "add", "tunl9", "mode", "ipip"]).is_ok())
}
