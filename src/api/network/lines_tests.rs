//! What lines say, what they carry, and what is wrong with them.

use super::*;

#[test]
fn lines_have_prefixes_and_comments() {
    let text = "# ours\n10.50.0.0/16 fd00:50::/64\n\n  10.51.0.0/16# lent\r\n";
    let found: Vec<String> =
        lines(text).unwrap().iter().map(|line| line.prefix.to_string()).collect();
    assert_eq!(found, ["10.50.0.0/16", "fd00:50::/64", "10.51.0.0/16"]);
    assert_eq!(lines(" # nothing\n"), Ok(vec![]));
    for (text, says) in [
        ("10.0.0.0/8\n10.0.0.1", "line 2: `10.0.0.1` has no length"),
        ("10.0.0.1/8", "line 1: 10.0.0.1/8 has bits set behind its length"),
        ("\n\nten", "line 3: `ten` is not an address"),
    ] {
        assert_eq!(lines(text).unwrap_err().error, says);
    }
}

#[test]
fn what_a_line_carries_all_its_prefixes_carry() {
    let text = "10.50.0.0/16 10.51.0.0/16 med 50 community 65000:1 origin egp prepend 2\n\
                10.52.0.0/16\nfd00::/64 local-pref 4294967295 community no-export \
                community 65000:1:2 community no-export";
    let all = lines(text).unwrap();
    let said: Vec<String> = all.iter().map(|line| line.attributes.to_string()).collect();
    let both = "med 50 origin egp prepend 2 community 65000:1";
    let last = "local-pref 4294967295 community no-export community 65000:1:2";
    assert_eq!(said, [both, both, "", last]);
    // As it is written it is read again, and so is what the Rib was given.
    for line in &all {
        assert_eq!(lines(&format!("{} {}", line.prefix, line.attributes)), Ok(vec![line.clone()]));
        let carried = line.attributes.carried().unwrap();
        assert_eq!(carried.is_none(), line.attributes.is_empty());
        let back = carried.as_ref().map(NetworkAttributes::from).unwrap_or_default();
        assert_eq!(back, line.attributes);
    }
}

#[test]
fn what_makes_no_sense_is_told() {
    for (text, says) in [
        ("10.0.0.0/8 med", "`med` has no value"),
        ("10.0.0.0/8 med -1", "med -1 is no number that fits"),
        ("10.0.0.0/8 local-pref 4294967296", "local-pref 4294967296 is no number that fits"),
        ("10.0.0.0/8 origin bgp", "origin is igp, egp or incomplete, not `bgp`"),
        ("10.0.0.0/8 prepend 26", "our AS is put in front 1 to 25 times, not 26"),
        ("10.0.0.0/8 community 65000:*", "`65000:*` is not one community but many"),
        ("10.0.0.0/8 med 1 10.1.0.0/16", "`10.1.0.0/16` is no attribute"),
        ("10.0.0.0/8 weight 7", "`weight` is not an address"),
        ("med 7", "`med 7` is of no prefix"),
    ] {
        let error = lines(text).unwrap_err().error;
        assert_eq!(error, format!("line 1: {says}"));
    }
    let many: String = (0..65).map(|n| format!(" community 65000:{n}")).collect();
    let error = lines(&format!("10.0.0.0/8{many}")).unwrap_err().error;
    assert!(error.contains("64 communities at most"), "{error}");
}
