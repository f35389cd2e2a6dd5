//! The targets of `cargo test`, for libFuzzer.

#[path = "../../tests/it/fuzz/oracle.rs"]
mod oracle;
#[path = "../../tests/it/fuzz/otlp.rs"]
mod otlp;
#[path = "../../tests/it/fuzz/relay.rs"]
mod relay;
#[path = "../../tests/it/fuzz/seeds.rs"]
mod seeds;
#[path = "../../tests/it/fuzz/target.rs"]
mod target;
#[path = "../../tests/it/fuzz/v10.rs"]
mod v10;

/// Puts bytes into the target with a name. Panics if something does not hold.
pub fn check(name: &str, bytes: &[u8]) {
    let target = target::named(name).expect("a row of the table has this name");
    target::check(target, bytes);
}

/// What to begin with: the name of each target, and its seeds.
pub fn seeds() -> impl Iterator<Item = (&'static str, Vec<Vec<u8>>)> {
    target::TARGETS
        .iter()
        .map(|target| (target.name, (target.seeds)()))
}
