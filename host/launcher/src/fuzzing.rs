//! What nobody but a fuzz target reaches.

use crate::recipe::Recipe;
use crate::wire::{self, Answer, Ask};

/// What the launcher reads in a packet of its host: what a sandbox is to be made from, where that is asked, and the request as
/// it would be written again.
///
/// # Errors
///
/// What the launcher says in place of taking it.
pub fn request(packet: &[u8]) -> Result<(Option<Recipe>, Vec<u8>), String> {
    let request = wire::request(packet).map_err(|reply| match reply.answer {
        Answer::Refused(refusal) => refusal.message,
        other => format!("{other:?}"),
    })?;
    let mut again = Vec::new();
    minicbor::encode(&request, &mut again).map_err(|error| error.to_string())?;
    let recipe = match request.ask {
        Ask::Start(recipe) => Some(*recipe),
        _ => None,
    };
    Ok((recipe, again))
}
