//! The command line.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

/// What the program is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Options {
    /// Be the supervisor.
    Serve(Serve),
    /// Copy standard input and output to the supervisor that listens on this socket.
    Bridge(PathBuf),
}

/// How to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// Where hosts connect.
    pub listen: Listen,
    /// How long to wait for a host that is not connected; none for ever.
    pub orphaned_after: Option<Duration>,
    /// The port of the proxy on 127.0.0.1; none for no proxy.
    pub proxy_port: Option<u16>,
}

/// Where hosts connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An inherited Unix socket that listens already.
    Descriptor(RawFd),
    /// A Unix socket to make here, for this user alone.
    Path(PathBuf),
}

/// What is wrong with a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// No verb, or another one.
    #[error(
        "say `serve (--listen-fd N | --listen PATH) [--orphaned-after MS] [--proxy-port PORT]` or `bridge PATH`"
    )]
    Verb,
    /// An option that is not known here.
    #[error("the option {0:?} is not known")]
    Unknown(OsString),
    /// An option without a value, or with one that it cannot have.
    #[error("{0} needs a value: {1}")]
    Value(&'static str, &'static str),
    /// Not one place to listen at.
    #[error("give one of --listen-fd and --listen")]
    Listen,
}

/// Reads the arguments, without the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Options, OptionsError> {
    let mut arguments = arguments.into_iter();
    let verb = arguments.next().ok_or(OptionsError::Verb)?;
    match verb.to_str() {
        Some("serve") => serve(arguments).map(Options::Serve),
        Some("bridge") => match (arguments.next(), arguments.next()) {
            (Some(path), None) => Ok(Options::Bridge(path.into())),
            _ => Err(OptionsError::Verb),
        },
        _ => Err(OptionsError::Verb),
    }
}

fn serve(mut arguments: impl Iterator<Item = OsString>) -> Result<Serve, OptionsError> {
    let (mut listen, mut orphaned_after, mut proxy_port) = (Vec::new(), None, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next();
        match name.to_str() {
            Some("--listen-fd") => {
                let fd = number(value, "--listen-fd", "the number of an open descriptor, 3 or more")?;
                listen.push(Listen::Descriptor(fd));
            }
            Some("--listen") => {
                let path = value.filter(|path| !path.is_empty());
                let path = path.ok_or(OptionsError::Value("--listen", "the path of a socket"))?;
                listen.push(Listen::Path(path.into()));
            }
            Some("--orphaned-after") => {
                let after = number(value, "--orphaned-after", "milliseconds")?;
                orphaned_after = Some(Duration::from_millis(after));
            }
            Some("--proxy-port") => proxy_port = Some(number(value, "--proxy-port", "a port, 1 to 65535")?),
            _ => return Err(OptionsError::Unknown(name)),
        }
    }
    let [listen] = <[Listen; 1]>::try_from(listen).map_err(|_| OptionsError::Listen)?;
    if matches!(listen, Listen::Descriptor(..3)) {
        return Err(OptionsError::Value("--listen-fd", "the number of an open descriptor, 3 or more"));
    }
    if proxy_port == Some(0) {
        return Err(OptionsError::Value("--proxy-port", "a port, 1 to 65535"));
    }
    Ok(Serve { listen, orphaned_after, proxy_port })
}

fn number<N: std::str::FromStr>(
    value: Option<OsString>,
    name: &'static str,
    what: &'static str,
) -> Result<N, OptionsError> {
    value
        .and_then(|value| value.to_str().and_then(|text| text.parse().ok()))
        .ok_or(OptionsError::Value(name, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, OptionsError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_whole_command_line_is_read() {
        let expected = Serve {
            listen: Listen::Descriptor(3),
            orphaned_after: Some(Duration::from_millis(500)),
            proxy_port: Some(3128),
        };
        let line = "serve --proxy-port 3128 --listen-fd 3 --orphaned-after 500";
        assert_eq!(read(line), Ok(Options::Serve(expected)));
        assert_eq!(read("bridge /run/s"), Ok(Options::Bridge("/run/s".into())));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert_eq!(read(""), Err(OptionsError::Verb));
        assert_eq!(read("bridge"), Err(OptionsError::Verb));
        assert_eq!(read("serve"), Err(OptionsError::Listen));
        assert_eq!(read("serve --listen a --listen-fd 4"), Err(OptionsError::Listen));
        assert_eq!(read("serve --listen a --loud yes"), Err(OptionsError::Unknown("--loud".into())));
        for bad in [
            "--listen-fd 1",
            "--listen-fd x",
            "--listen a --proxy-port 0",
            "--listen",
            "--listen a --orphaned-after",
        ] {
            assert!(matches!(read(&format!("serve {bad}")), Err(OptionsError::Value(..))), "{bad}");
        }
    }
}
