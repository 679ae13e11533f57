//! What `/metrics` asks the engine for when somebody looks.

use std::fmt;

use packhost_engine::{Engine, Vitals};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Numbers of this engine, as they are at the moment.
pub(crate) struct Asked(pub(crate) Engine);

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asked")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct From {
    from: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

impl Collector for Asked {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        encode(&self.0.vitals(), encoder)
    }
}

fn encode(vitals: &Vitals, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let gauges = [
        ("packhost_calls_waiting", "Calls that wait for a place", vitals.waiting),
        ("packhost_pool_instances", "Core instances that calls have in the pool", vitals.instances),
        (
            "packhost_pool_warm_memories",
            "Linear memories that are kept for the next instance of the same component",
            vitals.warm_memories,
        ),
    ];
    for (name, help, value) in gauges {
        let gauge = gauge(value);
        gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
    }
    let help = "Components that were made ready to run, from the cache or by compiling them";
    let kind = ConstCounter::new(0_u64).metric_type();
    let mut loads = encoder.encode_descriptor("packhost_components_loaded", help, None, kind)?;
    for (from, count) in [("cache", vitals.cached), ("compiler", vitals.compiled)] {
        ConstCounter::new(count).encode(loads.encode_family(&From { from })?)?;
    }
    let Some(sandboxes) = vitals.sandboxes else { return Ok(()) };
    let help =
        "Sandboxes of this process: a call has it, it waits for its caller's next call, it stands ready";
    let mut all = encoder.encode_descriptor("packhost_sandboxes", help, None, gauge(0).metric_type())?;
    for (state, count) in [("held", sandboxes.held), ("idle", sandboxes.idle), ("ready", sandboxes.ready)] {
        gauge(count as u64).encode(all.encode_family(&State { state })?)?;
    }
    Ok(())
}

fn gauge(value: u64) -> ConstGauge {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[derive(Debug)]
    struct Fixed(Vitals);

    impl Collector for Fixed {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
            encode(&self.0, encoder)
        }
    }

    #[test]
    fn each_number_has_a_line() {
        let mut all = Registry::default();
        let sandboxes = Some(packhost_engine::SandboxCounts { held: 1, idle: 2, ready: 3 });
        let vitals = Vitals { waiting: 4, cached: 5, compiled: 6, instances: 7, warm_memories: 8, sandboxes };
        all.register_collector(Box::new(Fixed(vitals)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &all).expect("a text takes everything");
        for line in [
            "packhost_calls_waiting 4",
            "packhost_components_loaded_total{from=\"cache\"} 5",
            "packhost_components_loaded_total{from=\"compiler\"} 6",
            "packhost_pool_instances 7",
            "packhost_pool_warm_memories 8",
            "packhost_sandboxes{state=\"held\"} 1",
            "packhost_sandboxes{state=\"idle\"} 2",
            "packhost_sandboxes{state=\"ready\"} 3",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
        }
    }
}
