//! A query to the resolver of a sandbox, which knows no name. Whatever is answered, a reader of DNS takes it as the
//! answer to just that question; it is no longer than what was asked, and no answer is answered again.

use hickory_proto::op::{Message, MessageType, ResponseCode};
use packhost_supervisor::dns::answer;

use crate::within_memory;

pub(crate) fn fuzz(query: &[u8]) {
    let Some(said) = within_memory(4096, || answer(query)) else { return };
    assert!(said.len() <= query.len(), "whoever asks in another's name sends them no more than was sent");
    assert_eq!(said[12..], query[12..said.len()], "the question");
    assert_eq!(answer(&said), None, "two resolvers would never stop to talk");
    let read = Message::from_vec(&said).expect("what is answered is DNS");
    let about = &read.metadata;
    assert_eq!(about.id.to_be_bytes(), query[..2]);
    assert_eq!((about.message_type, about.response_code), (MessageType::Response, ResponseCode::NXDomain));
    assert_eq!((read.queries.len(), read.answers.len()), (1, 0));
}
