//! What spans have from their resource and their scope, prepared once for all of them.

use std::borrow::Cow;

use hashbrown::HashMap;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1 as messages;

use super::attributes::{tag_key, tag_value, text, value};
use super::tags::Inherited;
use crate::trace::TracerInfo;

/// The attributes of a resource: of a key that comes twice, the first.
#[derive(Debug, Default)]
pub(super) struct Resource<'a> {
    attributes: HashMap<&'a str, (Option<&'a Value>, Cow<'a, str>)>,
}

impl<'a> Resource<'a> {
    pub(super) fn new(resource: Option<&'a messages::Resource>) -> Self {
        let mut attributes = HashMap::new();
        for attribute in resource
            .into_iter()
            .flat_map(|resource| &resource.attributes)
        {
            let entry = attributes.entry(&*attribute.key);
            entry.or_insert_with(|| {
                let value = value(attribute);
                (value, value.map(text).unwrap_or_default())
            });
        }
        Self { attributes }
    }

    pub(super) fn find(&self, key: &str) -> Option<&'a Value> {
        self.attributes.get(key)?.0
    }

    /// What an attribute says, if it says anything.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let (_, text) = self.attributes.get(key)?;
        (!text.is_empty()).then_some(text)
    }

    /// Who sent it. The Agent puts `otlp-` before the SDK's version, and knows none of the language.
    pub(super) fn tracer(&self) -> TracerInfo {
        let said = |key| self.text(key).map(tag_value).unwrap_or_default();
        let version = match said("telemetry.sdk.version") {
            version if version.is_empty() => version,
            version => format!("otlp-{version}"),
        };
        let env = match said("deployment.environment.name") {
            env if env.is_empty() => said("deployment.environment"),
            env => env,
        };
        TracerInfo {
            language: said("telemetry.sdk.language").into(),
            language_version: said("process.runtime.version").into(),
            tracer_version: version.into(),
            container_id: said("container.id").into(),
            runtime_id: said("runtime-id").into(),
            env: env.into(),
            hostname: said("host.name").into(),
            app_version: said("service.version").into(),
            ..TracerInfo::default()
        }
    }
}

/// The tags that a resource's attributes become on each of its spans, all of them text.
///
/// The Agent takes those that are called `datadog.container.tag.…` off the spans, and sends them as
/// tags of the payload (`ConsumeContainerTagsFromResource`). Here they stay where they can be seen.
pub(super) fn resource_tags(resource: Option<&messages::Resource>) -> Inherited<'_> {
    let mut tags = Inherited::default();
    for attribute in resource
        .into_iter()
        .flat_map(|resource| &resource.attributes)
    {
        if let Some(key) = tag_key(&attribute.key)
            && tags.get(&key).is_none_or(str::is_empty)
        {
            tags.set(key, value(attribute).map(text).unwrap_or_default());
        }
    }
    tags
}

/// The tags of a scope: its name and version, under the names of now and of before, and its
/// attributes.
pub(super) fn scope_tags(scope: Option<&InstrumentationScope>) -> Inherited<'_> {
    let mut tags = Inherited::default();
    let Some(scope) = scope else {
        return tags;
    };
    let said = [
        ("otel.scope.name", &scope.name),
        ("otel.library.name", &scope.name),
        ("otel.scope.version", &scope.version),
        ("otel.library.version", &scope.version),
    ];
    for (key, text) in said.into_iter().filter(|(_, text)| !text.is_empty()) {
        tags.set(key, &**text);
    }
    for attribute in &scope.attributes {
        tags.set(
            &*attribute.key,
            value(attribute).map(text).unwrap_or_default(),
        );
    }
    tags
}
