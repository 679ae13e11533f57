//! `packhost completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit::Error;

pub(crate) fn run(shell: Shell) -> Result<(), Error> {
    clap_complete::generate(shell, &mut Args::command(), "packhost", &mut std::io::stdout());
    Ok(())
}
