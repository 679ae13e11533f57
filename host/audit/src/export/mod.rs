//! Records in the forms that other systems read.

mod ocsf;
mod otlp;

use serde_json::Value;

pub use ocsf::OCSF_VERSION;

use crate::query::Entry;

/// A form for other systems. Each is lines of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The records as they stand in the log, without their hashes.
    Json,
    /// The Open Cybersecurity Schema Framework, version [`OCSF_VERSION`]: calls and acts as API Activity (class 6003), each
    /// contact of a call as Network Activity (class 4001). Other records are none there.
    Ocsf,
    /// Logs of OpenTelemetry: each line an `ExportLogsServiceRequest` of OTLP/JSON.
    Otlp,
}

/// The host that the records are of, as others are to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its version.
    pub version: String,
    /// The name of the machine or the instance, where there is one to say.
    pub instance: Option<String>,
}

/// A record in this form: none, one or several lines, without their ends.
pub fn export(entry: &Entry, format: Format, product: &Product) -> Vec<String> {
    match format {
        Format::Json => vec![entry.json().to_owned()],
        Format::Ocsf => ocsf::events(entry, product).iter().map(Value::to_string).collect(),
        Format::Otlp => vec![otlp::request(entry, product).to_string()],
    }
}
