//! `packhost packs`: what is served.

pub(crate) mod credentials;

use packhost_core::{ErrorCode, Failure};
use packhost_engine::{Engine, Refused, Tool};
use serde::Serialize;
use serde_json::Value;

use self::credentials::Credential;
use crate::args::{Global, Packs as Args};
use crate::exit::Error;
use crate::host::{Clients, Prepared, Purpose, prepare};
use crate::output::{BOLD, DIM, NOTE, Output, println};
use crate::packs::is_meant;

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let prepared = prepare(global, Purpose::Look)?;
    let runtime = Prepared::runtime(Clients::Many)?;
    let (engine, ..) = runtime.block_on(prepared.start(output))?;
    let done = match args {
        Args::List => {
            list(&engine, output);
            Ok(())
        }
        Args::Show { pack } => show(global, &engine, pack, output),
        Args::Compile => {
            runtime.block_on(compile(&engine, output));
            Ok(())
        }
    };
    runtime.shutdown_background();
    done
}

/// What is left in the catalog afterwards could be compiled; `refused` says why the rest could not.
async fn compile(engine: &Engine, output: Output) {
    output.progress("compiling packs").watch(engine.load_all()).await;
    list(engine, output);
}

#[derive(Serialize)]
struct Listed {
    packs: Vec<Row>,
    not_served: Vec<Refused>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    tool: String,
    version: Option<String>,
    title: String,
    origin: String,
    digest: String,
    manifest: String,
}

fn row(tool: &Tool) -> Row {
    Row {
        name: tool.name.to_string(),
        tool: tool.tool.to_string(),
        version: tool.pack.version.clone(),
        title: tool.title.clone(),
        origin: tool.pack.origin.clone(),
        digest: tool.pack.digest.to_string(),
        manifest: tool.entry.place.to_string(),
    }
}

fn list(engine: &Engine, output: Output) {
    let catalog = engine.catalog();
    let packs: Vec<Row> = catalog.tools().map(|tool| row(tool)).collect();
    let listed = Listed { packs, not_served: catalog.refused().to_vec() };
    output.answer(&listed, || {
        let refused = listed.not_served.iter().map(|refused| &refused.name);
        let names = listed.packs.iter().map(|row| &row.name).chain(refused);
        let (names, titles) = (widest(names), widest(listed.packs.iter().map(|row| &row.title)));
        for Row { name, title, manifest, .. } in &listed.packs {
            println!("{BOLD}{name:names$}{BOLD:#}  {title:titles$}  {DIM}{manifest}{DIM:#}");
        }
        for refused in &listed.not_served {
            println!("{NOTE}{:names$}{NOTE:#}  not served: {}", refused.name, refused.reason);
        }
    });
}

fn widest<'a>(column: impl Iterator<Item = &'a String>) -> usize {
    column.map(|text| text.chars().count()).max().unwrap_or(0)
}

/// Why a name leads to nothing that the local user may call.
pub(crate) fn not_served(engine: &Engine, name: &str) -> Failure {
    let catalog = engine.catalog();
    if let Some(tool) = catalog.find(name) {
        let (callers, place) = (&tool.entry.callers, tool.entry.place_of("callers"));
        let message = format!("{} is not for the local user: {place} names {callers}.", tool.name);
        return Failure::new(ErrorCode::NotFound, message);
    }
    // What is no pack is called by its file's name, with the file behind it.
    let own = |refused: &&Refused| refused.name.split(" (").next().is_some_and(|own| is_meant(own, name));
    if let Some(refused) = catalog.refused().iter().find(own) {
        let message = format!("{} is not served: {}.", refused.name, refused.reason);
        return Failure::new(ErrorCode::NotFound, message)
            .fix("`packhost policy explain PACK` says what a pack asks for and what it may.");
    }
    let known = catalog.tools().map(|tool| tool.name.as_str());
    let fix = match packhost_schema::closest(name, known) {
        Some(near) => format!("Did you mean {near}? `packhost packs list` has them all."),
        None => "`packhost packs list` has them all.".into(),
    };
    Failure::new(ErrorCode::NotFound, format!("There is no pack {name}.")).fix(fix)
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    row: Row,
    description: &'a str,
    imports: &'a [String],
    wants: Option<&'a packhost_engine::Wants>,
    credentials: &'a [Credential],
    read_only: bool,
    destructive: bool,
    idempotent: bool,
    open_world: bool,
    input_schema: &'a Value,
    output_schema: Option<&'a Value>,
}

fn show(global: &Global, engine: &Engine, name: &str, output: Output) -> Result<(), Error> {
    let catalog = engine.catalog();
    let tool = catalog.find(name).ok_or_else(|| not_served(engine, name))?;
    let credentials = credentials::of(&tool.entry, global)?;
    let shown = Shown {
        row: row(tool),
        description: &tool.description,
        imports: &tool.pack.outline.imports,
        wants: tool.pack.description.as_ref().map(|description| &description.wants),
        credentials: &credentials,
        read_only: tool.annotations.read_only,
        destructive: tool.annotations.destructive,
        idempotent: tool.annotations.idempotent,
        open_world: tool.annotations.open_world,
        input_schema: &tool.input_schema,
        output_schema: tool.output_schema.as_deref(),
    };
    output.answer(&shown, || text(tool, &credentials));
    Ok(())
}

fn text(tool: &Tool, credentials: &[Credential]) {
    let version = tool.pack.version.as_deref().unwrap_or("");
    println!("{BOLD}{}{BOLD:#} {version} ({}, {})", tool.name, tool.pack.origin, tool.pack.digest);
    println!("  {}", tool.description);
    println!("  clients see {BOLD}{}{BOLD:#}", tool.tool);
    if let Some(description) = &tool.pack.description {
        let wants = &description.wants;
        for (what, why) in
            [("http", &wants.http), ("fs", &wants.fs), ("ask", &wants.ask), ("env", &wants.env)]
        {
            if let Some(why) = why {
                println!("  asks for {what}: {why}");
            }
        }
    }
    credentials::text(credentials);
    println!("  granted by {}; `packhost policy explain {}` says what", tool.entry.place, tool.pack.name);
    println!("{DIM}input{DIM:#} {:#}", tool.input_schema);
}
