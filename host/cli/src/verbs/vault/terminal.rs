//! Lines that are typed at the terminal and not shown.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::exit::Error;

/// The most bytes of a line, with its end, that a terminal hands on; what is typed beyond them is lost (termios(3)).
const LINE: usize = 4096;
/// What Ctrl-C is as a character.
const CTRL_C: u8 = 3;

/// The terminal of this process, showing nothing of what is typed until it is dropped.
pub(super) struct Hidden {
    terminal: File,
    before: Termios,
}

impl Hidden {
    /// What was typed before is thrown away.
    pub(super) fn start() -> Result<Self, Error> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(absent)?;
        let before = tcgetattr(&terminal).map_err(|error| absent(error.into()))?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        quiet.local_modes.insert(LocalModes::ICANON);
        // Ctrl-C would end the process and leave the terminal as it is now. So it ends the line, and is seen in it.
        quiet.local_modes.remove(LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        let hidden = Self { terminal, before };
        tcsetattr(&hidden.terminal, OptionalActions::Flush, &quiet).map_err(|error| absent(error.into()))?;
        Ok(hidden)
    }

    /// Asks for a line.
    pub(super) fn ask(&mut self, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.say(prompt)?;
        // The room for all of it: one that grows leaves copies behind.
        let mut line = Zeroizing::new(vec![0; LINE]);
        let length = loop {
            match self.terminal.read(&mut line) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(failed)?,
            }
        };
        line.truncate(length);
        self.say("\n")?;
        match line.pop() {
            Some(b'\n') if length < LINE => Ok(line),
            Some(CTRL_C) | None => Err(Error::Interrupted),
            Some(b'\n') => {
                let sentence =
                    format!("a terminal hands on less than {LINE} bytes of a line; give it on stdin");
                Err(Error::failed(sentence))
            }
            Some(_) => Err(Error::failed("a line ends with Enter; nothing was changed")),
        }
    }

    fn say(&mut self, words: &str) -> Result<(), Error> {
        self.terminal.write_all(words.as_bytes()).map_err(failed)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // The other lines of something that was pasted must not become commands of the shell. A terminal that is gone
        // needs nothing.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn absent(error: io::Error) -> Error {
    let sentence =
        "there is no terminal to ask at; where the file is named, the passphrase is read from stdin";
    Error::failed(format!("{sentence} ({error})"))
}

fn failed(error: io::Error) -> Error {
    Error::failed(format!("the terminal: {error}"))
}
