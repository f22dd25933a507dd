//! What is encoded reads back as it was, what the kernel sends is read as it is meant, and no bytes
//! make the decoder fail worse than an error.

use proptest::prelude::*;

use super::*;
use crate::netlink::socket::Messages;

fn inside() -> impl Strategy<Value = Inside> {
    let gateway = prop_oneof![
        any::<std::net::Ipv4Addr>().prop_map(IpAddr::V4),
        any::<std::net::Ipv6Addr>().prop_map(IpAddr::V6),
    ];
    let hop = (gateway, 1_u32.., any::<bool>()).prop_map(|(gateway, device, onlink)| {
        Inside::Hop(Hop { gateway: Some(gateway), device, onlink, weight: 1 })
    });
    let member = (1_u32.., 1_u32..=65536).prop_map(|(id, weight)| Member { id, weight });
    prop_oneof![hop, prop::collection::vec(member, 1..64).prop_map(Inside::Group)]
}

proptest! {
    #[test]
    fn an_object_reads_back_as_it_was_written(
        id in 1_u32.., protocol: u8, inside in inside(), sequence: u32,
    ) {
        let it = Object { id, protocol, inside };
        let mut batch = Vec::new();
        request(&ObjectOp::Make(it.clone()), sequence, &mut batch);
        request(&ObjectOp::Remove(it.clone()), sequence, &mut batch);
        let messages: Vec<_> = Messages(&batch).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(messages.len(), 2);
        prop_assert_eq!((messages[0].kind, messages[0].sequence), (RTM_NEWNEXTHOP, sequence));
        prop_assert_eq!(object(messages[0].payload).unwrap(), Some(it));
        prop_assert_eq!(messages[1].kind, RTM_DELNEXTHOP);
        prop_assert_eq!(object(messages[1].payload).unwrap().unwrap().id, id);
    }

    #[test]
    fn any_bytes_are_an_object_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = object(&bytes);
    }

    /// Attributes of the right form and any content.
    #[test]
    fn any_attributes_are_an_object_or_an_error(
        header: [u8; 8],
        attributes in prop::collection::vec(
            (0_u16..16, prop::collection::vec(any::<u8>(), 0..24)), 0..8
        ),
    ) {
        let mut bytes = header.to_vec();
        for (kind, value) in &attributes {
            attribute(*kind, value, &mut bytes);
        }
        if let Ok(Some(object)) = object(&bytes) {
            prop_assert_ne!(object.id, 0);
        }
    }
}

fn read(attributes: &[(u16, &[u8])]) -> Option<Object> {
    let mut bytes = vec![libc::AF_INET as u8, 253, 12, 0, 0, 0, 0, 0];
    attributes.iter().for_each(|(kind, value)| attribute(*kind, value, &mut bytes));
    object(&bytes).unwrap()
}

/// What is more than a gateway on an interface is never taken for one of ours.
#[test]
fn what_is_more_than_a_next_hop_is_something_else() {
    let id = (NHA_ID, 9_u32.to_ne_bytes());
    let id = (id.0, id.1.as_slice());
    let device = 3_u32.to_ne_bytes();
    let (device, gateway) = ((NHA_OIF, device.as_slice()), (NHA_GATEWAY, [10, 1, 5, 11]));
    let gateway = (gateway.0, gateway.1.as_slice());
    let hop = Hop { gateway: Some([10, 1, 5, 11].into()), device: 3, onlink: false, weight: 1 };
    let is = |attributes: &[(u16, &[u8])]| read(attributes).unwrap().inside;
    assert_eq!(is(&[id, device, gateway]), Inside::Hop(hop));
    assert_eq!(is(&[id, device, gateway, (NHA_ENCAP_TYPE, &[1, 0])]), Inside::Other(Some(hop)));
    assert_eq!(is(&[id, (NHA_BLACKHOLE, &[])]), Inside::Other(None));
    let member: &[u8] = &[9, 0, 0, 0, 4, 0, 0, 0];
    let group = (NHA_GROUP, member);
    let id_of = u32::from_ne_bytes([9, 0, 0, 0]);
    assert_eq!(is(&[id, group]), Inside::Group(vec![Member { id: id_of, weight: 5 }]));
    assert_eq!(is(&[id, group, (NHA_GROUP_TYPE, &[0, 0])]), is(&[id, group]));
    assert_eq!(is(&[id, group, (NHA_GROUP_TYPE, &[1, 0])]), Inside::Other(None));
    assert_eq!(read(&[id, (NHA_FDB, &[]), gateway]), None);
}
