//! A request of OTLP with one of everything, in both of its encodings. Shared with the crate in
//! `fuzz/`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

/// In JSON, as `opentelemetry-proto` reads and writes it.
pub(crate) const JSON: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}},{"key":"deployment.environment","value":{"stringValue":"prod"}},{"key":"telemetry.sdk.language","value":{"stringValue":"python"}}],"droppedAttributesCount":0},"scopeSpans":[{"scope":{"name":"scope","version":"1","attributes":[],"droppedAttributesCount":0},"spans":[{"traceId":"6b00a83d000000000000000000000001","spanId":"0000000000000002","traceState":"dd=s:1","parentSpanId":"0000000000000001","flags":1,"name":"GET /","kind":2,"startTimeUnixNano":"1795206433000000000","endTimeUnixNano":"1795206433250000000","attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"http.response.status_code","value":{"intValue":"500"}},{"key":"b","value":{"boolValue":true}},{"key":"d","value":{"doubleValue":1.5}},{"key":"l","value":{"arrayValue":{"values":[{"stringValue":"x"}]}}},{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":"7"}}]}}}],"droppedAttributesCount":1,"events":[{"timeUnixNano":"1795206433100000000","name":"exception","attributes":[{"key":"exception.message","value":{"stringValue":"no"}}],"droppedAttributesCount":0}],"droppedEventsCount":0,"links":[{"traceId":"6b00a83d000000000000000000000003","spanId":"0000000000000004","traceState":"","attributes":[],"droppedAttributesCount":0,"flags":0}],"droppedLinksCount":0,"status":{"message":"no","code":2}}],"schemaUrl":""}],"schemaUrl":"https://opentelemetry.io/schemas/1.24.0"}]}"#;

/// In protobuf.
pub(crate) fn protobuf() -> Vec<u8> {
    let request: ExportTraceServiceRequest =
        serde_json::from_str(JSON).expect("the message is whole");
    request.encode_to_vec()
}
