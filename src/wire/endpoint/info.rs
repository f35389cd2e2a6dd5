//! What `/info` says: what a client may send here, and what it must not do because we are watching.
//! Follows `pkg/trace/api/info.go::makeInfoHandler` in `DataDog/datadog-agent`.

use serde_json::json;

use super::ENDPOINTS;

/// The Agent we pass for. Clients read it as a semantic version, so it must look like one. Told of an
/// Agent from 7.73 up to 7.79.0-rc.5 that takes v1.0, dd-trace-go computes statistics whatever it was
/// asked to do (`ddtrace/tracer/agent_version.go`).
pub(crate) const AGENT_VERSION: &str = "7.79.0";

/// What `/info` tells of how we were started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InfoSettings {
    /// The TCP port.
    pub(crate) receiver_port: u16,
    /// The unix socket, empty without one.
    pub(crate) receiver_socket: String,
    /// The largest body that is taken.
    pub(crate) body_bytes_max: usize,
    /// Whether tracers may drop what they reject.
    pub(crate) client_drop_p0s: bool,
}

/// Which tags make a peer, for statistics that clients compute.
const PEER_TAGS: [&str; 21] = [
    "_dd.base_service",
    "amqp.destination",
    "amqp.exchange",
    "amqp.queue",
    "aws.queue.name",
    "aws.s3.bucket",
    "db.hostname",
    "db.instance",
    "db.name",
    "db.system",
    "grpc.host",
    "hostname",
    "http.host",
    "messaging.destination",
    "messaging.destination.name",
    "messaging.system",
    "net.peer.name",
    "out.host",
    "peer.hostname",
    "peer.service",
    "server.address",
];

/// The JSON of `/info`.
///
/// `client_drop_p0s` is false unless that was asked for: with true, and statistics computed in the
/// client, rejected traces never arrive and cannot be shown.
pub(crate) fn info(settings: &InfoSettings) -> String {
    let listed = ENDPOINTS.iter().filter(|endpoint| endpoint.listed);
    let endpoints: Vec<&str> = listed.map(|endpoint| endpoint.path).collect();
    let info = json!({
        "version": AGENT_VERSION,
        "modtrace_tui": 1,
        "git_commit": "",
        "endpoints": endpoints,
        "client_drop_p0s": settings.client_drop_p0s,
        "span_meta_structs": true,
        "long_running_spans": true,
        "span_events": true,
        "evp_proxy_allowed_headers":
            ["Content-Type", "Accept-Encoding", "Content-Encoding", "User-Agent", "DD-CI-PROVIDER-NAME"],
        "config": {
            "default_env": "none",
            "target_tps": 10,
            "max_eps": 200,
            "receiver_port": settings.receiver_port,
            "receiver_socket": settings.receiver_socket,
            "connection_limit": 0,
            "receiver_timeout": 0,
            "max_request_bytes": settings.body_bytes_max,
            "statsd_port": 8125,
            "max_memory": 0,
            "max_cpu": 0,
            "analyzed_spans_by_service": {},
        },
        "peer_tags": PEER_TAGS,
        "span_kinds_stats_computed": ["server", "consumer", "client", "producer"],
        "obfuscation_version": 1,
    });
    format!("{info:#}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_lists_what_is_served_and_asks_clients_to_send_everything() {
        let settings = InfoSettings {
            receiver_port: 8126,
            ..InfoSettings::default()
        };
        let info: Value = serde_json::from_str(&info(&settings)).unwrap();
        assert_eq!(info["version"], AGENT_VERSION);
        assert_eq!(info["modtrace_tui"], 1);
        assert_eq!(info["client_drop_p0s"], false);
        assert_eq!(info["config"]["receiver_port"], 8126);
        let endpoints: Vec<&str> = info["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .map(|path| path.as_str().unwrap())
            .collect();
        assert!(endpoints.contains(&"/v0.5/traces") && endpoints.contains(&"/debugger/v1/input"));
        assert!(endpoints.contains(&"/v1.0/traces") && endpoints.contains(&"/v0.7/traces"));
        for hidden in ["/v0.1/spans", "/spans", "/v0.2/traces", "/v1/input"] {
            assert!(!endpoints.contains(&hidden), "{hidden}");
        }
    }
}
