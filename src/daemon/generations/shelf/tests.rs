use std::os::unix::fs::PermissionsExt;

use super::*;

fn generation(number: u64, text: &str) -> Generation {
    let files = [("/etc/starling/cluster.toml", text), ("/etc/starling/nodes.d/a.toml", "# a\n")];
    Generation {
        number,
        since: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + number),
        source: "bgpctl apply \"new\n.toml\"".to_owned(),
        // A record without one has no word of it, as those of former releases.
        reason: if number.is_multiple_of(3) { "new rack" } else { "" }.to_owned(),
        changes: vec!["~ [kernel] metric: 0 -> 100".to_owned()],
        confirmed: number.is_multiple_of(2),
        texts: files.into_iter().map(|(path, text)| (path.into(), text.to_owned())).collect(),
    }
}

fn read_all(shelf: &Shelf) -> (Vec<Generation>, u64, Vec<String>) {
    let Found { generations, complaints } = shelf.read(Path::new("/etc/starling/cluster.toml"));
    (generations.iter().cloned().collect(), generations.next(), complaints)
}

#[test]
fn what_was_kept_is_found_again_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("var/lib");
    let shelf = Shelf::open(&state).unwrap();
    assert_eq!(read_all(&shelf), (vec![], 1, vec![]));
    let all: Vec<Generation> = (1..=12).map(|n| generation(n, &format!("# {n} ü\n"))).collect();
    for one in &all {
        shelf.keep(one, one.number.checked_sub(KEPT as u64).filter(|n| *n > 0)).unwrap();
    }
    let (found, next, complaints) = read_all(&Shelf::open(&state).unwrap());
    assert_eq!((found.as_slice(), next, complaints.as_slice()), (&all[2..], 13, &[][..]));
    // Confirmed later, it takes its own place.
    let confirmed = Generation { confirmed: true, ..all[10].clone() };
    shelf.keep(&confirmed, None).unwrap();
    assert_eq!(read_all(&shelf).0[8], confirmed);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state.join("generations")), 0o700);
    assert_eq!(mode(&shelf.place(12)), 0o600);
    let names = fs::read_dir(&shelf.folder).unwrap().count();
    assert_eq!(names, KEPT, "nothing is left beside them, and no more than are kept");
}

#[test]
fn what_is_broken_is_told_and_left_and_its_number_is_not_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(folder.path()).unwrap();
    shelf.keep(&generation(1, "a"), None).unwrap();
    fs::copy(shelf.place(1), shelf.place(2)).unwrap();
    let whole = fs::read(shelf.place(1)).unwrap();
    fs::write(shelf.place(3), &whole[..whole.len() / 2]).unwrap();
    fs::write(shelf.place(4), "").unwrap();
    let other = String::from_utf8(whole).unwrap().replace("\"form\":1", "\"form\":9");
    fs::write(shelf.place(5), other.replace("\"number\":1", "\"number\":5")).unwrap();
    fs::create_dir(shelf.place(6)).unwrap();
    // What is no number is not ours; what was being written when the power went is nothing.
    fs::write(shelf.folder.join("notes.json"), "x").unwrap();
    fs::write(shelf.folder.join(".7.new"), "{").unwrap();
    let (found, next, complaints) = read_all(&shelf);
    assert_eq!((found, next), (vec![generation(1, "a")], 7));
    assert_eq!(complaints.len(), 5, "{complaints:?}");
    for (complaint, (name, why)) in complaints.iter().zip([
        ("2.json", "it is configuration 1"),
        ("3.json", "EOF"),
        ("4.json", "EOF"),
        ("5.json", "form 9 is not known here"),
        ("6.json", "directory"),
    ]) {
        assert!(complaint.contains(name) && complaint.contains(why), "{complaint}");
    }
    assert!(shelf.place(3).exists(), "it may be somebody's only copy");
}

#[test]
fn the_past_of_another_file_is_no_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(folder.path()).unwrap();
    shelf.keep(&generation(3, "a"), None).unwrap();
    let Found { generations, complaints } = shelf.read(Path::new("/etc/other.toml"));
    assert!(complaints.is_empty() && generations.newest().is_none());
    assert_eq!(generations.next(), 4);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(folder.path()).unwrap();
    fs::remove_dir(&shelf.folder).unwrap();
    assert!(shelf.keep(&generation(1, "a"), None).is_err());
    let (found, _, complaints) = read_all(&shelf);
    assert!(found.is_empty() && complaints.len() == 1, "{complaints:?}");
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(Shelf::open(&folder.path().join("file")).is_err());
}
