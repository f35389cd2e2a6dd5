//! Writes what each target begins with to `corpus/TARGET/`:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, seeds) in modtrace_fuzz::seeds() {
        let folder = corpus.join(name);
        fs::create_dir_all(&folder)?;
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{index}")), seed)?;
        }
    }
    Ok(())
}
