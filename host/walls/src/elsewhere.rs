//! Systems on which there are no walls to raise.

use std::io;

use crate::WallsError;
use crate::plan::{Plan, Requirement};
use crate::status::{InForce, Lack, Status};

fn lacks() -> Lack {
    Lack {
        what: "this system has neither Landlock nor seccomp".into(),
        fix: "Linux on x86-64 or AArch64 has both",
    }
}

/// Does nothing here; an error when walls are required.
pub fn raise(_: &Plan, requirement: Requirement) -> Result<InForce, WallsError> {
    match requirement {
        Requirement::Required => Err(WallsError::Lacking(lacks().to_string())),
        Requirement::BestEffort => Ok(InForce { lacking: vec![lacks()], ..InForce::default() }),
        Requirement::Off => Ok(InForce::default()),
    }
}

/// Nothing is in force here.
pub fn status() -> io::Result<Status> {
    Ok(Status { no_new_privs: false, seccomp_filters: 0, landlock_abi: 0, landlock_confined: false })
}

/// Does nothing here.
pub fn forgo_dumps() -> io::Result<()> {
    Ok(())
}
