//! What import changed on a path: its attributes as received against those in use.

use starling_bgp::attrs::AttrSet;

use crate::api::Change;

/// One for each attribute that differs.
pub(super) fn changes(received: &AttrSet, used: &AttrSet) -> Vec<Change> {
    let differences = words(received).into_iter().zip(words(used));
    differences
        .filter(|((_, received), (_, used))| received != used)
        .map(|((attribute, received), (_, used))| Change {
            attribute: attribute.to_owned(),
            received,
            used,
        })
        .collect()
}

/// Every attribute that import may change, in words.
fn words(set: &AttrSet) -> [(&'static str, Option<String>); 9] {
    let number = |n: Option<u32>| n.map(|n| n.to_string());
    [
        ("ORIGIN", Some(crate::api::Origin::from(set.origin()).to_string())),
        ("AS_PATH", Some(set.as_path().to_string()).filter(|path| !path.is_empty())),
        ("NEXT_HOP", Some(set.next_hop().to_string())),
        ("MULTI_EXIT_DISC", number(set.med())),
        ("LOCAL_PREF", number(set.local_pref())),
        ("COMMUNITIES", list(set.communities().iter())),
        ("EXTENDED COMMUNITIES", list(set.extended_communities().iter())),
        ("LARGE_COMMUNITY", list(set.large_communities().iter())),
        ("OTC", set.only_to_customer().map(|asn| asn.to_string())),
    ]
}

fn list<T: ToString>(members: impl IntoIterator<Item = T>) -> Option<String> {
    let members: Vec<String> = members.into_iter().map(|member| member.to_string()).collect();
    (!members.is_empty()).then(|| members.join(" "))
}

#[cfg(test)]
mod tests;
