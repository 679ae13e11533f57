//! Supervisors that lie, babble, flood or say nothing: an error with a sentence, in bounded memory and time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use packhost_session_protocol::message::{
    Attached, EntryKind, ExecId, ExecOutput, Executed, Fault, FileReply, Opening, Refusal, Welcome,
};
use packhost_session_protocol::{FrameError, Frames, Kind, Mux, Role, Stream, limits};
use packhost_sessions::link::{Command, Exec, LISTING, Link, LinkError};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::fake::{exit, welcome};
use crate::files::{entry, get, list, put, stat};
use crate::wire::{FakeRuntime, Peer};

type Said = Pin<Box<dyn Future<Output = Result<(), FrameError>> + Send>>;

/// Greets well, and then does this with every exchange.
fn evil<F>(what: impl Fn(Opening, Frames<Stream>) -> F + Send + Sync + Clone + 'static) -> Arc<dyn Peer>
where
    F: Future<Output = Result<(), FrameError>> + Send + 'static,
{
    let what = Arc::new(move |opening, frames| -> Said { Box::pin(what(opening, frames)) });
    Arc::new(move |stream: DuplexStream| {
        let what = Arc::clone(&what);
        tokio::spawn(async move {
            let (_mux, mut incoming) = Mux::start(stream, Role::Supervisor);
            while let Some(stream) = incoming.next().await {
                let mut frames = Frames::new(stream);
                let what = Arc::clone(&what);
                tokio::spawn(async move {
                    match frames.message().await? {
                        Opening::Hello(_) => frames.say(&welcome()).await,
                        opening => what(opening, frames).await,
                    }
                });
            }
        });
    })
}

/// Starts every program, and then does this.
fn evil_program<F>(what: impl Fn(Frames<Stream>) -> F + Send + Sync + Clone + 'static) -> Arc<dyn Peer>
where
    F: Future<Output = Result<(), FrameError>> + Send + 'static,
{
    evil(move |_, mut frames| {
        let what = what.clone();
        async move {
            frames.say(&Executed::Attached(attached(0, 0))).await?;
            what(frames).await
        }
    })
}

fn attached(stdin: u64, stdout: u64) -> Attached {
    Attached { pid: 1, stdin, stdout, stderr: 0 }
}

async fn link(peer: Arc<dyn Peer>) -> Link {
    FakeRuntime::new(peer, []).link().await.expect("a link")
}

async fn exec(peer: Arc<dyn Peer>) -> Result<Exec, LinkError> {
    link(peer).await.exec(Command::new("x").stdin()).await
}

fn is_protocol<T>(result: Result<T, LinkError>) -> bool {
    match result {
        Err(error @ LinkError::Protocol(_)) => error.to_string().len() < 300,
        _ => false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_never_greets_is_given_up() {
    let silent = Arc::new(|stream: DuplexStream| {
        tokio::spawn(async move {
            let _stream = stream;
            std::future::pending::<()>().await;
        });
    });
    let broken = FakeRuntime::new(silent, []).link().await.err();
    assert!(matches!(broken, Some(LinkError::Broken(_))), "{broken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_speaks_no_protocol_at_all_is_given_up() {
    let babble = Arc::new(|mut stream: DuplexStream| {
        tokio::spawn(async move { while stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await.is_ok() {} });
    });
    let broken = FakeRuntime::new(babble, []).link().await.err();
    assert!(matches!(broken, Some(LinkError::Broken(_))), "{broken:?}");
}

#[tokio::test]
async fn another_version_is_a_reason_not_to_try_again() {
    let old = Arc::new(|stream: DuplexStream| {
        tokio::spawn(async move {
            let (_mux, mut incoming) = Mux::start(stream, Role::Supervisor);
            let mut frames = Frames::new(incoming.next().await.expect("an exchange"));
            let _ = frames.message::<Opening>().await;
            let _ = frames.say(&Welcome { version: limits::VERSION + 1, ..welcome() }).await;
            while incoming.next().await.is_some() {}
        });
    });
    let runtime = FakeRuntime::new(old, []);
    assert!(is_protocol(runtime.link().await));
    assert_eq!(runtime.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_never_answered_is_given_up() {
    let broken = exec(evil(async |_, _frames| std::future::pending().await)).await.err();
    assert!(matches!(broken, Some(LinkError::Broken(_))), "{broken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_exchange_is_always_closed_is_given_up() {
    let broken = exec(evil(async |_, _| Ok(()))).await.err();
    assert!(matches!(broken, Some(LinkError::Broken(_))), "{broken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_answer_pings_is_replaced() {
    let pings = Arc::new(AtomicUsize::new(0));
    let count = pings.clone();
    let deaf = evil(move |opening, mut frames| {
        let first = matches!(opening, Opening::Ping) && count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if first {
                std::future::pending::<()>().await;
            }
            frames.say(&Refusal::new(Fault::Unsupported, "no")).await
        }
    });
    let runtime = FakeRuntime::new(deaf, []);
    let _link = runtime.link().await.expect("a link");
    while runtime.opened() < 2 || pings.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(runtime.opened(), 2, "a refusal is an answer");
}

#[tokio::test]
async fn a_giant_frame_is_refused_before_it_is_read() {
    for head in [[0, 0xff, 0xff, 0xff], [1, 0x01, 0x00, 0x01], [9, 0, 0, 0]] {
        let giant = evil(move |_, mut frames| async move {
            frames.get_mut().write_all(&head).await?;
            std::future::pending().await
        });
        assert!(is_protocol(exec(giant).await));
    }
}

#[tokio::test]
async fn an_answer_of_another_kind_is_refused() {
    assert!(is_protocol(exec(evil(async |_, mut frames| frames.say(&FileReply::More).await)).await));
    assert!(is_protocol(exec(evil(async |_, mut frames| frames.data(Kind::Output, b"x").await)).await));
    let input = evil_program(async |mut frames| frames.data(Kind::Input, b"x").await);
    assert!(is_protocol(exec(input).await.expect("a program").wait().await));
    let nonsense = evil_program(async |mut frames| frames.say(&welcome()).await);
    assert!(is_protocol(exec(nonsense).await.expect("a program").wait().await));
}

#[tokio::test]
async fn offsets_that_cannot_be_are_refused() {
    let starts = |stdin, stdout| {
        evil(
            move |_, mut frames| async move { frames.say(&Executed::Attached(attached(stdin, stdout))).await },
        )
    };
    for (stdin, stdout) in [(1, 0), (u64::MAX, 0), (0, 1), (0, u64::MAX)] {
        assert!(is_protocol(exec(starts(stdin, stdout)).await), "{stdin} {stdout}");
    }
    for (stdin, stdout) in [(u64::MAX, 0), (0, u64::MAX)] {
        let link = link(starts(stdin, stdout)).await;
        assert!(is_protocol(link.attach(ExecId([1; 16])).await), "{stdin} {stdout}");
    }
    for stdin in [1, u64::MAX] {
        let peer = evil_program(move |mut frames| async move {
            frames.say(&ExecOutput::Confirm { stdin }).await?;
            std::future::pending().await
        });
        assert!(is_protocol(exec(peer).await.expect("a program").wait().await));
    }
}

#[tokio::test]
async fn output_beyond_what_may_be_unconfirmed_is_refused() {
    for kind in [Kind::Output, Kind::Error] {
        let flood = evil_program(move |mut frames| async move {
            loop {
                frames.data(kind, &[7; limits::DATA]).await?;
            }
        });
        let mut exec = exec(flood).await.expect("a program");
        let mut output = if kind == Kind::Output { exec.stdout() } else { exec.stderr() }.expect("an output");
        // Nobody reads this output until it is over; the other one is thrown away.
        assert!(is_protocol(exec.wait().await));
        let mut rest = Vec::new();
        assert!(output.read_to_end(&mut rest).await.is_err());
        assert!(rest.len() <= limits::UNCONFIRMED);
    }
}

#[tokio::test]
async fn endless_messages_that_say_nothing_are_refused() {
    let confirms = evil_program(async |mut frames| {
        loop {
            frames.say(&ExecOutput::Confirm { stdin: 0 }).await?;
        }
    });
    assert!(is_protocol(exec(confirms).await.expect("a program").wait().await));
    let empty = evil_program(async |mut frames| {
        loop {
            frames.get_mut().write_all(&[2, 0, 0, 0]).await?;
        }
    });
    assert!(is_protocol(exec(empty).await.expect("a program").wait().await));
}

#[tokio::test]
async fn what_comes_after_the_end_is_not_heard() {
    let talkative = evil_program(async |mut frames| {
        frames.data(Kind::Output, b"all").await?;
        frames.say(&ExecOutput::Exited(exit(Some(0), None))).await?;
        frames.data(Kind::Output, b"more").await?;
        frames.say(&ExecOutput::Exited(exit(Some(1), None))).await
    });
    let finished = exec(talkative).await.expect("a program").output(100).await.expect("an end");
    assert_eq!((finished.exit.code, finished.stdout), (Some(0), b"all".to_vec()));
}

#[tokio::test]
async fn a_long_refusal_is_cut() {
    let verbose =
        evil(async |_, mut frames| frames.say(&Refusal::new(Fault::Failed, "é\n".repeat(300_000))).await);
    let link = link(verbose).await;
    let Err(LinkError::Refused(refusal)) = link.usage().await else { panic!("an answer") };
    assert!(refusal.message.len() <= 500 && !refusal.message.contains('\n'));
    assert!(matches!(link.ping().await, Err(LinkError::Refused(_))));
    assert!(matches!(link.execs().await, Err(LinkError::Refused(_))));
}

#[tokio::test]
async fn listings_that_lie_are_refused() {
    let names: [&[u8]; 6] =
        [b"/etc/passwd", b"../up", b"a/../../b", b"a//b", b"a\0b", &[b'x'; limits::PATH + 1]];
    for name in names {
        let peer = evil(move |_, mut frames| async move {
            frames.say(&FileReply::Entry(entry(name, None))).await?;
            frames.say(&FileReply::Done).await
        });
        let link = link(peer).await;
        assert!(is_protocol(link.list(list(b"/", 9)).await), "{name:?}");
        assert!(is_protocol(link.stat(stat(b"/")).await), "{name:?}");
    }
    let endless = || {
        evil(async |_, mut frames| {
            loop {
                frames.say(&FileReply::Entry(entry(&[b'x'; limits::PATH], None))).await?;
            }
        })
    };
    assert!(is_protocol(link(endless()).await.list(list(b"/", 100)).await));
    let listing = link(endless()).await.list(list(b"/", u64::MAX)).await.expect("a beginning");
    assert!(listing.more && listing.entries.len() <= LISTING / limits::PATH);
    assert!(listing.entries.iter().all(|entry| entry.kind == EntryKind::Directory));
}

#[tokio::test]
async fn files_that_lie_are_refused() {
    let early = evil(async |_, mut frames| {
        frames.say(&FileReply::Done).await?;
        std::future::pending().await
    });
    assert!(is_protocol(link(early).await.put(put(b"/a"), tokio::io::repeat(1)).await));
    let early = evil(async |_, mut frames| frames.say(&FileReply::Done).await);
    assert!(is_protocol(link(early).await.get(get(b"/a")).await));

    let more = evil(async |_, mut frames| {
        frames.say(&FileReply::Entry(entry(b"", Some(&Vec::new())))).await?;
        frames.data(Kind::Output, &[1; 1000]).await?;
        frames.say(&FileReply::Done).await
    });
    let mut part = get(b"/a");
    part.length = Some(999);
    let (_, mut reader) = link(more).await.get(part).await.expect("a file");
    assert!(reader.read_to_end(&mut Vec::new()).await.is_err());

    let empty = evil(async |_, mut frames| {
        frames.say(&FileReply::Entry(entry(b"", Some(&Vec::new())))).await?;
        loop {
            frames.get_mut().write_all(&[2, 0, 0, 0]).await?;
        }
    });
    let (_, mut reader) = link(empty).await.get(get(b"/a")).await.expect("a file");
    assert!(reader.read_to_end(&mut Vec::new()).await.is_err());

    let cut = evil(async |_, mut frames| {
        frames.say(&FileReply::Entry(entry(b"", Some(&Vec::new())))).await?;
        frames.data(Kind::Output, &[1; 1000]).await
    });
    let (_, mut reader) = link(cut).await.get(get(b"/a")).await.expect("a file");
    assert!(reader.read_to_end(&mut Vec::new()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn files_that_never_come_or_are_never_taken_are_given_up() {
    let silent = || evil(async |_, _frames| std::future::pending().await);
    let broken = link(silent()).await.put(put(b"/a"), tokio::io::repeat(1)).await.err();
    assert!(matches!(broken, Some(LinkError::Broken(_))), "{broken:?}");
    let broken = link(silent()).await.stat(stat(b"/a")).await.err();
    assert!(matches!(broken, Some(LinkError::Broken(_))), "{broken:?}");
    let broken = link(silent()).await.get(get(b"/a")).await.err();
    assert!(matches!(broken, Some(LinkError::Broken(_))), "{broken:?}");
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let output = prop_oneof![
        any::<u64>().prop_map(|stdin| ExecOutput::Confirm { stdin }),
        Just(ExecOutput::StdinClosed),
        any::<(Option<u8>, Option<u8>)>().prop_map(|(code, signal)| ExecOutput::Exited(exit(code, signal))),
    ];
    let said = prop_oneof![
        output.prop_map(|message| minicbor::to_vec(message).expect("a vector")),
        any::<(u64, u64)>().prop_map(|(stdin, stdout)| {
            minicbor::to_vec(Executed::Attached(attached(stdin, stdout))).expect("a vector")
        }),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let kind = prop_oneof![4 => Just(0_u8), 2 => Just(2), 2 => Just(3), 1 => any::<u8>()];
    (kind, said).prop_map(|(kind, said)| {
        let length = u32::try_from(said.len()).expect("a length").to_be_bytes();
        [&[kind], &length[1..], &said].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_supervisor_says_a_call_ends(frames in prop::collection::vec(frame(), 0..12), greets in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let babble = Arc::new(frames.concat());
            let peer = evil(move |_, mut frames| {
                let babble = babble.clone();
                async move {
                    if greets {
                        frames.say(&Executed::Attached(attached(0, 0))).await?;
                    }
                    frames.get_mut().write_all(&babble).await?;
                    Ok(())
                }
            });
            let link = link(peer).await;
            let command = Command::new("x").timeout(std::time::Duration::from_secs(60));
            if let Ok(exec) = link.exec(command).await {
                let _ = exec.output(100).await;
            }
            if let Ok(exec) = link.attach(ExecId([3; 16])).await {
                exec.kill();
                let _ = exec.output(100).await;
            }
            let _ = (link.stat(stat(b"/a")).await, link.list(list(b"/a", 2)).await, link.usage().await);
            let _ = link.put(put(b"/a"), &b"content"[..]).await;
            if let Ok((_, mut reader)) = link.get(get(b"/a")).await {
                let _ = reader.read_to_end(&mut Vec::new()).await;
            }
        });
    }
}
