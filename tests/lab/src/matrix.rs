//! The matrix of bgp/README.md: which feature works with which speaker, as the tests saw it.
//!
//! A test that has proven a feature with a peer says so, as its last step:
//!
//! ```no_run
//! use starling_lab::{matrix::{self, Feature}, speaker::Software};
//! # fn main() -> starling_lab::Result {
//! matrix::pass(Feature::Md5, Software::Frr)?;             // seen to work
//! matrix::not_offered(Feature::Md5, Software::ExaBgp)?;   // the peer does not have it
//! matrix::not_applicable(Feature::Multipath, Software::ExaBgp)?;   // means nothing there
//! # Ok(())
//! # }
//! ```
//!
//! That compares the cell there with what was seen and fails where they differ, so the
//! table cannot say what no test has seen. With `UPDATE_MATRIX=1` in the environment it
//! writes the cell instead: `UPDATE_MATRIX=1 cargo test --test interop NAME` after a new
//! test, `make matrix` for all. A new row is a variant of [`Feature`]; rows without a cell
//! are not shown.
//!
//! What remains is a cell whose test is gone: every record also leaves a file, and
//! [`check`], which `make test` runs last, wants one for each cell.

use crate::Result;
use crate::speaker::{NotOffered, Software};
use anyhow::{Context, ensure};
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What can be proven with a peer: the rows, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "`words` says it")]
pub enum Feature {
    OverIpv4,
    OverIpv6,
    ExtendedNextHop,
    LinkLocalNextHop,
    FourOctetAs,
    TwoOctetSpeaker,
    ExtendedMessages,
    ShutdownText,
    OurShutdownText,
    SendHoldTimer,
    Gtsm,
    Multihop,
    Md5,
    TcpAo,
    DynamicNeighbors,
    RefreshAnswered,
    RefreshAsked,
    EnhancedRefresh,
    RestartHelper,
    Restarting,
    NotificationRestart,
    LongLivedRestart,
    AddPathReceive,
    AddPathSend,
    Multipath,
    Reflector,
    ReflectorClient,
    DefaultDeny,
    MalformedUpdates,
    Roles,
    PrefixLimit,
    WellKnownCommunities,
    GracefulShutdown,
    Communities,
    UnknownAttributes,
    AtomicAggregate,
    Aigp,
    AigpSend,
    Bfd,
    Policy,
}

impl Feature {
    /// All rows.
    pub const ALL: [Self; 40] = [
        Self::OverIpv4,
        Self::OverIpv6,
        Self::ExtendedNextHop,
        Self::LinkLocalNextHop,
        Self::FourOctetAs,
        Self::TwoOctetSpeaker,
        Self::ExtendedMessages,
        Self::ShutdownText,
        Self::OurShutdownText,
        Self::SendHoldTimer,
        Self::Gtsm,
        Self::Multihop,
        Self::Md5,
        Self::TcpAo,
        Self::DynamicNeighbors,
        Self::RefreshAnswered,
        Self::RefreshAsked,
        Self::EnhancedRefresh,
        Self::RestartHelper,
        Self::Restarting,
        Self::NotificationRestart,
        Self::LongLivedRestart,
        Self::AddPathReceive,
        Self::AddPathSend,
        Self::Multipath,
        Self::Reflector,
        Self::ReflectorClient,
        Self::DefaultDeny,
        Self::MalformedUpdates,
        Self::Roles,
        Self::PrefixLimit,
        Self::WellKnownCommunities,
        Self::GracefulShutdown,
        Self::Communities,
        Self::UnknownAttributes,
        Self::AtomicAggregate,
        Self::Aigp,
        Self::AigpSend,
        Self::Bfd,
        Self::Policy,
    ];

    /// The words of its row.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::OverIpv4 => "IPv4 and IPv6 routes on a session over IPv4 (RFC 4760)",
            Self::OverIpv6 => "IPv4 and IPv6 routes on a session over IPv6",
            Self::ExtendedNextHop => "IPv4 routes with IPv6 next hops (RFC 8950)",
            Self::LinkLocalNextHop => "link-local IPv6 next hops (RFC 2545)",
            Self::FourOctetAs => "4-octet AS numbers (RFC 6793)",
            Self::TwoOctetSpeaker => "a speaker of 2-octet AS numbers (AS_TRANS, AS4_PATH)",
            Self::ExtendedMessages => "extended messages (RFC 8654)",
            Self::ShutdownText => "words at the end of a session, its own (RFC 9003)",
            Self::OurShutdownText => "words at the end of a session, ours",
            Self::SendHoldTimer => "a peer that reads nothing is given up (RFC 9687)",
            Self::Gtsm => "TTL security (RFC 5082)",
            Self::Multihop => "eBGP multihop",
            Self::Md5 => "TCP MD5 (RFC 2385)",
            Self::TcpAo => "TCP-AO (RFC 5925)",
            Self::DynamicNeighbors => "dynamic neighbours",
            Self::RefreshAnswered => "route refresh, it asks (RFC 2918)",
            Self::RefreshAsked => "route refresh, we ask",
            Self::EnhancedRefresh => "enhanced route refresh (RFC 7313)",
            Self::RestartHelper => "graceful restart: it restarts, we help (RFC 4724)",
            Self::Restarting => "graceful restart: we restart, it helps",
            Self::NotificationRestart => "graceful restart after a NOTIFICATION (RFC 8538)",
            Self::LongLivedRestart => "long-lived graceful restart (RFC 9494)",
            Self::AddPathReceive => "add-path, from it (RFC 7911)",
            Self::AddPathSend => "add-path, to it",
            Self::Multipath => "several next hops for a prefix that it announces",
            Self::Reflector => "we reflect for it (RFC 4456)",
            Self::ReflectorClient => "it reflects for us",
            Self::DefaultDeny => "nothing over eBGP without a policy (RFC 8212)",
            Self::MalformedUpdates => "malformed attributes withdraw, the session stays (RFC 7606)",
            Self::Roles => "roles and OTC (RFC 9234)",
            Self::PrefixLimit => "prefix limit",
            Self::WellKnownCommunities => "NO_EXPORT, NO_ADVERTISE and their kin (RFC 1997)",
            Self::GracefulShutdown => "GRACEFUL_SHUTDOWN (RFC 8326)",
            Self::Communities => "standard, extended, large communities",
            Self::UnknownAttributes => "unknown transitive attributes, bit for bit",
            Self::AtomicAggregate => "ATOMIC_AGGREGATE, AGGREGATOR",
            Self::Aigp => "AIGP, from it (RFC 7311)",
            Self::AigpSend => "AIGP, to it",
            Self::Bfd => "BFD (RFC 5880)",
            Self::Policy => "policy: matched and changed by rules",
        }
    }
}

/// What a test saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Pass,
    /// The peer's software does not have it.
    NotOffered,
    /// It means nothing with this peer.
    NotApplicable,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Pass, Self::NotOffered, Self::NotApplicable];

    fn cell(self) -> &'static str {
        match self {
            Self::Pass => "✓",
            Self::NotOffered => "–",
            Self::NotApplicable => "n/a",
        }
    }
}

/// [`Feature`] was seen to work with `peer`.
///
/// # Errors
/// When the page says otherwise.
pub fn pass(feature: Feature, peer: Software) -> Result {
    record(feature, peer, Outcome::Pass)
}

/// `peer` does not have it.
///
/// # Errors
/// When the page says otherwise.
pub fn not_offered(feature: Feature, peer: Software) -> Result {
    record(feature, peer, Outcome::NotOffered)
}

/// It means nothing with `peer`.
///
/// # Errors
/// When the page says otherwise.
pub fn not_applicable(feature: Feature, peer: Software) -> Result {
    record(feature, peer, Outcome::NotApplicable)
}

/// What came of trying `feature` with `peer`: a success is recorded, and so is an error that
/// says that the peer's software does not have it ([`NotOffered`]).
///
/// # Errors
/// Any other error, with both names; and when the page says otherwise.
pub fn tried(feature: Feature, peer: Software, outcome: Result) -> Result {
    match outcome {
        Ok(()) => pass(feature, peer),
        Err(error) if error.is::<NotOffered>() => not_offered(feature, peer),
        Err(error) => Err(error.context(format!("{}, {peer}", feature.words()))),
    }
}

/// See the module's words.
///
/// # Errors
/// When the page says otherwise.
pub fn record(feature: Feature, peer: Software, outcome: Outcome) -> Result {
    let dir = records()?;
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let file = dir.join(format!("{feature:?}.{peer:?}"));
    std::fs::write(&file, outcome.cell()).with_context(|| format!("{}", file.display()))?;
    let updating = std::env::var_os("UPDATE_MATRIX").is_some_and(|value| value != "0");
    if updating {
        return update(|table| {
            table.cells.insert((feature, peer), outcome);
            table.versions.insert(peer, version(peer)?);
            Ok(())
        });
    }
    let table = Table::read(&std::fs::read_to_string(page())?)?;
    let hint = "UPDATE_MATRIX=1 and this test again, or `make matrix`, writes it";
    let (told, installed) = (table.versions.get(&peer), version(peer)?);
    ensure!(told == Some(&installed), "the page has {peer} {told:?}, here is {installed}: {hint}");
    let told = table.cells.get(&(feature, peer)).copied();
    ensure!(
        told == Some(outcome),
        "the matrix says {told:?} of \"{}\" with {peer}, a test saw {outcome:?}: {hint}",
        feature.words()
    );
    Ok(())
}

/// Forgets what tests have recorded so far.
///
/// # Errors
/// When the files cannot be removed.
pub fn forget() -> Result {
    match std::fs::remove_dir_all(records()?) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Compares the page's table with what was recorded since [`forget`], after all tests have run.
/// With `write`, cells that nobody recorded are removed instead.
///
/// # Errors
/// When a cell is not recorded, or not as it stands there.
pub fn check(write: bool) -> Result {
    let dir = records()?;
    let seen = |feature: Feature, peer: Software| {
        let text = std::fs::read_to_string(dir.join(format!("{feature:?}.{peer:?}"))).ok()?;
        Outcome::ALL.into_iter().find(|outcome| outcome.cell() == text)
    };
    if write {
        return update(|table| {
            table.cells.retain(|(feature, peer), cell| seen(*feature, *peer) == Some(*cell));
            Ok(())
        });
    }
    let table = Table::read(&std::fs::read_to_string(page())?)?;
    ensure!(!table.cells.is_empty(), "the matrix is empty");
    for ((feature, peer), cell) in &table.cells {
        let seen = seen(*feature, *peer);
        ensure!(
            seen == Some(*cell),
            "the matrix says {cell:?} of \"{}\" with {peer}; the tests saw {seen:?}",
            feature.words()
        );
    }
    Ok(())
}

/// The installed version, asked for once: some answer slowly.
fn version(peer: Software) -> Result<String> {
    static KNOWN: Mutex<BTreeMap<Software, String>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(version) = known.get(&peer) {
        return Ok(version.clone());
    }
    let version = peer.version()?;
    known.insert(peer, version.clone());
    Ok(version)
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bgp/README.md")
}

/// A folder beside `debug` or `release` of the running program.
fn records() -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot tell which program this is")?;
    let built = this.ancestors().find(|dir| dir.ends_with("debug") || dir.ends_with("release"));
    let target = built.and_then(Path::parent).context("this program is in no target folder")?;
    Ok(target.join("tmp/matrix"))
}

/// Changes the page's table, one at a time.
fn update(change: impl FnOnce(&mut Table) -> Result) -> Result {
    let path = page();
    let lock = File::open(&path).with_context(|| format!("{}", path.display()))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let text = std::fs::read_to_string(&path)?;
    let mut table = Table::read(&text)?;
    change(&mut table)?;
    // Written in place: the lock is the file's, and a rename would leave it behind.
    std::fs::write(&path, table.write_into(&text)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

const BEGIN: &str = "<!-- matrix: `make matrix` writes it -->\n";
const END: &str = "<!-- end of matrix -->\n";

/// The table between the marks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    versions: BTreeMap<Software, String>,
    cells: BTreeMap<(Feature, Software), Outcome>,
}

impl Table {
    /// What is before the table, the table, what comes after.
    fn split(page: &str) -> Result<(&str, &str, &str)> {
        let (before, rest) =
            page.split_once(BEGIN).context("bgp/README.md has no mark of the matrix")?;
        let (table, after) = rest.split_once(END).context("the matrix has no end")?;
        Ok((before, table, after))
    }

    fn read(page: &str) -> Result<Self> {
        let (_, text, _) = Self::split(page)?;
        let mut table = Self::default();
        let mut lines = text.lines();
        let columns = |line: &str| -> Vec<String> {
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        let Some(head) = lines.next() else { return Ok(table) };
        for (peer, cell) in Software::ALL.into_iter().zip(columns(head).into_iter().skip(1)) {
            let version = cell.strip_prefix(peer.name());
            let version = version.with_context(|| format!("a column {cell:?}, not {peer}"))?.trim();
            if !version.is_empty() {
                table.versions.insert(peer, version.to_owned());
            }
        }
        for line in lines.skip(1) {
            let cells = columns(line);
            let words = cells.first().map(String::as_str).unwrap_or_default();
            let feature = Feature::ALL.into_iter().find(|feature| feature.words() == words);
            let feature = feature.with_context(|| format!("a row {words:?} that nobody proves"))?;
            for (peer, cell) in Software::ALL.into_iter().zip(cells.iter().skip(1)) {
                if cell.is_empty() {
                    continue;
                }
                let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.cell() == cell);
                let outcome = outcome.with_context(|| format!("a cell {cell:?} in {words:?}"))?;
                table.cells.insert((feature, peer), outcome);
            }
        }
        Ok(table)
    }

    fn write_into(&self, page: &str) -> Result<String> {
        let (before, _, after) = Self::split(page)?;
        let mut text = String::from("| |");
        for peer in Software::ALL {
            let version = self.versions.get(&peer).map(String::as_str).unwrap_or_default();
            write!(text, " {} |", format!("{peer} {version}").trim())?;
        }
        writeln!(text, "\n|---|{}", ":-:|".repeat(Software::ALL.len()))?;
        for feature in Feature::ALL {
            let cell = |peer| self.cells.get(&(feature, peer)).copied();
            if Software::ALL.into_iter().all(|peer| cell(peer).is_none()) {
                continue;
            }
            write!(text, "| {} |", feature.words())?;
            for peer in Software::ALL {
                write!(text, " {} |", cell(peer).map_or("", Outcome::cell))?;
            }
            writeln!(text)?;
        }
        Ok(format!("{before}{BEGIN}{text}{END}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let page = format!("before\n{BEGIN}{END}after\n");
        let mut table = Table::read(&page).unwrap();
        assert_eq!(table, Table::default());
        table.versions.insert(Software::Frr, "8.4.4".to_owned());
        table.cells.insert((Feature::Md5, Software::Frr), Outcome::Pass);
        table.cells.insert((Feature::Md5, Software::ExaBgp), Outcome::NotOffered);
        table.cells.insert((Feature::Bfd, Software::Bird), Outcome::NotApplicable);
        let written = table.write_into(&page).unwrap();
        assert!(written.starts_with("before\n") && written.ends_with("after\n"), "{written}");
        assert!(written.contains("| TCP MD5 (RFC 2385) |  | ✓ |  |  | – |"), "{written}");
        assert!(!written.contains("TTL security"), "a row without a cell is shown:\n{written}");
        assert_eq!(Table::read(&written).unwrap(), table);
    }

    #[test]
    fn a_row_or_a_cell_that_no_test_can_write_is_an_error() {
        let with = |row: &str| {
            let head = "| | BIRD 1 | FRR 1 | GoBGP 1 | OpenBGPD 1 | ExaBGP 1 |\n|---|\n";
            Table::read(&format!("{BEGIN}{head}{row}\n{END}"))
        };
        assert!(with("| TCP MD5 (RFC 2385) | ✓ |  |  |  |  |").is_ok());
        assert!(with("| magic | ✓ |  |  |  |  |").is_err());
        assert!(with("| TCP MD5 (RFC 2385) | maybe |  |  |  |  |").is_err());
        assert!(Table::read("no table").is_err());
    }

    #[test]
    fn rows_have_different_words() {
        for (index, one) in Feature::ALL.into_iter().enumerate() {
            for other in Feature::ALL.into_iter().skip(index + 1) {
                assert_ne!(one.words(), other.words());
                assert!(one < other, "the rows are not in the order of their declaration");
            }
        }
    }
}
