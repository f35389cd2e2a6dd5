//! Files in a directory of each test's own.

use super::*;

fn write(path: &Path, bytes: &[u8]) -> Result<PathBuf, FileError> {
    let mut draft = Draft::create(path)?;
    draft.write_all(bytes).unwrap();
    draft.finish()
}

/// An empty directory of this test alone.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("modtrace-tui-{}-{name}", std::process::id()));
    let _not_there = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn an_export_replaces_the_file_only_when_it_is_whole() {
    let directory = directory("whole");
    let path = directory.join("all.json");
    write(&path, b"first").unwrap();
    let mut unfinished = Draft::create(&path).unwrap();
    unfinished.write_all(b"second, half of").unwrap();
    unfinished.flush().unwrap();
    assert_eq!(names(&directory).len(), 2);
    drop(unfinished);
    assert_eq!(fs::read(&path).unwrap(), b"first");
    write(&path, b"third").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"third");
    assert_eq!(names(&directory), ["all.json"]);
    fs::remove_dir_all(directory).unwrap();
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_device_stays_a_device() {
    use std::os::unix::fs::FileTypeExt;
    let directory = directory("link");
    let (target, link) = (directory.join("target.json"), directory.join("link.json"));
    fs::write(&target, b"old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    write(&link, b"new").unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    write(Path::new("/dev/null"), b"gone").unwrap();
    assert!(
        write(&directory, b"")
            .unwrap_err()
            .to_string()
            .contains("choose another place")
    );
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn an_export_goes_to_the_first_directory_that_takes_it_under_a_new_name() {
    let directory = directory("unique");
    let blocked = directory.join("blocked");
    fs::write(&blocked, b"a file, no directory").unwrap();
    let places = [blocked, directory.join("state")];
    let write = || Draft::create_unique(&places, "modtrace-1", "json")?.finish();
    let first = write().unwrap();
    let second = write().unwrap();
    assert_eq!(first, directory.join("state/modtrace-1.json"));
    assert_eq!(second, directory.join("state/modtrace-1-2.json"));
    assert_eq!(
        names(&directory.join("state")),
        ["modtrace-1-2.json", "modtrace-1.json"]
    );
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_place_that_cannot_be_written_is_known_before_the_capture() {
    let directory = directory("check");
    check_writable(&directory.join("all.json")).unwrap();
    assert!(check_writable(&directory).is_err());
    assert!(check_writable(&directory.join("missing/all.json")).is_err());
    assert!(names(&directory).is_empty());
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_name_of_an_export_is_time_and_trace() {
    let now = UnixNanos(1_795_204_425_287_000_000);
    let id = TraceId::from_halves(0x6b00_a83d_0000_0000, 0x6f0d_bd9e_7942_056a);
    assert_eq!(
        export_stem(now, Some(id)),
        "modtrace-20261120-195345-7942056a"
    );
    assert_eq!(export_stem(now, None), "modtrace-20261120-195345");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = std::env::temp_dir().join("modtrace-tui-none/none.json");
    let error = open(&missing).unwrap_err().to_string();
    assert!(error.contains("none.json cannot be read"), "{error}");
}

#[test]
fn a_file_that_is_there_is_left_alone_and_another_name_taken() {
    let directory = directory("beside");
    for (asked, expected) in [
        ("unsent.json", "unsent.json"),
        ("unsent.json", "unsent-2.json"),
        ("unsent.json", "unsent-3.json"),
        ("unsent", "unsent"),
        ("unsent", "unsent-2"),
    ] {
        let mut draft = Draft::create_new(&directory.join(asked)).unwrap();
        draft.write_all(expected.as_bytes()).unwrap();
        assert_eq!(draft.finish().unwrap(), directory.join(expected));
    }
    for name in names(&directory) {
        assert_eq!(fs::read(directory.join(&name)).unwrap(), name.as_bytes());
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn of_two_that_ask_for_a_name_while_it_is_free_each_gets_its_own() {
    let directory = directory("race");
    let path = directory.join("unsent.json");
    let mut drafts = ["one", "two", "three"].map(|text| {
        let mut draft = Draft::create_new(&path).unwrap();
        draft.write_all(text.as_bytes()).unwrap();
        draft
    });
    drafts.reverse();
    let written = drafts.map(|draft| draft.finish().unwrap());
    let expected = ["unsent.json", "unsent-2.json", "unsent-3.json"];
    assert_eq!(written, expected.map(|name| directory.join(name)));
    let texts = written.map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(texts, ["three", "two", "one"]);
    assert_eq!(names(&directory).len(), 3);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_file_is_held_by_one_at_a_time() {
    let directory = directory("held");
    let path = directory.join("all.json");
    fs::write(&path, "text").unwrap();
    let held = Held::open(&path).unwrap();
    assert_eq!(io::read_to_string(held.reader()).unwrap(), "text");
    assert!(matches!(Held::open(&path), Err(FileError::InUse { .. })));
    drop(held);
    Held::open(&path).unwrap();
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn that_a_held_file_was_changed_or_replaced_is_seen() {
    let directory = directory("changed");
    let (path, other) = (directory.join("all.json"), directory.join("other.json"));
    let changes: [&dyn Fn(); 3] = [
        &|| fs::write(&path, "longer than before").unwrap(),
        &|| fs::rename(&other, &path).unwrap(),
        &|| fs::remove_file(&path).unwrap(),
    ];
    for change in changes {
        fs::write(&path, "text").unwrap();
        fs::write(&other, "text").unwrap();
        let held = Held::open(&path).unwrap();
        assert!(held.is_unchanged());
        change();
        assert!(!held.is_unchanged());
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_file_that_nobody_may_write_is_not_replaced() {
    let directory = directory("read-only");
    let path = directory.join("all.json");
    fs::write(&path, "text").unwrap();
    let held = Held::open(&path).unwrap();
    held.check_replaceable().unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    assert!(held.check_replaceable().is_err());
    fs::remove_dir_all(directory).unwrap();
}
