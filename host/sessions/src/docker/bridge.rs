//! A byte stream through the engine: a program that it starts in the sandbox connects to the supervisor.

use std::io;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio_util::io::StreamReader;

use super::place::{PROGRAM, SOCKET};
use crate::runtime::ByteStream;

/// The most bytes that are taken from the engine at once.
const PIECE: usize = 64 * 1024;

/// Opens one. It ends when it is dropped: the program inside then reads the end of its standard input.
pub(super) async fn open(client: &Docker, container: &str) -> Result<Box<dyn ByteStream>, Error> {
    let options = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        user: Some("0:0"),
        cmd: Some(vec![PROGRAM, "bridge", SOCKET]),
        ..CreateExecOptions::default()
    };
    let exec = client.create_exec(container, options).await?.id;
    let start = StartExecOptions { output_capacity: Some(PIECE), ..StartExecOptions::default() };
    let StartExecResults::Attached { output, input } = client.start_exec(&exec, Some(start)).await? else {
        return Err(Error::DockerStreamError { error: "the engine did not attach to the bridge".into() });
    };
    if client.inspect_exec(&exec).await?.running == Some(false) {
        return Err(Error::DockerStreamError { error: "the bridge ended at once".into() });
    }
    Ok(Box::new(tokio::io::join(StreamReader::new(Box::pin(stdout(output))), input)))
}

/// What the bridge says of itself goes to the log, and only what the supervisor says goes on.
fn stdout<S>(output: S) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    S: Stream<Item = Result<LogOutput, Error>> + Send,
{
    output.filter_map(async |piece| match piece {
        Ok(LogOutput::StdOut { message }) => Some(Ok(message)),
        Ok(other) => {
            tracing::debug!(said = %other, "the bridge into a sandbox");
            None
        }
        Err(error) => Some(Err(io::Error::other(error))),
    })
}
