//! What the environment may say, and the sentences that answer it. No sentence holds a key.

use proptest::prelude::*;

use super::*;

const KEY: &str = "0123456789abcdef0123456789aba91f";

fn options() -> ForwardOptions<'static> {
    ForwardOptions {
        api_key: Some(KEY),
        ..ForwardOptions::default()
    }
}

#[track_caller]
fn refused(options: &ForwardOptions<'_>, expected: &str) {
    let error = ForwardSettings::read(options).unwrap_err();
    assert!(error.contains(expected), "{error}");
    assert!(error.ends_with('.') && !error.contains('\n'), "{error}");
    assert!(!error.contains("a91f"), "{error}");
}

fn addresses(settings: &ForwardSettings) -> [String; 4] {
    [
        &settings.traces,
        &settings.stats,
        &settings.logs,
        &settings.validate,
    ]
    .map(ToString::to_string)
}

#[test]
fn addresses_follow_from_the_site() {
    let settings = ForwardSettings::read(&options()).unwrap();
    assert_eq!(&*settings.site, "datadoghq.com");
    let eu = ForwardOptions {
        site: Some(" datadoghq.eu "),
        ..options()
    };
    let settings = ForwardSettings::read(&eu).unwrap();
    assert_eq!(
        addresses(&settings),
        [
            "https://trace.agent.datadoghq.eu/api/v0.2/traces",
            "https://trace.agent.datadoghq.eu/api/v0.2/stats",
            "https://http-intake.logs.datadoghq.eu/api/v2/logs",
            "https://api.datadoghq.eu/api/v1/validate",
        ]
    );
    assert_eq!(settings.address(Intake::Stats), &settings.stats);
    assert_eq!(settings.address(Intake::Traces), &settings.traces);
    assert_eq!(settings.address(Intake::Logs), &settings.logs);
    assert_eq!(settings.traces.authority(), "trace.agent.datadoghq.eu");
}

#[test]
fn sites_are_told_by_their_shape() {
    #[track_caller]
    fn check(site: &str, expected: &str) {
        refused(
            &ForwardOptions {
                site: Some(site),
                ..options()
            },
            expected,
        );
    }
    for good in ["us3.datadoghq.com", "ddog-gov.com", "ap9.datadoghq.com", ""] {
        let good = ForwardOptions {
            site: Some(good),
            ..options()
        };
        assert!(ForwardSettings::read(&good).is_ok(), "{good:?}");
    }
    check("https://app.datadoghq.eu/", "so set it to datadoghq.eu.");
    check("datadoghq", "it is a host such as");
    check("datadoghq.com:443", "it is a host such as");
    check("us3.datadoghq.com/api", "so set it to us3.datadoghq.com.");
    check("Datadoghq.com", "it is a host such as");
    check("10.0.0.1", "it is a host such as");
    check("-a.com", "it is a host such as");
    check("a..com", "it is a host such as");
    check("a\u{1b}[2J.com", "it is a host such as");
    check(KEY, "looks like a key");
    check("datadoghq.com?key=0123456789abcdefa91f", "looks like a key");
    check(&KEY.to_uppercase(), "looks like a key");
}

#[test]
fn keys_are_told_by_their_shape_and_never_shown() {
    #[track_caller]
    fn check(key: Option<&str>, other: Option<&str>, expected: &str) {
        let options = ForwardOptions {
            api_key: key,
            datadog_api_key: other,
            ..ForwardOptions::default()
        };
        refused(&options, expected);
        assert!(!format!("{options:?}").contains("a91f"));
    }
    check(None, None, "DD_API_KEY is not set: start");
    check(Some("  "), None, "DD_API_KEY is not set: start");
    check(None, Some(KEY), "but DATADOG_API_KEY is");
    check(Some(""), Some(KEY), "but DATADOG_API_KEY is");
    check(Some("12a91f"), None, "holds 6 characters");
    check(
        Some(&KEY.replace('0', "g")),
        None,
        "characters that no API key has",
    );
    check(
        Some(&KEY.to_uppercase()),
        None,
        "characters that no API key has",
    );
    check(Some(&format!("01234567{KEY}")), None, "application key");
    // Another program's variable does no harm.
    let both = ForwardOptions {
        datadog_api_key: Some("other"),
        ..options()
    };
    let settings = ForwardSettings::read(&both).unwrap();
    assert_eq!(settings.key.expose(), KEY);
    let shown = format!("{settings:?} {settings:#?}");
    assert!(shown.contains("..a91f") && !shown.contains(KEY));
    assert!(!shown.contains("789aba91f"));
}

#[test]
fn addresses_of_their_own_replace_those_of_the_site() {
    let own = ForwardOptions {
        traces_url: Some("http://127.0.0.1:8080/base/"),
        logs_url: Some("logs.example.com:10516"),
        ..options()
    };
    let settings = ForwardSettings::read(&own).unwrap();
    assert_eq!(
        addresses(&settings),
        [
            "http://127.0.0.1:8080/base/api/v0.2/traces",
            "http://127.0.0.1:8080/base/api/v0.2/stats",
            "https://logs.example.com:10516/api/v2/logs",
            "https://api.datadoghq.com/api/v1/validate",
        ]
    );
    let v6 = ForwardOptions {
        traces_url: Some("HTTPS://[::1]:8443"),
        ..options()
    };
    let settings = ForwardSettings::read(&v6).unwrap();
    assert_eq!(settings.traces.authority(), "[::1]:8443");
    assert_eq!(&*settings.traces.host, "::1");
    assert_eq!(settings.traces.scheme, Scheme::Https);
}

#[test]
fn who_is_asked_about_the_key_follows_the_agents_rule() {
    #[track_caller]
    fn check(url: &str, expected: &str) {
        let own = ForwardOptions {
            main_url: Some(url),
            // Another intake for traces is no other place to ask about the key.
            traces_url: Some("http://127.0.0.1:1"),
            ..options()
        };
        let settings = ForwardSettings::read(&own).unwrap();
        assert_eq!(settings.validate.to_string(), expected);
    }
    check("", "https://api.datadoghq.com/api/v1/validate");
    check(
        "http://127.0.0.1:8080/base/",
        "http://127.0.0.1:8080/base/api/v1/validate",
    );
    check(
        "https://dd.example.com",
        "https://dd.example.com/api/v1/validate",
    );
    for host in ["app.datadoghq.eu", "api.datadoghq.eu", "datadoghq.eu"] {
        check(
            &format!("https://{host}"),
            "https://api.datadoghq.eu/api/v1/validate",
        );
    }
    check(
        "https://app.us3.datadoghq.com",
        "https://api.us3.datadoghq.com/api/v1/validate",
    );
    check(
        "https://app.ddog-gov.com",
        "https://api.ddog-gov.com/api/v1/validate",
    );
    check(
        "https://notdatadoghq.com",
        "https://notdatadoghq.com/api/v1/validate",
    );
    let wrong = ForwardOptions {
        main_url: Some("ftp://example.com"),
        ..options()
    };
    refused(&wrong, "DD_DD_URL is neither an http nor an https address");
}

#[test]
fn what_is_no_address_is_told_by_its_variable() {
    #[track_caller]
    fn check(url: &str, expected: &str) {
        let traces = ForwardOptions {
            traces_url: Some(url),
            ..options()
        };
        refused(&traces, &format!("DD_APM_DD_URL {expected}"));
        let logs = ForwardOptions {
            logs_url: Some(url),
            ..options()
        };
        refused(&logs, &format!("DD_LOGS_CONFIG_LOGS_DD_URL {expected}"));
    }
    check(
        "ftp://example.com",
        "is neither an http nor an https address",
    );
    check(
        &format!("https://u:{KEY}@example.com"),
        "holds a name or a password",
    );
    check(
        &format!("https://example.com/?key={KEY}"),
        "holds a ? or a #",
    );
    check("https://example.com/a b", "holds a ? or a #");
    check("https://", "does not name a host");
    check("https://exa mple.com", "holds a ? or a #");
    check("https://-a.com", "does not name a host");
    check("https://example.com:0", "has no port");
    check("https://example.com:99999", "has no port");
    check("https://[::g]", "does not name a host");
}

proptest! {
    #[test]
    fn whatever_is_said_nothing_panics_and_no_key_is_in_a_sentence(
        (before, after) in (".{0,40}", ".{0,40}"),
        place in 0..3_usize,
        key in "[0-9a-f]{20,50}",
    ) {
        let mixed = |at: usize| {
            let key = if at == place { &*key } else { "" };
            format!("{before}{key}{after}")
        };
        let (site, url) = (mixed(1), mixed(2));
        let options = ForwardOptions {
            api_key: Some(&key),
            datadog_api_key: Some(&key),
            site: Some(&site),
            main_url: Some(&url),
            traces_url: Some(&url),
            ..ForwardOptions::default()
        };
        match ForwardSettings::read(&options) {
            Ok(settings) => {
                let shown = format!("{settings:?}");
                prop_assert!(!shown.contains(&*key));
            }
            Err(sentence) => prop_assert!(!sentence.contains(&*key)),
        }
    }
}

#[test]
fn proxies_are_chosen_for_each_host() {
    let read = |https_proxy, no_proxy| {
        ForwardSettings::read(&ForwardOptions {
            https_proxy: Some(https_proxy),
            no_proxy,
            ..options()
        })
    };
    let settings = read("proxy:3128", Some("logs.datadoghq.com")).unwrap();
    for address in [&settings.traces, &settings.stats, &settings.validate] {
        assert!(address.proxy.is_some(), "{address}");
    }
    assert_eq!(settings.logs.proxy, None);
    let wrong = read("socks5://proxy", None).unwrap_err();
    assert!(wrong.starts_with("HTTPS_PROXY is written like"), "{wrong}");
}
