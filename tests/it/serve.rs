//! Real programs under `run`: their spans and lines come over the pipe, by the relay, printed by
//! ddtrace, or with the spans over HTTP; last through the real `modal serve`.
//!
//! Ignored by default, because they need Python with ddtrace; `.ci/run` makes `.venv` and runs them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Finished, Headless, PATIENCE, Scratch, clear_environment};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn python() -> PathBuf {
    let python = std::env::var_os("MODTRACE_TEST_PYTHON");
    python.map_or_else(|| root().join(".venv/bin/python"), PathBuf::from)
}

/// The folder that holds the relay under the name by which programs import it.
fn relay_folder() -> PathBuf {
    root().join("assets")
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("the path is text").to_owned()
}

/// What a program said it sent, and what came.
struct Fifty {
    sent: Value,
    came: Finished,
}

impl Fifty {
    #[track_caller]
    fn run(route: &str, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new();
        let sent_to = scratch.path("sent.json");
        let mut variables = vec![
            ("ROUTE".to_owned(), route.to_owned()),
            ("RELAY_FOLDER".to_owned(), text(relay_folder())),
            ("SENT_TO".to_owned(), text(&sent_to)),
        ];
        let more = environment.iter();
        variables.extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let program = text(root().join("tests/clients/fifty.py"));
        let command = [text(python()), program];
        let came = Headless::run(scratch, args, &variables, &command).wait();
        let sent = fs::read_to_string(&sent_to)
            .unwrap_or_else(|error| panic!("{error}: {:#?}", came.stdout));
        Self {
            sent: serde_json::from_str(&sent).expect("JSON"),
            came,
        }
    }

    /// Every span and every line came, each line with its trace and its span.
    #[track_caller]
    fn check(&self, via: &str) {
        assert!(self.came.status.success(), "{}", self.came.stderr);
        let export = &self.came.export;
        let traces = export["traces"].as_array().expect("traces");
        assert_eq!(traces.len(), 50);
        let mut spans = BTreeMap::new();
        let mut lines = BTreeMap::new();
        for trace in traces {
            let id = trace["trace_id"].as_str().expect("an id").to_owned();
            assert_eq!(trace["complete"], true);
            assert_eq!(trace["arrivals"][0]["via"], via);
            for span in trace["spans"].as_array().expect("spans") {
                spans.insert(
                    (id.clone(), span["span_id"].to_string()),
                    span["name"].clone(),
                );
            }
            for line in trace["logs"].as_array().expect("logs") {
                assert_eq!(line["joined_by"], "trace_id");
                assert_eq!(line["source"], "stdout");
                lines.insert(
                    line["message"].to_string(),
                    (id.clone(), line["span_id"].to_string()),
                );
            }
        }
        let ids = |of: &Value| {
            (
                of["trace_id"].as_str().expect("an id").to_owned(),
                of["span_id"].to_string(),
            )
        };
        let sent = |what: &str| self.sent[what].as_array().expect("a list").clone();
        let sent_spans: BTreeMap<_, _> = sent("spans")
            .iter()
            .map(|span| (ids(span), span["name"].clone()))
            .collect();
        let sent_lines: BTreeMap<_, _> = sent("lines")
            .iter()
            .map(|line| (line["event"].to_string(), ids(line)))
            .collect();
        assert_eq!(spans, sent_spans);
        assert_eq!(lines, sent_lines);
        let counters = &export["counters"];
        assert_eq!(counters["logs_joined"], 150);
        for nothing in [
            "logs_dropped",
            "relay_lost",
            "payloads_refused",
            "chunks_undecodable",
            "client_unsent_traces",
        ] {
            assert_eq!(counters[nothing], 0, "{nothing}");
        }
    }
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn fifty_traces_and_their_lines_come_through_the_relay() {
    // With our address in its environment, the tracer would not need the relay.
    let fifty = Fifty::run("relay", &["--no-env"], &[("MODTRACE_RELAY", "always")]);
    fifty.check("relay");
    let messages = fifty.came.export["counters"]["relay_messages"].as_u64();
    assert!(messages >= Some(2), "a hello and the spans: {messages:?}");
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn fifty_traces_and_their_lines_come_as_ddtrace_prints_them() {
    Fifty::run("printed", &[], &[("AWS_LAMBDA_FUNCTION_NAME", "modtrace")]).check("stdout");
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn fifty_traces_come_over_http_and_their_lines_over_the_pipe() {
    Fifty::run("http", &[], &[]).check("http");
}

/// The Pythons with other versions of ddtrace, beside the one that all tests use.
fn pythons() -> Vec<PathBuf> {
    let others = fs::read_dir(root().join(".venvs")).expect(".ci/run makes .venvs");
    let others = others.map(|folder| folder.expect("a folder"));
    let others =
        others.filter(|folder| folder.file_name().to_string_lossy().starts_with("ddtrace-"));
    let others = others.map(|folder| folder.path().join("bin/python"));
    std::iter::once(python()).chain(others).collect()
}

/// What a program with the relay prints, put together by a reader that shares nothing with ours.
#[track_caller]
fn check_relay(python: &Path, mode: &str) {
    let clients = root().join("tests/clients");
    let mut app = Command::new(python);
    clear_environment(&mut app, "DD_");
    clear_environment(&mut app, "MODTRACE_");
    app.arg(clients.join("relay_app.py"))
        .env("MODE", mode)
        .env("MODTRACE_RELAY", "always")
        .env("RELAY_DIR", relay_folder())
        .env("PYTHONPATH", relay_folder())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut app = app.spawn().expect(".ci/run makes the venvs with ddtrace");
    let printed = app.stdout.take().expect("stdout is a pipe");
    let checked = Command::new(python)
        .arg(clients.join("relay_check.py"))
        .stdin(printed)
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let name = format!("{} {mode}: {said}", python.display());
    assert!(app.wait().expect("it ends").success(), "{name}");
    assert!(checked.status.success(), "{name}");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["log_lines"], 150, "{name}");
    assert!(said["messages"].as_u64() >= Some(2), "{name}");
}

#[test]
#[ignore = "needs Python with ddtrace: .ci/run"]
fn the_relay_prints_all_of_every_version_of_ddtrace() {
    for python in pythons() {
        for mode in ["threads", "asyncio", "fork", "end_at_once"] {
            check_relay(&python, mode);
        }
    }
}

/// Modal's mock control plane, which stands beside the project where it was developed.
fn mock() -> Option<PathBuf> {
    let asked = std::env::var_os("MODTRACE_TEST_MOCK_MODAL").map(PathBuf::from);
    let mock = asked.unwrap_or_else(|| root().join("../shared/tools/mock_modal.py"));
    mock.is_file().then_some(mock)
}

/// `modal serve` of the document processor over the mock, with `arguments` for it.
#[track_caller]
fn serve(
    route: &str,
    arguments: &[&str],
    end: impl FnOnce(&mut Headless, &Scratch),
) -> Option<Finished> {
    serve_program("modal_app.py", route, arguments, end)
}

/// The same of another program of `tests/clients`. Its containers' temporary files are the test's.
#[track_caller]
pub(crate) fn serve_program(
    program: &str,
    route: &str,
    arguments: &[&str],
    end: impl FnOnce(&mut Headless, &Scratch),
) -> Option<Finished> {
    let Some(mock) = mock() else {
        let words =
            "skipped: no mock of Modal's control plane; name it in MODTRACE_TEST_MOCK_MODAL";
        let _closed = writeln!(std::io::stderr(), "{words}");
        return None;
    };
    let scratch = Scratch::new();
    let app = Scratch::new();
    fs::copy(
        root().join("tests/clients").join(program),
        app.path("app.py"),
    )
    .expect("a copy");
    let variables = [
        ("ROUTE".to_owned(), route.to_owned()),
        ("RELAY_FOLDER".to_owned(), text(relay_folder())),
        ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
        ("TMPDIR".to_owned(), text(scratch.path(""))),
    ];
    let modal = text(python().with_file_name("modal"));
    let mut command = vec![text(python()), text(mock)];
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    // What the mock tells of itself is none of the app's lines.
    command.extend(["--events".to_owned(), text(scratch.path("events.ndjson"))]);
    command.extend(["--".into(), modal, "serve".into(), text(app.path("app.py"))]);
    let mut headless = Headless::run(scratch, &[], &variables, &command);
    end(&mut headless, &app);
    Some(headless.finish())
}

#[track_caller]
fn check_served(came: &Finished, n_documents: usize, n_containers: usize, via: &str) {
    let traces = came.export["traces"].as_array().expect("traces");
    let roots = |name: &'static str| traces.iter().filter(move |trace| trace["root"] == name);
    assert_eq!(
        roots("document.process").count(),
        n_documents,
        "{}",
        came.stderr
    );
    assert_eq!(roots("modal.init").count(), n_containers);
    assert_eq!(
        roots("modal.exit").count(),
        n_containers,
        "what was printed last came too"
    );
    let mut tasks = HashMap::new();
    for trace in roots("document.process") {
        assert_eq!(trace["spans"].as_array().map(Vec::len), Some(3));
        assert_eq!(trace["logs"].as_array().map(Vec::len), Some(2), "{trace}");
        assert_eq!(trace["arrivals"][0]["via"], via);
        *tasks
            .entry(trace["container"]["task_id"].to_string())
            .or_insert(0) += 1;
    }
    assert_eq!(tasks.len(), n_containers, "{tasks:?}");
    assert_eq!(came.export["counters"]["logs_dropped"], 0);
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn modal_serve_prints_spans_and_lines_of_two_containers() {
    for (route, via) in [("printed", "stdout"), ("relay", "relay")] {
        let came = serve(
            route,
            &["--containers", "2", "--requests", "20"],
            |headless, _| {
                headless.wait_for_traces("document.process", 20);
            },
        );
        let Some(came) = came else { return };
        check_served(&came, 20, 2, via);
        assert_eq!(came.export["counters"]["payloads_refused"], 0);
        assert_eq!(came.export["counters"]["relay_lost"], 0);
    }
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn a_reload_of_modal_serve_begins_a_new_generation() {
    let came = serve(
        "relay",
        &["--containers", "1", "--requests", "5"],
        |headless, app| {
            headless.wait_for_traces("document.process", 5);
            let path = app.path("app.py");
            let source = fs::read_to_string(&path).expect("the app");
            fs::write(&path, source + "\n# changed\n").expect("it can be changed");
            headless.wait_for_traces("document.process", 10);
        },
    );
    let Some(came) = came else { return };
    check_served(&came, 10, 2, "relay");
}

#[test]
#[ignore = "needs Python with ddtrace and modal: .ci/run"]
fn what_torn_lines_lose_is_counted() {
    const N_DOCUMENTS: usize = 30;
    let requests = N_DOCUMENTS.to_string();
    let arguments = [
        "--containers",
        "2",
        "--requests",
        &requests,
        "--split-lines",
    ];
    let came = serve("relay", &arguments, |headless, _| {
        // How much arrives whole is chance. What the containers print last tells of what is missing.
        let events = headless.path("events.ndjson");
        let begun = Instant::now();
        while !fs::read_to_string(&events).is_ok_and(|text| text.contains("all_served")) {
            assert!(begun.elapsed() < PATIENCE, "the documents are not done");
            headless.read_until_quiet(Duration::from_millis(100));
        }
        headless.read_until_quiet(Duration::from_secs(3));
    });
    let Some(came) = came else { return };
    let number = |name: &str| came.export["counters"][name].as_u64().unwrap_or(0);
    let traces = came.export["traces"].as_array().expect("traces");
    let whole = |trace: &&Value| {
        trace["root"] == "document.process" && trace["spans"].as_array().map(Vec::len) == Some(3)
    };
    let n_whole = traces.iter().filter(whole).count();
    let n_lost = number("relay_lost") + number("payloads_refused");
    assert!(
        n_whole == N_DOCUMENTS || n_lost > 0,
        "{n_whole} of {N_DOCUMENTS} documents, and nothing lost"
    );
    assert!(number("relay_messages") > 0, "{}", came.stderr);
}
