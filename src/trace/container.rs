//! A container as it presents itself, through the relay or in the tags of its spans.

use super::UnixNanos;

/// What the first message of a relay says about the process it runs in. Unknown is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    /// `ta-01J8…`, the key of a Modal container.
    pub task_id: Option<Box<str>>,
    /// `us-east-1`.
    pub region: Option<Box<str>>,
    /// `CLOUD_PROVIDER_AWS`, as the container has it.
    pub cloud: Option<Box<str>>,
    /// Modal's environment.
    pub environment: Option<Box<str>>,
    /// `im-…`.
    pub image_id: Option<Box<str>>,
    /// The GPU's model.
    pub gpu: Option<Box<str>>,
    /// The process.
    pub pid: Option<u64>,
    /// When the process began.
    pub process_start: Option<UnixNanos>,
    /// When the relay was started in it.
    pub started: Option<UnixNanos>,
    /// The interpreter's version.
    pub python: Option<Box<str>>,
    /// Whether the process came back from a memory snapshot.
    pub restored: Option<bool>,
}

impl ContainerFacts {
    /// Whether they tell the container from others: a process alone does not.
    pub(crate) fn name_a_container(&self) -> bool {
        let said = [
            &self.task_id,
            &self.region,
            &self.cloud,
            &self.environment,
            &self.image_id,
            &self.gpu,
        ];
        said.into_iter().any(Option::is_some)
    }
}

/// One run of a process with a relay: the SOURCE of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelaySource(pub u32);

/// A relay has begun to speak: who it is, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// What its messages are marked with.
    pub source: RelaySource,
    /// Where it runs.
    pub container: ContainerFacts,
}
