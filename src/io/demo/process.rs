//! Who sends spans: a Modal container, or the local entrypoint that starts a batch. Knows what such
//! a process puts on its spans, not what it does.

use std::borrow::Cow;
use std::sync::Arc;

use super::sketch::Dice;

/// Of one build of the app, so all its containers have it.
const IMAGE_ID: &str = "im-01K9XWQ4T7MZR2B8V5";
/// The GPU of a container: a function takes what is free of those it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gpu {
    A10g,
    L4,
}

impl Gpu {
    fn name(self) -> &'static str {
        match self {
            Self::A10g => "A10G",
            Self::L4 => "L4",
        }
    }
}

/// One process with a tracer of its own.
#[derive(Clone, Debug)]
pub(super) struct Process {
    runtime_id: Arc<str>,
    pid: f64,
    gpu: Gpu,
    /// What `tracer.set_tags` puts on every span.
    tags: Vec<(&'static str, Cow<'static, str>)>,
}

impl Process {
    /// A container comes up.
    pub(super) fn container(dice: &mut Dice, gpu: Gpu) -> Self {
        let mut process = Self::local_entrypoint(dice);
        // Half of them find a machine where the app asks for one first.
        let (region, cloud) = match dice.between(0, 4) {
            0 => ("eu-west-1", "CLOUD_PROVIDER_AWS"),
            1 => ("us-ashburn-1", "CLOUD_PROVIDER_OCI"),
            _ => ("us-east-1", "CLOUD_PROVIDER_AWS"),
        };
        process.gpu = gpu;
        process.tags.extend([
            ("modal.task_id", dice.modal_id("ta").into()),
            ("modal.region", region.into()),
            ("modal.cloud_provider", cloud.into()),
            ("modal.environment", "dev".into()),
            ("modal.image_id", IMAGE_ID.into()),
            ("modal.gpu", gpu.name().into()),
        ]);
        process
    }

    /// `modal run` on somebody's own machine: traced, but in no container.
    pub(super) fn local_entrypoint(dice: &mut Dice) -> Self {
        Self {
            runtime_id: format!("{:016x}{:016x}", dice.id(), dice.id()).into(),
            pid: f64::from(u16::try_from(dice.between(20, 400)).unwrap_or(20)),
            gpu: Gpu::A10g,
            tags: vec![("env", "dev".into()), ("version", "1.2.3".into())],
        }
    }

    pub(super) fn runtime_id(&self) -> &Arc<str> {
        &self.runtime_id
    }

    pub(super) fn pid(&self) -> f64 {
        self.pid
    }

    pub(super) fn gpu(&self) -> Gpu {
        self.gpu
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
        self.tags.iter().cloned()
    }
}
