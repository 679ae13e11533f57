//! Values in JSON that is read: in texts, in the names of members, and in numbers.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Number, Value};

use crate::redactor::{Known, Redactor};

impl Redactor {
    /// Takes the values out of every text, every name of a member and every number, however deep. A number that has a value
    /// among its digits becomes a text. Gives how many were replaced.
    ///
    /// Two names that become the same are told apart by a number in the later one, so that no member is lost.
    pub fn json(&self, value: &mut Value) -> usize {
        if self.is_empty() {
            return 0;
        }
        let mut count = 0;
        let mut rest = vec![value];
        while let Some(value) = rest.pop() {
            match value {
                Value::Null | Value::Bool(_) => {}
                Value::Number(number) => {
                    if let Some((text, found)) = self.0.number(number) {
                        count += found;
                        *value = Value::String(text);
                    }
                }
                Value::String(text) => {
                    let (redacted, found) = self.0.text(text);
                    if found > 0 {
                        count += found;
                        *text = redacted.into_owned();
                    }
                }
                Value::Array(items) => rest.extend(items),
                Value::Object(members) => {
                    count += self.names(members);
                    rest.extend(members.values_mut());
                }
            }
        }
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// Renames the members whose names have a value in them.
    fn names(&self, members: &mut Map<String, Value>) -> u64 {
        let count = members.keys().map(|name| self.0.text(name).1).sum();
        if count == 0 {
            return 0;
        }
        let old = std::mem::take(members);
        let mut taken: HashSet<String> =
            old.keys().filter(|name| !self.finds(name.as_bytes())).cloned().collect();
        let mut last = HashMap::new();
        for (name, value) in old {
            let (redacted, found) = self.0.text(&name);
            if found == 0 {
                members.insert(name, value);
                continue;
            }
            let mut name = redacted.clone().into_owned();
            let number = last.entry(redacted.into_owned()).or_insert(1_u64);
            let first = name.clone();
            while !taken.insert(name.clone()) || self.finds(name.as_bytes()) {
                *number += 1;
                // Between two replacements, nothing becomes a value together with what is around it.
                let around = &self.0.replacements[0];
                name = format!("{first}{around}{number}{around}");
            }
            members.insert(name, value);
        }
        count
    }
}

impl Known {
    /// A number with a value in it, as a text without.
    fn number(&self, number: &Number) -> Option<(String, u64)> {
        let (text, found) = (number.to_string(), number.as_f64());
        let (redacted, count) = self.text(&text);
        if count > 0 {
            return Some((redacted.into_owned(), count));
        }
        // Read as a double, a long number loses its last digits, and keeps the others. Not every reader takes the nearest
        // double.
        let is =
            |known: f64| found.is_some_and(|found| (found.abs() - known).abs() <= known * 4.0 * f64::EPSILON);
        let (_, value) = self.numbers.iter().find(|(known, _)| is(*known))?;
        Some((self.replacements[*value].clone(), 1))
    }
}
