use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use super::{PrefixMap, PrefixQueue};

/// Few enough to meet; host bits are kept, as the kernel's IPv6 keeps them.
fn prefix() -> impl Strategy<Value = IpNet> {
    let (ends, lengths) = (any::<[bool; 2]>(), any::<u8>());
    (any::<bool>(), ends, 0u8..4, lengths).prop_map(|(is_v4, [high, low], middle, length)| {
        let pick = |yes: bool| if yes { 255 } else { 0 };
        if is_v4 {
            let address = Ipv4Addr::new(pick(high), middle, 0, pick(low));
            IpNet::new(address.into(), [0, 1, 24, 31, 32][usize::from(length % 5)]).unwrap()
        } else {
            let mut octets = [0; 16];
            (octets[0], octets[7], octets[15]) = (pick(high), middle, pick(low));
            let length = [0, 1, 64, 127, 128][usize::from(length % 5)];
            IpNet::new(Ipv6Addr::from(octets).into(), length).unwrap()
        }
    })
}

proptest! {
    #[test]
    fn a_map_is_as_one_of_whole_prefixes(
        deeds in prop::collection::vec((prefix(), 0u8..4, any::<u32>()), 0..200), after in prefix(),
    ) {
        let mut map = PrefixMap::default();
        let mut model = BTreeMap::new();
        for (prefix, deed, value) in deeds {
            match deed {
                0 => prop_assert_eq!(map.remove(prefix), model.remove(&prefix)),
                1 => {
                    let there = map.insert_new(prefix, value).copied();
                    prop_assert_eq!(there, model.get(&prefix).copied());
                    model.entry(prefix).or_insert(value);
                }
                _ => prop_assert_eq!(map.insert(prefix, value), model.insert(prefix, value)),
            }
            prop_assert_eq!(map.get(prefix), model.get(&prefix));
            prop_assert_eq!(map.len(), model.len());
        }
        let all: Vec<_> = map.iter().map(|(prefix, value)| (prefix, *value)).collect();
        prop_assert_eq!(&all, &model.clone().into_iter().collect::<Vec<_>>());
        let behind: Vec<_> = map.after(Some(after)).map(|(prefix, _)| prefix).collect();
        let expected: Vec<_> = model.into_keys().filter(|prefix| *prefix > after).collect();
        prop_assert_eq!(behind, expected);
    }

    #[test]
    fn a_queue_gives_each_once_the_last_first(
        deeds in prop::collection::vec(prop::option::weighted(0.7, prefix()), 0..200),
    ) {
        let mut queue = PrefixQueue::default();
        let mut model = BTreeSet::new();
        for deed in deeds {
            match deed {
                Some(prefix) => {
                    queue.push(prefix);
                    model.insert(prefix);
                }
                None => prop_assert_eq!(queue.pop_last(), model.pop_last()),
            }
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert_eq!(queue.to_vec(), model.iter().copied().collect::<Vec<_>>());
        }
    }
}
