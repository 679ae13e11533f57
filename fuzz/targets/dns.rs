//! A query to the resolver of a sandbox, which refuses all of them. Whatever is answered, a reader of DNS takes it as the
//! refusal of just that question; it is no longer than what was asked, and no answer is answered again.

use hickory_proto::op::{Message, MessageType, ResponseCode};
use packhost_supervisor::dns::answer;

use crate::within_memory;

pub(crate) fn fuzz(query: &[u8]) {
    let Some(refusal) = within_memory(4096, || answer(query)) else { return };
    assert!(refusal.len() <= query.len(), "whoever asks in another's name sends them no more than was sent");
    assert_eq!(refusal[12..], query[12..refusal.len()], "the question");
    assert_eq!(answer(&refusal), None, "two resolvers would never stop to talk");
    let read = Message::from_vec(&refusal).expect("what is answered is DNS");
    let about = &read.metadata;
    assert_eq!(about.id.to_be_bytes(), query[..2]);
    assert_eq!((about.message_type, about.response_code), (MessageType::Response, ResponseCode::Refused));
    assert_eq!((read.queries.len(), read.answers.len()), (1, 0));
}
