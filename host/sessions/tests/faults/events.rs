//! What the host that faults befall says of what it does, a line for each.

use std::fmt;
use std::io::Write;
use std::str::FromStr;

use packhost_sessions::SandboxId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It serves; with the process that works for it.
    Up(Option<u32>),
    /// A worker has a new sandbox.
    Made(SandboxId),
    /// The put of this number was answered.
    Put(SandboxId, u64),
    /// A worker is about to end it.
    Ending(SandboxId),
    /// A worker has done all that it does with a session.
    Cycle(usize),
    /// A call did not work: in which sandbox, where it had one, and why.
    Failed(Option<SandboxId>, String),
    /// A file that was put is not what it was.
    Lost(SandboxId, u64),
    /// It has ended all of its sessions.
    Drained,
}

impl Event {
    /// On standard output, whole. Whoever listened may be gone.
    pub(crate) fn say(&self) {
        let _ = std::io::stdout().lock().write_all(format!("{self}\n").as_bytes());
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(helper) => write!(f, "up {}", helper.unwrap_or_default()),
            Self::Made(id) => write!(f, "made {id}"),
            Self::Put(id, number) => write!(f, "put {id} {number}"),
            Self::Ending(id) => write!(f, "ending {id}"),
            Self::Cycle(worker) => write!(f, "cycle {worker}"),
            Self::Failed(id, why) => {
                let id = id.as_ref().map_or("-", SandboxId::as_str);
                write!(f, "failed {id} {}", why.replace('\n', " "))
            }
            Self::Lost(id, number) => write!(f, "lost {id} {number}"),
            Self::Drained => f.write_str("drained"),
        }
    }
}

impl FromStr for Event {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.splitn(3, ' ');
        let (word, first, second) = (words.next(), words.next().unwrap_or(""), words.next().unwrap_or(""));
        let id = || first.parse::<SandboxId>().map_err(|error| error.to_string());
        let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
        Ok(match word {
            Some("up") => Self::Up(u32::try_from(number(first)?).ok().filter(|pid| *pid > 0)),
            Some("made") => Self::Made(id()?),
            Some("put") => Self::Put(id()?, number(second)?),
            Some("ending") => Self::Ending(id()?),
            Some("cycle") => Self::Cycle(usize::try_from(number(first)?).unwrap_or_default()),
            Some("failed") => Self::Failed(id().ok(), second.to_owned()),
            Some("lost") => Self::Lost(id()?, number(second)?),
            Some("drained") => Self::Drained,
            _ => return Err(format!("not an event: {line}")),
        })
    }
}
