use super::{Command, Routes, parse};
use crate::api::Lookup;

fn routes(line: &str) -> Routes {
    match parse(line) {
        Ok(Command::Routes(asked)) => asked,
        other => panic!("{line}: {other:?}"),
    }
}

fn prefix(text: &str) -> Option<Lookup> {
    Some(Lookup::Prefix(text.parse().unwrap()))
}

#[test]
fn what_the_tools_send_is_understood() {
    assert_eq!(parse("show status\n"), Ok(Command::Status));
    assert_eq!(parse("\n"), Ok(Command::Nothing));
    assert_eq!(parse("restrict\r\n"), Ok(Command::Restrict));
    let one = Command::Protocols { all: true, name: Some("Mesh_10_0_0_2".to_owned()) };
    assert_eq!(parse("show protocols all Mesh_10_0_0_2"), Ok(one.clone()));
    assert_eq!(parse("show protocols all \"Mesh_10_0_0_2\""), Ok(one));
    assert_eq!(parse("show bfd sessions bfd1"), Ok(Command::Bfd));
    assert_eq!(routes("show route"), Routes::default());
    assert_eq!(
        routes("show route table master all filtered protocol Mesh_10_0_0_2"),
        Routes {
            all: true,
            filtered: true,
            protocol: Some("Mesh_10_0_0_2".to_owned()),
            ..Routes::default()
        }
    );
    assert_eq!(
        routes("show route primary protocol P count"),
        Routes { primary: true, count: true, protocol: Some("P".to_owned()), ..Routes::default() }
    );
}

#[test]
fn what_a_neighbour_is_told_or_not() {
    let export = Some("Mesh_10_0_0_2".to_owned());
    assert_eq!(
        routes("show route all export Mesh_10_0_0_2"),
        Routes { all: true, export: export.clone(), ..Routes::default() }
    );
    assert_eq!(
        routes("show route noexport Mesh_10_0_0_2 count"),
        Routes { count: true, export, withheld: true, ..Routes::default() }
    );
}

#[test]
fn a_prefix_is_exact_and_for_is_not() {
    assert_eq!(routes("show route 10.244.1.0/26 all").lookup, prefix("10.244.1.0/26"));
    assert_eq!(routes("show route 10.244.1.7").lookup, prefix("10.244.1.7/32"));
    let address = Some(Lookup::Address("10.244.1.7".parse().unwrap()));
    assert_eq!(routes("show route for 10.244.1.7").lookup, address);
    assert_eq!(routes("show route for 10.244.1.7/32 all").lookup, address);
}

#[test]
fn nothing_can_be_changed() {
    for line in ["configure", "disable all", "restart Mesh_10_0_0_2", "down", "reload in all"] {
        assert_eq!(parse(line).unwrap_err().code, 8007, "{line}");
    }
}

#[test]
fn what_is_not_understood_is_a_syntax_error() {
    for line in [
        "foo",
        "show",
        "show ospf state",
        "show route for nonsense",
        "show route table t1",
        "show route protocol",
        "show route preexport Mesh_10_0_0_2",
        "show route export",
        "show route where net.len > 24",
    ] {
        assert_eq!(parse(line).unwrap_err().code, 9001, "{line}");
    }
}
