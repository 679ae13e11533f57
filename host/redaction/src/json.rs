//! Values in JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::Redactor;

/// Goes through a value without recursion: how deep it is, its maker decided.
pub(crate) fn redact(redactor: &Redactor, value: &mut Value) -> usize {
    let mut count = 0;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = redactor.text(text) {
                    *text = clean;
                    count += 1;
                }
            }
            Value::Number(number) => {
                if let Cow::Owned(clean) = redactor.text(&number.to_string()) {
                    *value = Value::String(clean);
                    count += 1;
                }
            }
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                count += keys(redactor, map);
                open.extend(map.values_mut());
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
    count
}

fn keys(redactor: &Redactor, map: &mut Map<String, Value>) -> usize {
    let count = map.keys().filter(|key| redactor.finds(key.as_bytes())).count();
    if count > 0 {
        let old = std::mem::take(map);
        map.extend(old.into_iter().map(|(key, value)| (redactor.text(&key).into_owned(), value)));
    }
    count
}
