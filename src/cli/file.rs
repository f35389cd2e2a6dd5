//! The configuration file: TOML whose keys are the long options. An unknown key is an error that
//! names its line.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::UsageError;
use crate::config::{
    Answers, AppUrl, ByteSize, ExportFormat, Forward, Idle, ListenAddress, PerSecond, Percent,
    Token,
};
use crate::sampler::AgentModel;

/// What the file says; a key that is not there says nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FileOptions {
    pub(super) listen: Option<ListenAddress>,
    pub(super) uds: Option<PathBuf>,
    pub(super) otlp: Option<ListenAddress>,
    pub(super) token: Option<Token>,
    pub(super) url: Option<AppUrl>,
    pub(super) logs: Option<Vec<PathBuf>>,
    pub(super) forward: Option<Forward>,
    pub(super) forward_sampled: Option<bool>,
    pub(super) forward_logs: Option<bool>,
    pub(super) forward_tag: Option<Vec<String>>,
    pub(super) spill: Option<PathBuf>,
    pub(super) no_env: Option<bool>,
    pub(super) live: Option<bool>,
    pub(super) sampling: Option<Answers>,
    pub(super) client_drop_p0s: Option<bool>,
    pub(super) agent_model: Option<AgentModel>,
    pub(super) target_tps: Option<PerSecond>,
    pub(super) error_tps: Option<PerSecond>,
    pub(super) rare: Option<bool>,
    pub(super) probabilistic: Option<Percent>,
    pub(super) extra_rate: Option<PerSecond>,
    pub(super) init_span: Option<Vec<String>>,
    pub(super) insecure_listen: Option<bool>,
    pub(super) memory: Option<ByteSize>,
    pub(super) headless: Option<bool>,
    pub(super) export: Option<PathBuf>,
    pub(super) export_format: Option<ExportFormat>,
    pub(super) exit_after_idle: Option<Idle>,
    pub(super) no_mouse: Option<bool>,
    pub(super) ascii: Option<bool>,
    pub(super) log_file: Option<PathBuf>,
}

/// Reads the file that was asked for, which must be there, or the default one, which need not.
pub(super) fn read(
    asked: Option<&Path>,
    default: Option<&Path>,
) -> Result<FileOptions, UsageError> {
    let Some(path) = asked.or(default) else {
        return Ok(FileOptions::default());
    };
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, path),
        Err(error) if error.kind() == ErrorKind::NotFound && asked.is_none() => {
            Ok(FileOptions::default())
        }
        Err(error) => Err(UsageError::new(format!(
            "{} cannot be read: {error}",
            path.display()
        ))),
    }
}

fn parse(text: &str, path: &Path) -> Result<FileOptions, UsageError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.split('\n').count());
        let message = error.message().trim_end().replace('\n', ", ");
        UsageError::new(format!("{}, line {line}: {message}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = parse(text, Path::new("config.toml")).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn every_option_can_stand_in_the_file() {
        let text = r#"
            listen = "127.0.0.1:8136"
            token = "s3cret"
            memory = "1GiB"
            exit-after-idle = "2s"
            export-format = "datadog"
            logs = ["app.log", "worker.log"]
            ascii = true
        "#;
        let options = parse(text, Path::new("config.toml")).unwrap();
        assert_eq!(options.listen.unwrap().0.port(), 8136);
        assert_eq!(options.memory, Some(ByteSize(1 << 30)));
        assert_eq!(options.export_format, Some(ExportFormat::Datadog));
        assert_eq!(options.ascii, Some(true));
        assert_eq!(options.logs.unwrap().len(), 2);
        assert_eq!(options.headless, None);
        let plain = parse("memory = 65536", Path::new("config.toml")).unwrap();
        assert_eq!(plain.memory, Some(ByteSize(65_536)));
    }

    #[test]
    fn an_error_names_its_line() {
        check(
            "ascii = true\n\ncolour = true\n",
            "error: config.toml, line 3: unknown field `colour`, expected one of `listen`, `uds`, \
             `otlp`, `token`, `url`, `logs`, `forward`, `forward-sampled`, `forward-logs`, `forward-tag`, `spill`, `no-env`, `live`, `sampling`, `client-drop-p0s`, \
             `agent-model`, `target-tps`, `error-tps`, `rare`, `probabilistic`, `extra-rate`, \
             `init-span`, `insecure-listen`, `memory`, `headless`, `export`, `export-format`, \
             `exit-after-idle`, `no-mouse`, `ascii`, `log-file`",
        );
        check(
            "ascii = true\nmemory = \"lots\"\n",
            "error: config.toml, line 2: a size is a whole number with KB, MB, GB, KiB, MiB or \
             GiB, as in 512MiB",
        );
    }
}
