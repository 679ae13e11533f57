//! What the operator allows: one sender, and some recipients.

use packhost_sdk::{Error, config};

use crate::address;

/// The operator's `config` for the pack.
#[derive(Debug, Default)]
pub(crate) struct Operator {
    /// The only sender, where there is one.
    from: Option<String>,
    /// Addresses such as `ada@example.com`, and domains such as `@example.com`. `None`: everybody; empty: nobody.
    recipients: Option<Vec<String>>,
}

impl Operator {
    pub(crate) fn configured() -> Result<Self, Error> {
        Ok(Self::new(config::get("from")?, config::get("recipients")?))
    }

    /// `recipients` are separated by commas or spaces.
    pub(crate) fn new(from: Option<String>, recipients: Option<String>) -> Self {
        let listed = |text: String| {
            let words = text.split([',', ' ']).filter(|word| !word.is_empty());
            words.map(str::to_ascii_lowercase).collect()
        };
        Self { from: from.filter(|from| !from.is_empty()), recipients: recipients.map(listed) }
    }

    /// Who sends, where this is what the agent asks for.
    pub(crate) fn sender(&self, asked: Option<&str>) -> Result<String, Error> {
        let asked = asked.map(|asked| address::check(asked, "/from")).transpose()?;
        match (asked, &self.from) {
            (Some(asked), Some(from)) if address::bare(&asked).eq_ignore_ascii_case(address::bare(from)) => {
                Ok(asked)
            }
            (Some(_), Some(from)) => {
                Err(Error::denied(format!("The operator has everything sent from {}.", address::bare(from)))
                    .fix("Leave \"from\" out.")
                    .pointer("/from"))
            }
            (Some(asked), None) => Ok(asked),
            (None, Some(from)) => address::check(from, "/from"),
            (None, None) => {
                Err(Error::invalid_input("\"from\" is missing, and the operator has set no address for it.")
                    .fix("Add \"from\", an address at a domain that the e-mail provider knows as yours.")
                    .pointer("/from"))
            }
        }
    }

    /// Refuses somebody whom the operator does not name.
    pub(crate) fn recipient(&self, address: &str, pointer: &str) -> Result<(), Error> {
        let Some(allowed) = &self.recipients else { return Ok(()) };
        let bare = address::bare(address).to_ascii_lowercase();
        let domain = bare.find('@').map_or("", |at| &bare[at..]);
        if allowed.iter().any(|one| *one == bare || (one.starts_with('@') && one == domain)) {
            return Ok(());
        }
        Err(Error::denied(format!("The operator does not let e-mail go to {bare}."))
            .fix("Send it to somebody else, or ask the operator to add the address to `recipients`.")
            .pointer(pointer))
    }
}
