//! System calls that a route daemon never makes, closed to it and to what it starts (seccomp).
//!
//! ```text
//!   a call ─┬─ by a number of x32 ─────────────────────────────► EPERM    (x86-64 only)
//!           ├─ clone3, whose flags a filter cannot see ────────► ENOSYS   the C library takes clone
//!           ├─ NEVER, a socket of a kind that nobody here has,
//!           │  a clone into a namespace of its own ────────────► EPERM
//!           └─ any other ──────────────────────────────────────► as ever
//! ```
//!
//! Whoever finds a way to run code of their own in here finds less of the kernel to go on with. It is
//! a list of what is refused and not of what may be called: the C library and the tools of the
//! packet filter call other things on other hosts, and a list that lacks one of those is an
//! outage. For the same reason it answers with an error and ends nobody, but for a program that was
//! built for another processor. The unit has a stricter filter of its own; this one is there in a
//! container too, and where somebody starts it by hand.
//!
//! It is laid on before there is a second thread, so that all of them have it. A call costs 30 ns
//! more with it than its 240 without (Linux 6.18, which keeps in a bitmap what a filter lets through
//! whatever the arguments, as all do since 5.11); to bring 200,000 routes into the kernel and out again
//! takes 2,700 calls, so 0.1 ms of 1.4 s.

use std::io;

use libc::c_long;

/// What is refused whatever the arguments.
#[rustfmt::skip]
const NEVER: &[c_long] = &[
    // Other processes, and their memory.
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // Namespaces, when its own is entered, and mounts.
    libc::SYS_setns, libc::SYS_unshare, libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root,
    libc::SYS_chroot, libc::SYS_open_tree, libc::SYS_move_mount, libc::SYS_fsopen,
    libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick, libc::SYS_mount_setattr,
    libc::SYS_quotactl, libc::SYS_quotactl_fd, libc::SYS_swapon, libc::SYS_swapoff,
    libc::SYS_acct, libc::SYS_mknodat, libc::SYS_open_by_handle_at, libc::SYS_fanotify_init,
    // The kernel itself. The module of ipip it loads by itself, when a device of it is wanted.
    libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module, libc::SYS_kexec_load,
    libc::SYS_reboot, libc::SYS_syslog, libc::SYS_bpf, libc::SYS_perf_event_open,
    // The host's names and clock.
    libc::SYS_sethostname, libc::SYS_setdomainname, libc::SYS_settimeofday,
    libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex, libc::SYS_vhangup,
    // Large, and often the way in.
    libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register,
    libc::SYS_userfaultfd, libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl,
    // What not every processor has.
    #[cfg(not(target_arch = "riscv64"))] libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")] libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")] libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")] libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")] libc::SYS_modify_ldt,
];

/// The kinds of sockets that there are here: the daemon's, and those of the packet filter's tools.
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// A new namespace of any kind.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Closes them to the calling thread, and to every thread and program that it starts from now on.
/// It takes no_new_privs, which is set before.
///
/// # Errors
/// The kernel has no filters, or a filter that is there already keeps further ones out.
pub fn close() -> io::Result<()> {
    filters::all()?.iter().try_for_each(|filter| install(filter))
}

/// Lays a filter on the calling thread.
///
/// SPEC_ALLOW: kernels before 5.16 else turn the processor's guesses about memory off for who has
/// a filter, as if it ran code of strangers; that would cost a decision what no filter may.
#[allow(unsafe_code, reason = "no crate's call has the flag")]
fn install(filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(io::Error::other)?,
        filter: filter.as_ptr().cast_mut(),
    };
    let call = |flags: libc::c_ulong| {
        // SAFETY: the kernel copies `program` and the instructions that it points to, which both
        // outlive the call, and writes to neither.
        let failed = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    match call(libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW) {
        // Linux before 4.17 does not know the flag.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => call(0),
        other => other,
    }
}

/// As instructions for the kernel.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod filters {
    use std::collections::BTreeMap;
    use std::io;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    use super::{FAMILIES, NAMESPACES, NEVER};

    type Rules = BTreeMap<i64, Vec<SeccompRule>>;

    /// All of them, each complete in itself.
    pub fn all() -> io::Result<Vec<Vec<libc::sock_filter>>> {
        let compile = |rules, errno: i32| compiled(rules, errno).map_err(io::Error::other);
        let absent = Rules::from([(libc::SYS_clone3, Vec::new())]);
        let mut all = vec![
            compile(refused().map_err(io::Error::other)?, libc::EPERM)?,
            compile(absent, libc::ENOSYS)?,
        ];
        all.extend(other_numbers());
        Ok(all)
    }

    fn refused() -> Result<Rules, seccompiler::BackendError> {
        let mut rules: Rules = NEVER.iter().map(|number| (*number, Vec::new())).collect();
        let first =
            |op, value: i32| SeccompCondition::new(0, SeccompCmpArgLen::Dword, op, value as u64);
        let none_of = FAMILIES.map(|family| first(SeccompCmpOp::Ne, family));
        let none_of = none_of.into_iter().collect::<Result<Vec<_>, _>>()?;
        rules.insert(libc::SYS_socket, vec![SeccompRule::new(none_of)?]);
        let any_of = NAMESPACES
            .map(|flag| SeccompRule::new(vec![first(SeccompCmpOp::MaskedEq(flag as u64), flag)?]));
        rules.insert(libc::SYS_clone, any_of.into_iter().collect::<Result<_, _>>()?);
        Ok(rules)
    }

    fn compiled(
        rules: Rules,
        errno: i32,
    ) -> Result<Vec<libc::sock_filter>, seccompiler::BackendError> {
        let (allow, refuse) = (SeccompAction::Allow, SeccompAction::Errno(errno as u32));
        let filter = SeccompFilter::new(rules, allow, refuse, std::env::consts::ARCH.try_into()?)?;
        let program: BpfProgram = filter.try_into()?;
        let same = |i: seccompiler::sock_filter| libc::sock_filter {
            code: i.code,
            jt: i.jt,
            jf: i.jf,
            k: i.k,
        };
        Ok(program.into_iter().map(same).collect())
    }

    /// The second set of numbers that x86-64 may have (x32), by which the first would be evaded.
    #[cfg(target_arch = "x86_64")]
    fn other_numbers() -> Option<Vec<libc::sock_filter>> {
        use libc::{BPF_ABS, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
        const X32: u32 = 0x4000_0000;
        let step =
            |code: u32, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf, k };
        Some(vec![
            // The number is what the kernel's description of a call begins with.
            step(BPF_LD | BPF_W | BPF_ABS, 0, 0),
            step(BPF_JMP | BPF_JGE | BPF_K, 1, X32),
            step(BPF_RET | BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
            step(BPF_RET | BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        ])
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn other_numbers() -> Option<Vec<libc::sock_filter>> {
        None
    }
}

/// Nobody has numbered the calls of this processor for us.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod filters {
    pub fn all() -> std::io::Result<Vec<Vec<libc::sock_filter>>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
#[path = "syscalls_tests.rs"]
mod tests;
