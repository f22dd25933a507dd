//! Every kind of mistake, and what is said about it.

use starling_config::{Config, Severity};

use super::{files, parse};

#[test]
fn what_is_said_about_bad_files() {
    let files = files("bad");
    assert!(files.len() >= 25);
    for (name, text) in files {
        let said = match parse(&name, &text) {
            Err(errors) => errors.to_string(),
            Ok(_) => panic!("{name} was accepted"),
        };
        assert!(!said.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{name}");
        insta::assert_snapshot!(name, said);
    }
}

#[test]
fn every_error_has_a_place_and_points_into_its_line() {
    for (name, text) in files("bad") {
        let errors = parse(&name, &text).unwrap_err();
        assert!(!errors.errors.is_empty(), "{name}");
        for problem in errors.errors.iter().chain(&errors.warnings) {
            assert_eq!(problem.file, format!("{name}.toml"));
            if problem.line == 0 {
                // Something is missing: there is no line to point at.
                assert!(
                    problem.message.starts_with("there is no [")
                        || problem.message.contains("cannot peer")
                );
                continue;
            }
            let line = text.split('\n').nth(problem.line - 1).expect("a line of the file");
            assert_eq!(line.trim_end_matches('\r'), problem.excerpt);
            let end = problem.column - 1 + problem.width;
            assert!(end <= line.chars().count() + 1, "{name}: {problem}");
        }
        assert!(errors.errors.iter().all(|p| p.severity == Severity::Error));
        assert!(errors.warnings.iter().all(|p| p.severity == Severity::Warning));
    }
}

#[test]
fn one_run_tells_all() {
    let (_, text) = files("bad").into_iter().find(|(name, _)| name == "many-at-once").unwrap();
    let errors = parse("x", &text).unwrap_err();
    let lines: Vec<usize> = errors.errors.iter().map(|problem| problem.line).collect();
    // Address twice, block twice, no address, no pool, unknown key, no AS, hold.
    assert_eq!(lines, [14, 15, 19, 20, 21, 23, 28]);
}

#[test]
fn errors_for_programs_are_json() {
    let errors = Config::parse(&[("a.toml", "[cluster]\nasn = 0\n")]).unwrap_err();
    let json = serde_json::to_value(&errors).unwrap();
    let place = |problem: &serde_json::Value| {
        ["line", "column", "width"].map(|key| problem[key].as_u64().unwrap())
    };
    let (first, second) = (&json["errors"][0], &json["errors"][1]);
    assert_eq!((&first["severity"], &first["file"]), (&"error".into(), &"a.toml".into()));
    assert_eq!(place(first), [2, 7, 1]);
    assert_eq!((place(second), &second["message"]), ([0, 0, 0], &"there is no [[node]]".into()));
    assert!(first["expected"].is_string() && first["hint"].is_string());
}
