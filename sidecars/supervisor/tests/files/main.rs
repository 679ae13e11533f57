//! Files of a sandbox, asked for over the protocol, as root with programs' confinement: real walls, workers, file systems.

mod archive;
mod archives;
mod leaks;
mod names;
mod place;
mod races;
mod single;
mod trees;
mod walls;
