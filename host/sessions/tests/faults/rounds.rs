//! Round after round something fails while calls go on: nothing that was acknowledged is lost, nothing is orphaned, and the
//! next call works.

use rustix::process::Signal;
use tokio::runtime::Handle;

use crate::events::Event;
use crate::fault::{self, Fault};
use crate::host::CUT;
use crate::random::{self, Random};
use crate::world::{On, World};

/// How often something fails: of processes, and of containers, of which each takes longer. Another number is told as
/// `PACKHOST_FAULTS_ROUNDS`.
const ROUNDS: (u64, u64) = (100, 20);
/// Events before something fails, at most.
const LOAD: usize = 20;
/// Events while the disk is full.
const FULL: usize = 15;
/// Events until a host without its launcher is sure to have missed it.
const MISSED: usize = 500;

/// Says what it did when it did not go well.
struct Course {
    seed: u64,
    faults: Vec<Fault>,
}

impl Drop for Course {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("PACKHOST_FAULTS_SEED={}; what failed: {:?}", self.seed, self.faults);
        }
    }
}

pub(crate) fn survives(on: On) {
    let most = match on {
        On::Process => ROUNDS.0,
        On::Docker => ROUNDS.1,
    };
    let rounds = random::told("PACKHOST_FAULTS_ROUNDS").unwrap_or(most);
    let seed = random::told("PACKHOST_FAULTS_SEED").unwrap_or_else(random::seed);
    eprintln!("{rounds} rounds with PACKHOST_FAULTS_SEED={seed}");
    let mut course = Course { seed, faults: Vec::new() };
    Handle::current().block_on(async {
        let mut random = Random::of(seed);
        let mut world = World::new(on);
        world.start().await;
        for _ in 0..rounds {
            for _ in 0..random.below(LOAD) {
                world.goes_on().await;
            }
            let fault = Fault::any(on, &mut random);
            course.faults.push(fault);
            strike(&mut world, fault, &mut random).await;
            world.recovers().await;
            if matches!(fault, Fault::Engine | Fault::EngineStops) {
                // It takes its containers along, also those that no call has now.
                let live: Vec<_> = world.live.keys().cloned().collect();
                world.struck.extend(live);
            }
            world.is_accounted_for().await;
        }
        eprintln!("{} calls failed, each for a reason", world.failed);
        world.end().await;
    });
}

async fn strike(world: &mut World, fault: Fault, random: &mut Random) {
    match fault {
        Fault::Host => world.kill_host().await,
        Fault::Launcher => {
            world.failing = true;
            let launcher = world.helper().expect("this backend has one");
            assert!(fault::kill(launcher));
            // Calls of sandboxes that are there go on; sooner or later one wants a new one.
            for _ in 0..MISSED {
                if let Event::Failed(_, why) = world.goes_on().await {
                    assert!(why.contains("launcher"), "{why}");
                    break;
                }
            }
            world.kill_host().await;
            world.failing = false;
        }
        Fault::Supervisor | Fault::Process | Fault::Shim => kill_one(world, fault, random).await,
        Fault::Streams => {
            world.cut = true;
            world.say(CUT);
        }
        Fault::Disk => {
            world.failing = true;
            world.home.fill();
            for _ in 0..FULL {
                world.goes_on().await;
            }
            world.home.empty();
        }
        Fault::Engine | Fault::EngineStops => {
            world.failing = true;
            let by = if fault == Fault::Engine { Signal::KILL } else { Signal::TERM };
            crate::docker::engine().restart(by).await;
        }
    }
}

/// Kills a process that one sandbox depends on.
async fn kill_one(world: &mut World, fault: Fault, random: &mut Random) {
    let live: Vec<_> = world.live.keys().cloned().collect();
    let Some(id) = random.one(&live).cloned() else { return };
    let Some(supervisor) = world.place().supervisor(&id).await else { return };
    let found = match fault {
        Fault::Supervisor => Some(supervisor),
        Fault::Process => random.one(&fault::below(supervisor)).copied(),
        _ => fault::above(supervisor),
    };
    if let Some(pid) = found {
        world.struck.insert(id);
        fault::kill(pid);
    }
}
