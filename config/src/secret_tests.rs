use super::Secret;

#[test]
fn one_newline_at_the_end_is_not_part_of_the_key() {
    let key = |bytes: &[u8]| Secret::read(bytes).unwrap().octets().to_vec();
    assert_eq!(key(b"secret\n"), b"secret");
    assert_eq!(key(b"secret\r\n"), b"secret");
    assert_eq!(key(b"secret"), b"secret");
    assert_eq!(key(b" se cret \n\n"), b" se cret \n");
    assert_eq!(key(&[0, 255]), [0, 255]);
}

#[test]
fn a_key_has_one_to_eighty_octets() {
    assert!(Secret::read(b"").is_err() && Secret::read(b"\n").is_err());
    assert!(Secret::read(&[b'x'; 80]).is_ok());
    let refused = Secret::read(&[b'x'; 81]).unwrap_err();
    assert!(refused.contains("81") && !refused.contains("xx"), "{refused}");
}

#[test]
fn debug_does_not_tell_it() {
    let secret = Secret::read(b"hunter2").unwrap();
    assert_eq!(format!("{secret:?}"), "Secret(7 octets)");
}
