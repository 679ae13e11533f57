//! What can be a value.

use packhost_vault::{Secret, SecretError};

/// A value with a line break in it would be two fields of a request where one was meant.
#[test]
fn no_control_character_stands_anywhere_in_a_value() {
    let controls: Vec<char> =
        (0..=0x9f).filter_map(char::from_u32).filter(|char| char.is_control()).collect();
    assert_eq!(controls.len(), 32 + 1 + 32);
    for control in controls {
        for text in [
            format!("{control}a good value"),
            format!("a good {control}value"),
            format!("a good value{control}"),
            format!("a good\r\nx-evil: {control}value"),
        ] {
            let refused = Secret::new(text.as_bytes()).expect_err("a control character");
            assert!(matches!(refused, SecretError::Control), "{text:?}: {refused}");
            assert!(!format!("{refused} {refused:?}").contains("good"), "{refused}");
        }
    }
    assert!(Secret::new("a good value, with ünïcode".as_bytes()).is_ok());
}
