//! Processes that are killed while they, and others, write.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use packhost_vault::VaultError;

use crate::child::{Heard, command, role, say};
use crate::model::{Deed, Kept, found};
use crate::{files_are_in_order, keys, opened, value};

const TEST: &str = "kill::what_was_acknowledged_survives_kill_9_and_nothing_else_is_half_there";
/// Says which random numbers to use, when a failure is to be looked at again.
const SEED: &str = "PACKHOST_TEST_SEED";
const DIRECTORIES: u64 = 8;
/// Of each directory: each begins where the last one was cut off.
const ROUNDS: u64 = 25;
/// Threads that write, in each of two processes; a third one exchanges the master key all the time.
const WRITERS: usize = 2;

/// Says how to see a failure again. When a process dies is a matter of luck; what it does until then is not.
struct Trying {
    seed: u64,
    directory: u64,
    round: u64,
}

impl Drop for Trying {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, directory, round } = self;
            eprintln!("directory {directory}, round {round}; again with {SEED}={seed}");
        }
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_nothing_else_is_half_there() {
    if let Some(role) = role() {
        return write_until_killed(&role);
    }
    let seed = std::env::var(SEED).map_or(0x5eed, |seed| seed.parse().expect("a number"));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut acknowledged = 0;
    for directory in 0..DIRECTORIES {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut model = BTreeMap::new();
        for round in 0..ROUNDS {
            let _trying = Trying { seed, directory, round };
            let mut ledger = Ledger { model, pending: BTreeMap::new(), done: 0 };
            load(dir.path(), &mut random, directory * ROUNDS + round, &mut ledger);
            acknowledged += ledger.done;
            model = ledger.judge(dir.path());
            if random.u8(..5) == 0 {
                exchanged(dir.path());
            }
        }
    }
    assert!(acknowledged > DIRECTORIES * ROUNDS, "{acknowledged} writes are no load");
}

/// What was said to be tried and to be done.
struct Ledger {
    model: BTreeMap<String, Kept>,
    pending: BTreeMap<String, Deed>,
    done: u64,
}

impl Ledger {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["try", name, deed] => {
                let deed = deed.parse().expect("a deed");
                assert_eq!(self.pending.insert(name.into(), deed), None, "{line}");
            }
            ["did", name, version] => {
                let deed = self.pending.remove(name).expect("it was tried");
                let after = deed.after(self.model.remove(name));
                let said: u64 = version.parse().expect("a version");
                assert_eq!(after.map_or(0, |after| after.version), said, "{name}: {deed}");
                self.model.extend(after.map(|after| (name.to_owned(), after)));
                self.done += 1;
            }
            ["exchanged"] => self.done += 1,
            _ => panic!("the child failed: {line}"),
        }
    }

    /// Looks at what a fresh process finds, and gives it.
    fn judge(mut self, dir: &Path) -> BTreeMap<String, Kept> {
        files_are_in_order(dir);
        let mut found = found(&opened(dir).expect("it opens again"));
        let all = found.clone();
        for (name, deed) in std::mem::take(&mut self.pending) {
            let (before, is) = (self.model.remove(&name), found.remove(&name));
            let after = deed.after(before);
            assert!(
                is == before || is == after,
                "{name}: {deed}: {is:?} is neither {before:?} nor {after:?}"
            );
        }
        assert_eq!(found, self.model, "what was acknowledged");
        all
    }
}

/// Two processes write until they are killed, one while the other goes on.
fn load(dir: &Path, random: &mut fastrand::Rng, round: u64, ledger: &mut Ledger) {
    let start = |which: &str, seed: u64| {
        let role = format!("{which} {round} {seed} {}", dir.display());
        Heard::start(command(&[], TEST, &role))
    };
    let (one, other) = (start("A", random.u64(..)), start("B", random.u64(..)));
    for child in [one, other] {
        // None: it is killed while it starts.
        let lines = random.u8(..6);
        (0..lines).for_each(|_| ledger.hear(&child.line()));
        // Not to wait for anything: to die in the middle of something.
        std::thread::sleep(Duration::from_micros(random.u64(..8_000)));
        child.kill().iter().for_each(|line| ledger.hear(line));
    }
}

/// An exchange of the master key that is not cut off leaves one key, whatever was left by those that were.
fn exchanged(dir: &Path) {
    let vault = opened(dir).expect("it opens");
    let before = found(&vault);
    let (id, count) = vault.rotate_master().expect("nobody else is here");
    assert_eq!(count, before.len());
    assert_eq!(keys(dir).len(), 1);
    assert!(!dir.join("vault.key.new").exists(), "what was left was not removed");
    assert!(vault.list().expect("whole").iter().all(|about| about.master_key == id));
    assert_eq!(found(&opened(dir).expect("it opens")), before);
}

fn write_until_killed(role: &str) {
    let mut words = role.splitn(4, ' ');
    let mut word = || words.next().expect("four words");
    let (which, round, seed) = (word(), word().parse::<u32>().expect("a number"), word());
    let (dir, seed) = (Path::new(word()), seed.parse::<u64>().expect("a number"));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let random = fastrand::Rng::with_seed(seed.wrapping_add(writer as u64));
            let names = [0, 1].map(|index| format!("{which}.{writer}.{index}"));
            scope.spawn(move || or_say(writes(dir, round, random, &names)));
        }
        scope.spawn(|| or_say(exchanges(dir)));
    });
}

fn or_say(failed: Result<(), VaultError>) {
    if let Err(error) = failed {
        let mut causes = error.to_string();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            let _ = write!(causes, ": {next}");
            cause = next;
        }
        say(&format!("failed {causes} ({error:?})"));
    }
}

/// Nobody else writes credentials of these names.
fn writes(dir: &Path, round: u32, mut random: fastrand::Rng, names: &[String; 2]) -> Result<(), VaultError> {
    let vault = opened(dir)?;
    let mut there: BTreeSet<String> = vault.list()?.into_iter().map(|about| about.name.into()).collect();
    for number in round * 1_000_000.. {
        let of = &names[random.usize(..2)];
        let deed = match (there.contains(of), random.u8(..6)) {
            (false, _) | (_, 0 | 1) => Deed::Set(number),
            (_, 2 | 3) => Deed::Rotate(number),
            (_, 4) => Deed::Bind,
            _ => Deed::Remove,
        };
        say(&format!("try {of} {deed}"));
        let version = deed.run(&vault, of)?;
        say(&format!("did {of} {version}"));
        if deed == Deed::Remove {
            there.remove(of);
        } else {
            there.insert(of.clone());
        }
    }
    Ok(())
}

fn exchanges(dir: &Path) -> Result<(), VaultError> {
    loop {
        // Vaults of their own each time, so that no key is remembered.
        opened(dir)?.rotate_master()?;
        say("exchanged");
        // Read beside the others' exchanges: none of them takes a key away that is still needed.
        let vault = opened(dir)?;
        for about in vault.list()? {
            match value(&vault, &about.name) {
                Ok(_) | Err(VaultError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
