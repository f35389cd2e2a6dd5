//! Options, variables and the file, each where the others are silent.

use clap::{CommandFactory, FromArgMatches};

use super::*;
use crate::config::ClipboardRoute;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn environment() -> Environment {
    Environment {
        no_color: false,
        clipboard: ClipboardRoute::Terminal,
        log_filter: None,
        told: ToldToChildren::default(),
        config_directory: None,
        state_directory: Some("/state/modtrace-tui".into()),
        home_directory: Some("/home/user".into()),
        current_directory: Some("/here".into()),
        datadog: DatadogVariables::default(),
    }
}

/// Reads a command line with a configuration file that holds `config`.
fn resolve(line: &str, config: &str) -> Result<Settings, String> {
    let words = std::iter::once("modtrace-tui").chain(line.split_whitespace());
    let matches = Arguments::command()
        .try_get_matches_from(words)
        .map_err(|error| error.to_string())?;
    let arguments = Arguments::from_arg_matches(&matches).unwrap();
    let file: FileOptions = toml::from_str(config).unwrap();
    layered(arguments, file, &given_options(&matches), &environment())
        .map_err(|error| error.to_string())
}

#[track_caller]
fn check<T: PartialEq + std::fmt::Debug>(
    line: &str,
    config: &str,
    read: impl Fn(Settings) -> T,
    expected: &T,
) {
    assert_eq!(&read(resolve(line, config).unwrap()), expected, "{line}");
}

#[track_caller]
fn check_refused(line: &str, part: &str) {
    let error = resolve(line, "").unwrap_err();
    assert!(error.contains(part), "{line}: {error}");
}

#[test]
fn without_arguments_it_is_the_agent_on_its_usual_port() {
    let settings = resolve("", "").unwrap();
    assert_eq!(settings.command, Command::Agent);
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8126");
    assert_eq!(settings.memory_bytes, 512 * 1024 * 1024);
    assert_eq!(settings.output, Output::Screen);
    assert_eq!(settings.export, None);
    assert_eq!(
        settings.log.path,
        Some("/state/modtrace-tui/modtrace-tui.log".into())
    );
    let directories = ["/here", "/state/modtrace-tui", "/home/user"].map(PathBuf::from);
    assert_eq!(settings.export_directories, directories);
}

#[test]
fn an_option_wins_over_the_file_and_the_file_over_the_default() {
    let memory = |settings: Settings| settings.memory_bytes;
    check("", "memory = \"1MiB\"", memory, &1_048_576);
    check("--memory 2MiB", "memory = \"1MiB\"", memory, &2_097_152);
    check(
        "",
        "ascii = true",
        |settings| settings.screen.glyphs,
        &Glyphs::Ascii,
    );
    check(
        "--no-mouse",
        "",
        |settings| settings.screen.mouse,
        &Mouse::Free,
    );
}

#[test]
fn options_may_stand_before_and_after_the_subcommand() {
    let output = |settings: Settings| settings.output;
    check("--headless demo", "", output, &Output::Headless);
    check("demo --headless", "", output, &Output::Headless);
}

#[test]
fn the_demo_takes_a_free_port_unless_its_command_line_names_one() {
    let listen = |settings: Settings| settings.listen.to_string();
    let free = "127.0.0.1:0".to_owned();
    check("demo", "", listen, &free);
    check("demo", "listen = \"127.0.0.1:8136\"", listen, &free);
    check(
        "demo --listen 127.0.0.1:8136",
        "",
        listen,
        &"127.0.0.1:8136".to_owned(),
    );
    check(
        "demo --story 2",
        "",
        |settings| settings.command,
        &Command::Demo(Story::LargeTrace),
    );
    check_refused("demo --story 4", "1..=3");
}

#[test]
fn a_public_address_needs_a_token_or_the_word_of_the_user() {
    for address in ["0.0.0.0:8126", "192.0.2.1:8126", "[::]:8126"] {
        check_refused(&format!("--listen {address}"), "--token TOKEN");
        let secret = |settings: Settings| settings.token.is_some();
        check(
            &format!("--listen {address} --token s3cret"),
            "",
            secret,
            &true,
        );
        check(
            &format!("--listen {address} --insecure-listen"),
            "",
            secret,
            &false,
        );
    }
    for address in ["127.0.0.2:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        resolve(&format!("--listen {address}"), "").unwrap();
    }
}

#[test]
fn the_port_for_otlp_keeps_the_rules_of_the_other() {
    let otlp = |settings: Settings| settings.otlp.map(|address| address.to_string());
    let usual = Some("127.0.0.1:4318".to_owned());
    check("", "", otlp, &None);
    check("--otlp localhost:4318", "", otlp, &usual);
    check("", "otlp = \"127.0.0.1:4318\"", otlp, &usual);
    check(
        "--otlp 127.0.0.1:4318",
        "otlp = \"127.0.0.1:1\"",
        otlp,
        &usual,
    );
    check_refused("--otlp 0.0.0.0:4318", "add --token TOKEN");
    check_refused("--otlp 4318", "as in 127.0.0.1:8136");
    check_refused("open all.json --otlp 127.0.0.1:1", "leave out --otlp");
    resolve("--otlp 0.0.0.0:4318 --token s3cret", "").unwrap();
    resolve("--otlp 0.0.0.0:4318 --insecure-listen", "").unwrap();
    // A demo takes no port that a running program may have.
    check("demo", "otlp = \"127.0.0.1:4318\"", otlp, &None);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    check_refused("open all.json --listen 127.0.0.1:1", "leave out --listen");
    check_refused("open", "<FILE>");
    check_refused("--memory 1KiB", "64KiB");
    check_refused("--exit-after-idle 2", "as in 2s");
    check_refused("--export-format otlp", "datadog");
    check_refused("open all.json --logs app.log", "leave out --logs");
    check_refused("--no-env", "run --no-env -- CMD");
    check_refused("demo --live", "run --live -- CMD");
    check_refused("env shell --logs app.log", "leave out --logs");
    check_refused("env nonsense", "modal, docker, shell, stdout, relay");
    check_refused("run", "<CMD>");
    check_refused("run modal serve", "--");
}

#[test]
fn the_doctor_is_told_what_to_check_and_heeds_little_else() {
    let doctor = |line: &str| match resolve(line, "forward = \"agent=http://127.0.0.1:9\"") {
        Ok(Settings {
            command: Command::Doctor(doctor),
            forward: None,
            ..
        }) => doctor,
        other => panic!("{line}: {other:?}"),
    };
    for line in [
        "doctor --forward",
        "doctor --forward=datadog",
        "--forward datadog doctor",
    ] {
        let doctor = doctor(line);
        assert_eq!(doctor.report, Report::Lines);
        let sentence = doctor.forwarding.unwrap_err();
        assert!(sentence.starts_with("DD_API_KEY is not set"), "{sentence}");
    }
    for line in ["doctor --json --forward", "doctor --forward --json"] {
        assert_eq!(doctor(line).report, Report::Json);
    }
    for line in ["doctor", "doctor --json"] {
        check_refused(line, "modtrace-tui doctor --forward");
    }
    check_refused(
        "doctor --forward=agent=http://127.0.0.1:9",
        "not to an Agent",
    );
    check_refused("doctor --forward all.json", "unexpected argument");
    for option in [
        "listen 127.0.0.1:1",
        "logs app.log",
        "forward-sampled",
        "sampling agent",
        "export all.json",
        "headless",
    ] {
        let name = option.split(' ').next().unwrap();
        let said = format!("leave out --{name}");
        check_refused(&format!("doctor --forward --{option}"), &said);
    }
    check_refused("doctor --forward --live", "run --live -- CMD");
}

#[test]
fn what_follows_two_dashes_is_the_command_to_run_with_all_of_its_options() {
    let child = |line: &str| match resolve(line, "").unwrap().command {
        Command::Run(child) => child,
        other => panic!("{other:?}"),
    };
    let serve = child("run --headless -- modal serve --token x app.py");
    assert_eq!(serve.shown(), "modal serve --token x app.py");
    let told = Told::ByUs;
    let set = ChildEnvironment::Set {
        agent: told,
        relay: told,
    };
    assert_eq!(serve.environment, set);
    let alone = child("run --no-env -- sh");
    assert_eq!(alone.environment, ChildEnvironment::LeftAlone);
    let flush = |settings: Settings| settings.flush;
    check("run --live -- sh", "", flush, &Flush::EachSpan);
    check("", "live = true", flush, &Flush::EachSpan);
}

#[test]
fn log_files_of_the_command_line_replace_those_of_the_file() {
    let logs = |settings: Settings| settings.logs;
    let file = "logs = [\"file.log\"]";
    check("", file, logs, &vec!["file.log".into()]);
    let both = vec!["a.log".into(), "-".into()];
    check("--logs a.log --logs -", file, logs, &both);
}

#[test]
fn lines_are_not_printed_for_an_address_that_is_not_known() {
    let lines = |line| lines(&resolve(line, "").unwrap(), Some(Topic::Shell));
    assert!(lines("env shell").unwrap().contains("127.0.0.1:8126"));
    let error = lines("env --listen 127.0.0.1:0").unwrap_err();
    assert!(error.to_string().contains("name a port"), "{error}");
}

/// The same, with a key in the environment.
fn resolve_with_key(line: &str, config: &str) -> Result<Settings, String> {
    let words = std::iter::once("modtrace-tui").chain(line.split_whitespace());
    let matches = Arguments::command().try_get_matches_from(words).unwrap();
    let arguments = Arguments::from_arg_matches(&matches).unwrap();
    let mut environment = environment();
    environment.datadog.api_key = Some(KEY.to_owned());
    let file: FileOptions = toml::from_str(config).unwrap();
    layered(arguments, file, &given_options(&matches), &environment)
        .map_err(|error| error.to_string())
}

#[track_caller]
fn check_forward(line: &str, config: &str, expected: Option<&str>) {
    let settings = resolve_with_key(line, config).unwrap();
    let forward = settings.forward.map(|forward| forward.to_string());
    assert_eq!(forward.as_deref(), expected, "{line}");
}

#[test]
fn files_are_sent_only_if_the_command_line_itself_says_so() {
    let config = "forward = \"datadog\"\nforward-logs = true\nspill = \"rest.json\"";
    let datadog = Some("datadog datadoghq.com");
    check_forward("", config, datadog);
    check_forward("open all.json", config, None);
    check_forward("open all.json more.json", config, None);
    check_forward("simulate all.json", config, None);
    check_forward("open --forward datadog all.json", "", datadog);
    let settings = resolve_with_key("open --forward datadog all.json", config).unwrap();
    assert_eq!(settings.spill, Some("rest.json".into()));
    let Some(ForwardTo::Datadog(target)) = settings.forward else {
        panic!("nothing is sent");
    };
    assert_eq!(target.lines, LinesGo::WithTheirTraces);
}

#[test]
fn what_files_cannot_be_asked_is_refused() {
    let refused = |line: &str, part: &str| {
        let error = resolve_with_key(line, "forward = \"datadog\"").unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    };
    refused(
        "open --forward agent=http://agent all.json",
        "--forward datadog",
    );
    refused(
        "open --forward datadog all.json more.json",
        "one FILE at a time",
    );
    refused("open --forward-logs all.json", "need --forward datadog");
    refused("simulate --spill x all.json", "leave out --spill");
    check_refused("--spill x", "needs --forward datadog");
    check_refused("open --spill x all.json", "needs --forward datadog");
}
