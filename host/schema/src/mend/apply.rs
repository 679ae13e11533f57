//! Putting mends into effect, and which of them go together.

use serde_json::Value;

use super::{Mend, MendKind};
use crate::wording;

/// Puts one mend into effect. A mend of a place that is not there does nothing.
pub(super) fn apply(value: &mut Value, mend: &Mend) {
    let parent = wording::split(&mend.pointer);
    match (mend.kind, parent) {
        (MendKind::Renamed, Some((parent, name))) => {
            if let (Some(Value::Object(map)), Value::String(to)) = (value.pointer_mut(parent), &mend.to)
                && let Some(moved) = map.remove(&name)
            {
                map.insert(to.clone(), moved);
            }
        }
        (MendKind::NullDropped, Some((parent, name))) => {
            if let Some(Value::Object(map)) = value.pointer_mut(parent) {
                map.shift_remove(&name);
            }
        }
        (MendKind::Unwrapped, _) => {
            if let Some(inside) = value.pointer_mut(&mend.pointer).map(Value::take) {
                *value = inside;
            }
        }
        _ => {
            if let Some(place) = value.pointer_mut(&mend.pointer) {
                place.clone_from(&mend.to);
            }
        }
    }
}

/// Of several answers, those that can be given together: an answer for a place that has another, different answer is
/// not given, nor is its rival; of a place and one inside it, the first goes and the other waits for the next pass.
pub(super) fn compatible(answers: Vec<Vec<Mend>>) -> Vec<Mend> {
    let contested = |answer: &[Mend]| {
        answers.iter().any(|other| {
            other != answer
                && answer.iter().any(|mend| other.iter().any(|o| o.pointer == mend.pointer && o != mend))
        })
    };
    let mut taken: Vec<&[Mend]> = Vec::new();
    for answer in &answers {
        let free = taken.iter().all(|other| !overlap(other, answer));
        if free && !contested(answer) {
            taken.push(answer);
        }
    }
    taken.concat()
}

fn overlap(these: &[Mend], those: &[Mend]) -> bool {
    let inside = |a: &Mend, b: &Mend| wording::inside(&a.pointer, &b.pointer);
    these.iter().any(|a| those.iter().any(|b| inside(a, b) || inside(b, a)))
}
