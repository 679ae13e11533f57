//! A sandbox's spec as a container: what it is given, and everything that it is not.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use super::engine::Facts;
use super::mounts::{Forbidden, bind, binds, target};
use super::place::{PROGRAM, RUN, SOCKET};
use super::settings::DockerSettings;
use super::state::now;
use crate::error::RuntimeError;
use crate::id::SandboxId;
use crate::spec::{Access, SANDBOX_USER, SandboxLimits, SandboxSpec};

/// What a container of packhost is known by.
pub(super) mod label {
    /// What only packhost may say.
    pub(crate) const OWN: &str = "packhost.";
    /// The host that it belongs to.
    pub(crate) const HOST: &str = "packhost.host";
    /// Its id.
    pub(crate) const SANDBOX: &str = "packhost.sandbox";
    /// On whose behalf it was made.
    pub(crate) const OWNER: &str = "packhost.owner";
    /// When it was made, in milliseconds since 1970.
    pub(crate) const CREATED: &str = "packhost.created";
}

/// What the supervisor needs to start programs as another user and to end them, and nothing else. It cannot read what that
/// user may not, nor mount, trace, or open raw sockets.
const CAPABILITIES: [&str; 3] = ["SETUID", "SETGID", "KILL"];
/// Processes beside the programs' own: the supervisor and one keeper for each program.
const KEEPERS: u32 = 160;
/// Open files that the supervisor needs for its programs' pipes and connections. What programs may have open is set when
/// they are started, by the supervisor.
const FILES: u32 = 4096;
/// The most of `/dev/shm`, in bytes, and its part of the disk.
const SHARED_MEMORY: (u64, u64) = (64 << 20, 8);
/// `/run`, in bytes. Root's own.
const RUN_SIZE: u64 = 1 << 20;
/// The least that a directory that can be written gets, in bytes.
const LEAST: u64 = 64 << 10;

/// The name of a sandbox's container.
pub(super) fn name(id: &SandboxId) -> String {
    format!("packhost-{id}")
}

/// Where the parts of ours are on this host.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// The supervisor's program.
    pub(super) program: &'a Path,
    /// The directory for its socket; none where it is reached through the engine.
    pub(super) run: Option<&'a Path>,
}

/// What the engine is to make.
pub(super) fn body(
    spec: &SandboxSpec,
    image: String,
    parts: &Parts<'_>,
    settings: &DockerSettings,
    facts: &Facts,
) -> Result<ContainerCreateBody, RuntimeError> {
    let forbidden =
        Forbidden::new(&settings.endpoint, facts.data.iter().cloned().chain([settings.run_dir.clone()]));
    let mut mounts = binds(&spec.mounts, &forbidden)?;
    mounts.push(ours(parts.program, PROGRAM, Access::ReadOnly)?);
    if let Some(run) = parts.run {
        mounts.push(ours(run, RUN, Access::ReadWrite)?);
    }
    let (tmpfs, shm) = writable(spec, parts.run.is_none())?;
    let orphaned = u64::try_from(spec.orphaned_after.as_millis()).unwrap_or(u64::MAX);
    Ok(ContainerCreateBody {
        image: Some(image),
        entrypoint: Some(vec![PROGRAM.into()]),
        cmd: Some(
            ["serve", "--listen", SOCKET, "--proxy-port", "3128", "--orphaned-after"]
                .map(str::to_owned)
                .into_iter()
                .chain([orphaned.to_string()])
                .collect(),
        ),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: Some("0:0".into()),
        working_dir: Some("/".into()),
        hostname: Some("sandbox".into()),
        labels: Some(labels(spec, settings)),
        // Nothing inside has anything to save: an engine that shuts down need not wait for it.
        stop_signal: Some("SIGKILL".into()),
        // An image's own check would be a program that nobody asked for.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..HealthConfig::default() }),
        host_config: Some(HostConfig {
            mounts: Some(mounts),
            tmpfs: Some(tmpfs),
            shm_size: Some(shm),
            runtime: settings.runtime.clone(),
            userns_mode: settings.userns.clone(),
            ..walls(HostConfig::default(), &spec.limits, facts)
        }),
        ..ContainerCreateBody::default()
    })
}

/// What holds every container, whatever is in it. Seccomp stays the engine's own list: it allows what is known and refuses
/// the rest, and grows with the engine. The supervisor puts a narrower one on each program.
fn walls(with: HostConfig, limits: &SandboxLimits, facts: &Facts) -> HostConfig {
    let memory = i64::try_from(limits.memory).unwrap_or(i64::MAX);
    // The engine refuses more processors than there are, and more than all are all.
    let cpu = u64::from(limits.cpu_millis).min(u64::from(facts.cpus) * 1000);
    let files = i64::from(limits.open_files.max(FILES));
    HostConfig {
        network_mode: Some("none".into()),
        // Nobody answers there, which a resolver hears at once.
        dns: Some(vec!["127.0.0.1".into()]),
        dns_search: Some(vec![".".into()]),
        cap_drop: Some(vec!["ALL".into()]),
        cap_add: Some(CAPABILITIES.map(str::to_owned).into()),
        security_opt: Some(vec!["no-new-privileges:true".into()]),
        readonly_rootfs: Some(true),
        privileged: Some(false),
        ipc_mode: Some("private".into()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        init: Some(false),
        auto_remove: Some(false),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            ..RestartPolicy::default()
        }),
        memory: Some(memory),
        // Memory and swap together: no swap.
        memory_swap: Some(memory),
        nano_cpus: Some(i64::try_from(cpu * 1_000_000).unwrap_or(i64::MAX)),
        pids_limit: Some(i64::from(limits.processes.saturating_add(KEEPERS))),
        ulimits: Some(vec![
            ResourcesUlimits { name: Some("nofile".into()), soft: Some(files), hard: Some(files) },
            ResourcesUlimits { name: Some("core".into()), soft: Some(0), hard: Some(0) },
        ]),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(
                [("max-size", "1m"), ("max-file", "1")].map(|(key, value)| (key.into(), value.into())).into(),
            ),
        }),
        ..with
    }
}

fn ours(host: &Path, inside: &str, access: Access) -> Result<Mount, RuntimeError> {
    let path = host.to_str().ok_or_else(|| {
        RuntimeError::Unsupported(format!(
            "{}: the Docker Engine takes no path that is not UTF-8",
            host.display()
        ))
    })?;
    Ok(bind(path, inside, access))
}

/// Where the sandbox can write, with the options of each mount; and the size of `/dev/shm`. All together are no more than
/// the limit. Programs may be run from there: that is what a workspace of wheels and binaries is for, and what they may do
/// is the supervisor's to hold.
fn writable(spec: &SandboxSpec, run: bool) -> Result<(HashMap<String, String>, i64), RuntimeError> {
    let mut places = BTreeSet::from(["/tmp".to_owned()]);
    for path in &spec.scratch {
        places.insert(target(path)?);
    }
    let (most, part) = SHARED_MEMORY;
    let shm = (spec.limits.disk / part).min(most);
    let share = spec.limits.disk.saturating_sub(shm) / places.len() as u64;
    if share < LEAST {
        return Err(RuntimeError::Unsupported(format!(
            "{} bytes of disk are too little for the {} directories that can be written: give at least {}",
            spec.limits.disk,
            places.len(),
            (places.len() as u64 + 1) * LEAST * part / (part - 1)
        )));
    }
    let everyone = |size: u64| {
        // An empty file takes no page, so the number of files has a bound of its own.
        // The owner is said because runc gives the mount the mode of what the image has there, whatever the mode here.
        let files = (size / 4096).max(64);
        format!(
            "rw,nosuid,nodev,exec,uid={SANDBOX_USER},gid={SANDBOX_USER},mode=1777,size={size},nr_inodes={files}"
        )
    };
    let own = |size: u64, mode: &str| format!("rw,nosuid,nodev,noexec,mode={mode},size={size}");
    let mut mounts: HashMap<_, _> = places.into_iter().map(|place| (place, everyone(share))).collect();
    mounts.entry("/run".into()).or_insert_with(|| own(RUN_SIZE, "0755"));
    if run {
        mounts.insert(RUN.into(), own(LEAST, "0700"));
    }
    Ok((mounts, i64::try_from(shm).unwrap_or(i64::MAX)))
}

fn labels(spec: &SandboxSpec, settings: &DockerSettings) -> HashMap<String, String> {
    let given = spec.labels.iter().filter(|(key, _)| !key.starts_with(label::OWN));
    let mut labels: HashMap<_, _> = given.map(|(key, value)| (key.clone(), value.clone())).collect();
    labels.extend([
        (label::HOST.to_owned(), settings.host.as_str().to_owned()),
        (label::SANDBOX.to_owned(), spec.id.as_str().to_owned()),
        (label::OWNER.to_owned(), spec.owner.as_str().to_owned()),
        (label::CREATED.to_owned(), now()),
    ]);
    labels
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::time::Duration;

    use packhost_core::Caller;

    use super::*;
    use crate::spec::Image;

    fn spec(disk: u64, scratch: &[&str]) -> SandboxSpec {
        SandboxSpec {
            id: SandboxId::fresh(),
            owner: Caller::local(),
            image: Image::Named { name: "x".into(), digest: None },
            limits: SandboxLimits { cpu_millis: 1000, memory: 64 << 20, processes: 10, disk, open_files: 64 },
            mounts: Vec::new(),
            scratch: scratch.iter().map(PathBuf::from).collect(),
            env: BTreeMap::new(),
            labels: BTreeMap::from([("packhost.host".into(), "another".into()), ("pack".into(), "p".into())]),
            orphaned_after: Duration::from_secs(1),
        }
    }

    fn sizes(mounts: &HashMap<String, String>) -> u64 {
        let size = |options: &String| -> u64 {
            let size = options.split(',').find_map(|option| option.strip_prefix("size="));
            size.and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
        };
        mounts.iter().filter(|(path, _)| *path != "/run").map(|(_, options)| size(options)).sum()
    }

    #[test]
    fn all_that_can_be_written_is_within_the_limit_of_the_disk() {
        for scratch in [&[][..], &["/sandbox"], &["/sandbox", "/tmp", "/var/cache", "/run"]] {
            for disk in [1 << 20, 100 << 20, 10 << 30] {
                let (mounts, shm) = writable(&spec(disk, scratch), false).expect("as said");
                assert!(
                    sizes(&mounts) + u64::try_from(shm).expect("as said") <= disk,
                    "{scratch:?} {disk}: {mounts:?}"
                );
                assert!(mounts.values().all(|options| options.contains("nosuid,nodev")));
            }
        }
        assert!(matches!(writable(&spec(64 << 10, &["/a", "/b"]), false), Err(RuntimeError::Unsupported(_))));
    }

    #[test]
    fn a_label_of_the_spec_cannot_move_a_sandbox_to_another_host() {
        let settings = DockerSettings {
            endpoint: "/x".into(),
            host: crate::HostId::fresh(),
            run_dir: "/y".into(),
            supervisor: super::super::Supervisor::Bytes(b""),
            runtime: None,
            userns: None,
            stream: super::super::Stream::Socket,
        };
        let labels = labels(&spec(1, &[]), &settings);
        assert_eq!(labels[label::HOST], settings.host.as_str());
        assert_eq!(labels["pack"], "p");
    }
}
