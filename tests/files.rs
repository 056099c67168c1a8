//! What the READMEs and the examples name is there; the systemd unit and the rotation of logs are sound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Links of Markdown, and paths in back quotes that begin with one of our folders.
fn named(markdown: &str) -> Vec<String> {
    let links = markdown.split("](").skip(1);
    let links = links.filter_map(|rest| rest.split_once(')').map(|(link, _)| link));
    let quoted = markdown.split('`').skip(1).step_by(2);
    let quoted = quoted.filter(|path| {
        ["examples/", "asterisk-conf/", "scripts/", "tests/", "src/"]
            .iter()
            .any(|folder| path.starts_with(folder))
    });
    links
        .filter(|link| !link.contains("://") && !link.starts_with('#'))
        .chain(quoted)
        .map(|path| path.split('#').next().unwrap().to_owned())
        .filter(|path| !path.contains(['*', ' ', '<', '{', '…']))
        .collect()
}

#[test]
fn what_the_readmes_name_is_there() {
    assert_eq!(
        named("[a](b.md#c) `src/x.rs` `cargo` [w](https://x) `tests/*.rs` [h](#z)"),
        ["b.md", "src/x.rs"]
    );
    let mut faults = Vec::new();
    for file in ["README.md", "README.ru.md", "examples/1c/README.md"] {
        let beside = root().join(file);
        let beside = beside.parent().unwrap();
        let all = named(&text(file));
        assert!(!all.is_empty(), "{file} names nothing");
        for path in all {
            let there = |folder: &Path| folder.join(&path).exists();
            // An example of a dialog that the reader is to write.
            let example = path.ends_with("доставка.rhai");
            if !there(beside) && !there(root()) && !example {
                faults.push(format!("{file}: {path}"));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "named, and not there:\n{}",
        faults.join("\n")
    );
}

/// Runs a checker of the system's, if it is here.
fn check(program: &str, args: &[&str], file: &Path) {
    match Command::new(program).args(args).arg(file).output() {
        Ok(done) => {
            let told = String::from_utf8_lossy(&done.stderr).into_owned();
            // A container's own units are none of our business.
            let ours: Vec<&str> = told
                .lines()
                .filter(|line| line.contains(&*file.file_name().unwrap().to_string_lossy()))
                .collect();
            assert!(
                done.status.success() && ours.is_empty(),
                "{program}: {told}"
            );
        }
        Err(_) => println!(
            "SKIP: no {program} here: {} was not checked by it",
            file.display()
        ),
    }
}

#[test]
fn the_systemd_unit_is_sound() {
    let unit = text("examples/systemd/govorun.service");
    for line in [
        "Type=notify",
        "KillSignal=SIGTERM",
        "Restart=always",
        "NoNewPrivileges=yes",
        "StateDirectory=govorun",
        "EnvironmentFile=/etc/govorun/secrets",
    ] {
        assert!(unit.lines().any(|l| l == line), "no line {line}");
    }
    let value = |key: &str| -> u64 {
        let line = unit.lines().find_map(|l| l.strip_prefix(key)).unwrap();
        line.parse().unwrap()
    };
    assert!(value("LimitNOFILE=") >= 16_384);
    // Where the program isn't installed, its place would be the only complaint.
    let folder = tempfile::tempdir().unwrap();
    let copy: PathBuf = folder.path().join("govorun.service");
    let program = unit.replace("/usr/local/bin/govorun", "/bin/true");
    assert_ne!(program, unit);
    std::fs::write(&copy, program).unwrap();
    check(
        "systemd-analyze",
        &["verify", "--recursive-errors=no"],
        &copy,
    );
}

#[test]
fn the_rotation_of_logs_is_sound() {
    let rules = text("examples/logrotate/govorun");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("govorun");
    // The user is the installed machine's.
    let here = rules.replace("    su govorun govorun\n", "");
    assert_ne!(here, rules);
    std::fs::write(&copy, here).unwrap();
    let state = folder.path().join("state");
    check(
        "logrotate",
        &["--debug", "--state", state.to_str().unwrap()],
        &copy,
    );
}
