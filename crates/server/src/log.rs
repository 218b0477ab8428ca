//! Where log lines go: standard error, filtered by level and target, for people or for machines.
//!
//! Lines about a connection have its id as `client`, and its `user` and address as `remote` where they are known.

use std::fmt;
use std::io::{self, IsTerminal as _};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{self as lines, FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::server::{Log, LogFormat};

/// What is done with events and spans.
pub(crate) type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging as `settings` say. `filter` wins over their level: it is a level, or `target=level` pairs with commas between.
/// `spans` gets what it wants beside.
///
/// # Errors
/// When the filter does not parse.
pub(crate) fn start(filter: Option<&str>, settings: &Log, spans: Option<BoxedLayer>) -> Result<(), String> {
    let (name, filter) = filter.map_or(("log.level", settings.level.as_str()), |filter| ("--log", filter));
    let targets: Targets = filter.parse().map_err(|e| {
        format!(
            "{name} {filter:?}: {e}; write a level (error, warn, info, debug, trace) or target=level pairs"
        )
    })?;
    let format = lines::layer().with_writer(io::stderr);
    let format: BoxedLayer = match settings.format {
        LogFormat::Text => format.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => format.event_format(Json).boxed(),
    };
    let layers: Vec<BoxedLayer> = spans.into_iter().chain([format.with_filter(targets).boxed()]).collect();
    tracing_subscriber::registry().with(layers).init();
    Ok(())
}

/// One JSON object a line: `ts`, `level`, `target`, `msg`, and then the fields as they are named.
struct Json;

#[derive(Serialize)]
struct Line<'a> {
    ts: &'a str,
    level: &'a str,
    target: &'a str,
    msg: String,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut ts = String::new();
        SystemTime.format_time(&mut Writer::new(&mut ts))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = Line {
            ts: &ts,
            level: &metadata.level().as_str().to_ascii_lowercase(),
            target: metadata.target(),
            msg: fields.message,
            fields: fields.others,
        };
        writeln!(writer, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

/// The fields of one event.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = match field.name() {
            // These are taken, and no key may stand twice.
            name @ ("ts" | "level" | "target" | "msg") => format!("{name}_"),
            name => name.to_owned(),
        };
        self.others.insert(name, value.into());
    }

    fn put_text(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = text,
            _ => self.put(field, text),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_object_whatever_is_in_it() {
        let memory = Memory::default();
        let writer = memory.clone();
        let layer = lines::layer().with_writer(move || writer.clone()).event_format(Json);
        with_default(tracing_subscriber::registry().with(layer), || {
            let error = io::Error::other("a \"b\"\nc");
            let nobody: Option<&str> = None;
            tracing::info!(
                target: "x",
                client = "1",
                user = nobody,
                code = 3000_u32,
                share = 0.5,
                level = "loud",
                is_new = true,
                %error,
                "{}\n{}",
                "one",
                "two"
            );
            tracing::error!(target: "x", "no fields");
        });
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        let rest = |line: &str| line.split_once(r#"","level":"#).unwrap().1.to_owned();
        assert!(lines.iter().all(|line| line.starts_with(r#"{"ts":"2"#) && line.contains('Z')), "{text}");
        assert_eq!(
            rest(lines[0]),
            r#""info","target":"x","msg":"one\ntwo","client":"1","code":3000,"error":"a \"b\"\nc","is_new":true,"level_":"loud","share":0.5}"#
        );
        assert_eq!(rest(lines[1]), r#""error","target":"x","msg":"no fields"}"#);
    }

    #[test]
    fn a_wrong_filter_is_named_with_the_place_that_it_stands_in() {
        let settings = Log { level: "x=loud".into(), ..Log::default() };
        let said = start(None, &settings, None).unwrap_err();
        assert!(said.starts_with(r#"log.level "x=loud": "#), "{said}");
        let said = start(Some("a=b=c"), &settings, None).unwrap_err();
        assert!(said.starts_with(r#"--log "a=b=c": "#), "{said}");
    }
}
