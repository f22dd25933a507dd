use super::*;

fn pattern(text: &str) -> CommunityPattern {
    text.parse().unwrap()
}

#[test]
fn what_is_read_is_shown_again() {
    for text in [
        "65000:100",
        "no-export",
        "graceful-shutdown",
        "65000:*",
        "*:666",
        "*:*",
        "0:0",
        "65000:1:2",
        "4200000000:*:7",
        "*:*:*",
        "rt:65000:100",
        "rt:65000:*",
        "soo:10.0.0.1:7",
        "rt:10.0.0.1:*",
        "rt:200000:9",
        "soo:200000:*",
        "rt:*:*",
        "soo:*:*",
        "0x4300000000000001",
    ] {
        assert_eq!(pattern(text).to_string(), text);
    }
    // By number as by name.
    assert_eq!(pattern("65535:65281"), pattern("no-export"));
}

#[test]
fn a_single_one_is_what_it_says() {
    let one = |text: &str| text.parse::<AnyCommunity>();
    assert_eq!(one("1:2").unwrap(), AnyCommunity::Standard(Community(0x0001_0002)));
    let large = LargeCommunity { global: 1, data1: 2, data2: 3 };
    assert_eq!(one("1:2:3").unwrap(), AnyCommunity::Large(large));
    let target = ExtendedCommunity([0, 2, 0xfd, 0xe8, 0, 0, 0, 100]);
    assert_eq!(one("rt:65000:100").unwrap(), AnyCommunity::Extended(target));
    assert_eq!(one("1:*").unwrap_err().0, "`1:*` is not one community but many");
}

#[test]
fn nonsense_is_told_apart() {
    for (text, message) in [
        ("65536:1", "65536 is more than 65535"),
        ("1:65536", "65536 is more than 65535"),
        ("1:2:4294967296", "`4294967296` is no number that fits"),
        ("rt:200000:65536", "65536 is more than 65535"),
        ("rt:*:7", "a number of any AS cannot be asked for"),
        ("0x12", "`0x12` has not sixteen hexadecimal digits"),
        ("0x000000000000000é", "`0x000000000000000é` has not sixteen hexadecimal digits"),
        ("1:+2", "`+2` is no number that fits"),
        ("noexport", "`noexport` is no community"),
        ("", "`` is no community"),
        ("1:2:3:4", "`1:2:3:4` is no community"),
    ] {
        let told = text.parse::<CommunityPattern>().map_err(|e| e.0);
        assert_eq!(told, Err(message.to_owned()), "{text}");
    }
}

#[test]
fn wildcards_mean_what_they_leave_open() {
    let standard = |text: &str, n: u32| pattern(text).standard(Community(n));
    assert!(standard("65000:*", 0xfde8_0001) && !standard("65000:*", 0xfde9_0001));
    assert!(standard("*:1", 0xfde8_0001) && !standard("*:1", 0xfde8_0002));
    let large = |text: &str| pattern(text).large(LargeCommunity { global: 1, data1: 2, data2: 3 });
    assert!(large("1:*:3") && large("*:*:*") && !large("1:*:4") && !large("2:*:*"));
    let extended = |text: &str, octets: [u8; 8]| pattern(text).extended(ExtendedCommunity(octets));
    let target = [0, 2, 0xfd, 0xe8, 0, 0, 0, 100];
    assert!(extended("rt:65000:*", target) && extended("rt:*:*", target));
    assert!(!extended("soo:65000:*", target) && !extended("rt:65001:*", target));
    // The same of an address is of another kind, the same that stays in the AS is not.
    assert!(!extended("rt:65000:*", [1, 2, 0xfd, 0xe8, 0, 0, 0, 100]));
    assert!(extended("rt:65000:*", [0x40, 2, 0xfd, 0xe8, 0, 0, 0, 100]));
    assert!(extended("rt:*:*", [2, 2, 0, 3, 0x0d, 0x40, 0, 9]));
    // One kind of pattern never means another kind of community.
    assert!(!pattern("*:*").large(LargeCommunity { global: 1, data1: 2, data2: 3 }));
    assert!(!pattern("*:*:*").standard(Community(1)));
}
