//! The page in the book that lists the behaviours.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use libtest_mimic::Trial;

use crate::ALL;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/sessions/conformance.md");
const BEGIN: &str =
    "<!-- list: written by UPDATE=1 cargo test -p packhost-sessions --test conformance page -->\n";
const END: &str = "<!-- end of list -->";
/// Fewer would be a list that lost some.
const LEAST: usize = 60;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("the_page_lists_all_behaviours", || {
            lists_all();
            Ok(())
        }),
        Trial::test("every_behaviour_has_a_name_of_its_own", || {
            let names: Vec<_> =
                ALL.iter().flat_map(|(_, all)| *all).map(|behaviour| behaviour.name).collect();
            assert!(names.len() >= LEAST);
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
            Ok(())
        }),
    ]
}

fn table() -> String {
    let mut table = String::new();
    let mut number = 0;
    for (about, behaviours) in ALL {
        write!(table, "\n### {about}\n\n| | Behaviour |\n| ---: | --- |\n").expect("a text takes it");
        for behaviour in *behaviours {
            number += 1;
            let (first, rest) = behaviour.name.split_at(1);
            let sentence = format!("{}{}", first.to_uppercase(), rest.replace('_', " "));
            writeln!(table, "| {number} | {sentence} |").expect("a text takes it");
        }
    }
    table + "\n"
}

fn lists_all() {
    let page = fs::read_to_string(PAGE).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("a place for the list");
    let (_, after) = rest.split_once(END).expect("an end of the list");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var("UPDATE").as_deref() == Ok("1") {
        fs::write(PAGE, wanted).expect("the page can be written");
    } else {
        assert!(
            page == wanted,
            "the list has changed: UPDATE=1 cargo test -p packhost-sessions --test conformance page"
        );
    }
}
