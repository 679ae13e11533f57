//! Files in a sandbox. None of these is taken up again when the connection breaks in the middle: what only reads is asked
//! once more where nothing has come yet, and what changes something fails with [`LinkError::Broken`], whether it was done or
//! not. A file that is put is there as a whole or not at all.

use packhost_session_protocol::message::{
    Entry, ExecInput, FileReply, Get, List, MakeDirectory, Opening, Pack, Put, Remove, Rename, Stat, Unpack,
};
use packhost_session_protocol::{FrameError, Frames, Kind, Stream, limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf};

use super::Link;
use super::connection::{answer, within};
use super::error::{LinkError, Trouble};
use super::reader::FileReader;
use super::settings::LinkSettings;

/// What is in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The entries, parents before children. No path leads out of the directory.
    pub entries: Vec<Entry>,
    /// Whether there are more.
    pub more: bool,
}

/// The most that a listing takes of the host's memory, in bytes; what is beyond it counts as more.
pub const LISTING: usize = 32 * 1024 * 1024;

impl Link {
    /// Writes a file with what `content` gives.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`]. The file is not there then, unless it is [`LinkError::Broken`] or [`LinkError::Ended`].
    pub async fn put(&self, put: Put, content: impl AsyncRead + Unpin) -> Result<(), LinkError> {
        self.send(&Opening::Put(put), content).await
    }

    /// Writes the tree in the tar archive that `content` gives.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`]. A part of the tree may be there.
    pub async fn unpack(&self, unpack: Unpack, content: impl AsyncRead + Unpin) -> Result<(), LinkError> {
        self.send(&Opening::Unpack(unpack), content).await
    }

    /// Reads a regular file: what it is, and its bytes.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`]; later ones come out of the reader.
    pub async fn get(&self, get: Get) -> Result<(Entry, FileReader), LinkError> {
        let (most, settings) = (get.length, self.line.settings);
        let opening = Opening::Get(get);
        self.again(async |connection| {
            let mut frames = connection.exchange(&opening).await?;
            let entry = the_entry(&mut frames, settings).await?;
            Ok((entry, FileReader::start(frames, most, settings, connection)))
        })
        .await
    }

    /// Reads a tree as a tar archive.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`]; a refusal too comes out of the reader.
    pub async fn pack(&self, pack: Pack) -> Result<FileReader, LinkError> {
        let opening = Opening::Pack(pack);
        let settings = self.line.settings;
        self.again(async |connection| {
            let frames = connection.exchange(&opening).await?;
            Ok(FileReader::start(frames, None, settings, connection))
        })
        .await
    }

    /// Lists a directory.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`].
    pub async fn list(&self, list: List) -> Result<Listing, LinkError> {
        let (most, settings) = (list.most, self.line.settings);
        let opening = Opening::List(list);
        self.again(async |connection| {
            let mut frames = connection.exchange(&opening).await?;
            entries(&mut frames, most, settings).await
        })
        .await
    }

    /// What is under a name.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`].
    pub async fn stat(&self, stat: Stat) -> Result<Entry, LinkError> {
        let (settings, opening) = (self.line.settings, Opening::Stat(stat));
        self.again(async |connection| {
            let mut frames = connection.exchange(&opening).await?;
            the_entry(&mut frames, settings).await
        })
        .await
    }

    /// Removes a file or directory.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`].
    pub async fn remove(&self, remove: Remove) -> Result<(), LinkError> {
        self.change(&Opening::Remove(remove)).await
    }

    /// Makes a directory and those above it.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`].
    pub async fn make_directory(&self, directory: MakeDirectory) -> Result<(), LinkError> {
        self.change(&Opening::MakeDirectory(directory)).await
    }

    /// Gives a file or directory another name.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`].
    pub async fn rename(&self, rename: Rename) -> Result<(), LinkError> {
        self.change(&Opening::Rename(rename)).await
    }

    /// One change, asked for once.
    async fn change(&self, opening: &Opening) -> Result<(), LinkError> {
        let connection = self.line.connection().await?;
        let mut frames = connection.exchange(opening).await.map_err(Trouble::last)?;
        let done = within(self.line.settings.silent_for, done(&mut frames)).await;
        done.and_then(|done| done).map_err(Trouble::last)
    }

    async fn send(&self, opening: &Opening, content: impl AsyncRead + Unpin) -> Result<(), LinkError> {
        let settings = self.line.settings;
        let connection = self.line.connection().await?;
        let frames = connection.exchange(opening).await.map_err(Trouble::last)?;
        sent(frames, content, settings).await.map_err(Trouble::last)
    }
}

/// Sends content and waits for the answer, which may come early where it is a refusal.
async fn sent(
    frames: Frames<Stream>,
    content: impl AsyncRead + Unpin,
    settings: LinkSettings,
) -> Result<(), Trouble> {
    let (reading, writing) = tokio::io::split(frames.into_inner());
    let mut replies: Frames<ReadHalf<Stream>> = Frames::new(reading);
    let mut writing = Frames::new(writing);
    let reply = done(&mut replies);
    tokio::pin!(reply);
    let fed = tokio::select! {
        early = &mut reply => {
            early?;
            return Err(Trouble::protocol("it says that a file is written whose end it has not seen"));
        }
        fed = feed(&mut writing, content, settings) => fed,
    };
    match fed {
        Ok(()) => within(settings.silent_for, reply).await?,
        Err(error @ Trouble::Over(_)) => Err(error),
        // It may have refused before it stopped to listen.
        Err(broke) => match within(settings.answer_within, reply).await {
            Ok(Err(refused @ Trouble::Over(_))) => Err(refused),
            _ => Err(broke),
        },
    }
}

/// Writes all of the content. Only the supervisor has to be quick: whoever gives the content may take their time.
async fn feed(
    frames: &mut Frames<impl AsyncWrite + Unpin>,
    mut content: impl AsyncRead + Unpin,
    settings: LinkSettings,
) -> Result<(), Trouble> {
    let limit = settings.silent_for;
    let mut buffer = vec![0; limits::DATA];
    loop {
        match content.read(&mut buffer).await {
            Ok(0) => break,
            Ok(count) => within(limit, frames.data(Kind::Input, &buffer[..count])).await??,
            Err(error) => return Err(Trouble::Over(LinkError::Content(error.to_string()))),
        }
    }
    Ok(within(limit, frames.say(&ExecInput::End)).await??)
}

/// The answer to a change.
async fn done(frames: &mut Frames<impl AsyncRead + Unpin>) -> Result<(), Trouble> {
    match answer(frames).await? {
        FileReply::Done => Ok(()),
        FileReply::Refused(refusal) => Err(Trouble::refused(refusal)),
        FileReply::Entry(_) | FileReply::More => Err(Trouble::protocol("it answers a change with an entry")),
    }
}

/// The answer that is one entry.
async fn the_entry(frames: &mut Frames<Stream>, settings: LinkSettings) -> Result<Entry, Trouble> {
    match within(settings.silent_for, answer(frames)).await?? {
        FileReply::Entry(entry) => checked(entry),
        FileReply::Refused(refusal) => Err(Trouble::refused(refusal)),
        FileReply::Done | FileReply::More => Err(Trouble::protocol("it does not say what a file is")),
    }
}

async fn entries(frames: &mut Frames<Stream>, most: u64, settings: LinkSettings) -> Result<Listing, Trouble> {
    let mut listing = Listing { entries: Vec::new(), more: false };
    let mut size = 0;
    loop {
        match within(settings.silent_for, answer(frames)).await?? {
            FileReply::Entry(entry) => {
                let entry = checked(entry)?;
                if listing.entries.len() as u64 >= most {
                    return Err(Trouble::protocol(format!(
                        "it lists more than the {most} entries asked for"
                    )));
                }
                size +=
                    size_of::<Entry>() + entry.path.len() + entry.target.as_ref().map_or(0, |to| to.len());
                if size > LISTING {
                    listing.more = true;
                    return Ok(listing);
                }
                listing.entries.push(entry);
            }
            FileReply::Done => return Ok(listing),
            FileReply::More => {
                listing.more = true;
                return Ok(listing);
            }
            FileReply::Refused(refusal) => return Err(Trouble::refused(refusal)),
        }
    }
}

/// An entry whose path stays below what was asked for: whoever joins it to a directory of the host stays in there.
fn checked(entry: Entry) -> Result<Entry, Trouble> {
    let path: &[u8] = &entry.path;
    let long = path.len() > limits::PATH || entry.target.as_ref().is_some_and(|to| to.len() > limits::PATH);
    let plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    if long || !(path.is_empty() || path.split(|byte| *byte == b'/').all(plain)) {
        return Err(Trouble::protocol("it names a path that is too long, absolute, or leads somewhere else"));
    }
    Ok(entry)
}

/// What comes next of a file's bytes.
pub(super) enum Part {
    Bytes(Vec<u8>),
    End,
}

/// The next bytes of a file or an archive.
pub(super) async fn part(frames: &mut Frames<Stream>) -> Result<Part, Trouble> {
    let frame = frames.next().await?.ok_or(FrameError::Cut)?;
    match frame.kind {
        Kind::Output => Ok(Part::Bytes(frame.payload)),
        Kind::Message => match super::connection::read(&frame)? {
            FileReply::Done => Ok(Part::End),
            FileReply::Refused(refusal) => Err(Trouble::refused(refusal)),
            FileReply::Entry(_) | FileReply::More => Err(Trouble::protocol("it lists where it was to read")),
        },
        kind => Err(FrameError::Unexpected(kind).into()),
    }
}
