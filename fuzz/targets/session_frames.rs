//! What the other side of the session protocol may send, as either side reads it: frames out of arbitrary bytes, and in each
//! message frame every type that comes in one. Nothing panics, nothing is taken beyond its bound, and what is read and
//! written again is read as the same.

use std::fmt::Debug;

use packhost_session_protocol::message::{
    ExecInput, ExecOutput, Executed, FileReply, Forwarded, Leaving, Opening, Pong, Refusal, RunningExecs,
    Usage, Welcome,
};
use packhost_session_protocol::{Frame, FrameError, Frames, Kind, limits};

use crate::{now, within_memory};

/// More frames than this in one input say nothing new.
const FRAMES: usize = 64;

/// What reading a message takes, whatever it is, and what one byte of it may cost: a place in a list.
const MEMORY: (usize, usize) = (64 << 10, 256);

pub(crate) fn fuzz(bytes: &[u8]) {
    let mut frames = Frames::new(bytes);
    for _ in 0..FRAMES {
        // A length that is said takes no more than a frame may have.
        let read = within_memory(limits::MESSAGE + (64 << 10), || now(frames.next()));
        match read {
            Ok(Some(frame)) => holds(&frame),
            Ok(None) => return,
            Err(error) => {
                assert!(!matches!(error, FrameError::Message(_)), "a frame is no message yet");
                assert!(error.to_string().len() < 200, "an error stays short");
                return;
            }
        }
    }
}

fn holds(frame: &Frame) {
    assert!(frame.payload.len() <= frame.kind.limit());
    if frame.kind != Kind::Message {
        assert!(matches!(frame.message::<Opening>(), Err(FrameError::Unexpected(_))));
        let mut written = Vec::new();
        now(Frames::new(&mut written).data(frame.kind, &frame.payload)).expect("a vector takes it");
        let again = now(Frames::new(written.as_slice()).next()).expect("a frame");
        assert_eq!(again.as_ref(), Some(frame).filter(|frame| !frame.payload.is_empty()));
        return;
    }
    // What a supervisor reads.
    means_the_same::<Opening>(frame);
    means_the_same::<ExecInput>(frame);
    // What a host reads.
    means_the_same::<Leaving>(frame);
    means_the_same::<Welcome>(frame);
    means_the_same::<Executed>(frame);
    means_the_same::<ExecOutput>(frame);
    means_the_same::<FileReply>(frame);
    means_the_same::<Forwarded>(frame);
    means_the_same::<Usage>(frame);
    means_the_same::<Pong>(frame);
    means_the_same::<RunningExecs>(frame);
    means_the_same::<Refusal>(frame);
}

/// What is read as this message is written so that it is read as the same. A message may be written longer than it was
/// read, where a list of this version's places is longer than what came; beyond the bound, writing it is an error.
fn means_the_same<M>(frame: &Frame)
where
    M: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> + PartialEq + Debug,
{
    let most = MEMORY.0 + MEMORY.1 * frame.payload.len();
    let Ok(message) = within_memory(most, || frame.message::<M>()) else { return };
    let mut written = Vec::new();
    match now(Frames::new(&mut written).say(&message)) {
        Ok(()) => {
            let again =
                now(Frames::new(written.as_slice()).message::<M>()).expect("what was written is read");
            assert_eq!(again, message);
        }
        Err(FrameError::TooLong { length, limit }) => assert!(length > limit),
        Err(error) => panic!("{message:?} cannot be written: {error}"),
    }
}
