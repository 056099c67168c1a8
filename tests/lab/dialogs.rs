//! The folder of dialogs that the lab's servers watch: those that ship, and some of the lab's own with a long prompt
//! (6.2 s of speech) and a short one (0.8 s).

use std::path::{Path, PathBuf};

use govorun::audio::wav;

/// What the long prompt says.
pub const LONG: &str = "Длинный вопрос?";
/// Its length, milliseconds.
pub const LONG_MS: u64 = 6_186;
/// What the longest says: the long one twice.
pub const LONGEST: &str = "Самый длинный вопрос?";
/// Its length, milliseconds.
pub const LONGEST_MS: u64 = 2 * LONG_MS;
/// What the short one says.
pub const SHORT: &str = "Короткий вопрос?";

const OWN: [(&str, &str); 10] = [
    // Ends with the person's word.
    (
        "verdict",
        r#"let a = ask("Короткий вопрос?", #{ expect: ["yes", "no"], attempts: 3, timeout: 4 });
        set("text", a.text);
        finish(if a.yes { "confirmed" } else if a.no { "declined" } else { "unclear" });"#,
    ),
    // A question after a short prompt; the lab's silent people are waited for twice 1.5 s.
    (
        "short",
        r#"let a = ask("Короткий вопрос?", #{ expect: ["yes", "no"], attempts: 2, timeout: 1.5 });
        set("kind", a.kind); set("text", a.text);
        if a.kind == "no_input" { finish("silent"); }
        finish("answered");"#,
    ),
    // Ends without a word of its own.
    (
        "wordless",
        r#"ask("Короткий вопрос?", #{ timeout: 1, attempts: 1 });"#,
    ),
    (
        "keys",
        r#"let a = ask("Длинный вопрос?", #{ timeout: 5, attempts: 1 });
        set("digits", a.digits); set("kind", a.kind);
        finish("pressed");"#,
    ),
    // Waits longer than anybody stays.
    (
        "window",
        r#"fn on_hang_up(reason) { event("left", #{ reason: reason }); }
        say("Короткий вопрос?"); listen(#{ timeout: 20 }); finish("stayed");"#,
    ),
    (
        "long",
        r#"fn on_hang_up(reason) { event("left", #{ reason: reason }); }
        say("Длинный вопрос?"); say("Длинный вопрос?"); finish("stayed");"#,
    ),
    (
        "cut",
        r#"let a = ask("Длинный вопрос?", #{ expect: ["yes"], attempts: 1, timeout: 4 });
        set("text", a.text); set("barged_in", a.barged_in);
        finish(if a.yes { "confirmed" } else { "unclear" });"#,
    ),
    (
        "recorded",
        r#"record(); record(); say("Короткий вопрос?"); pause(1); record_stop();
        say("Короткий вопрос?"); pause(1); finish("recorded");"#,
    ),
    (
        "transferred",
        r#"say("Короткий вопрос?");
        let t = transfer(param("to"), #{ ring: 8 });
        set("transfer", t);
        stage("after"); say("Короткий вопрос?");
        finish("done");"#,
    ),
    (
        "inbound",
        r#"let a = ask("Короткий вопрос?", #{ expect: ["yes", "no"], attempts: 3, timeout: 4 });
        set("text", a.text); set("dialed", param("dialed", ""));
        if a.yes { say("Короткий вопрос?"); finish("wants"); }
        finish("else");"#,
    ),
];

/// The dialogs' folder, and the places beside it.
#[derive(Debug)]
pub struct Place {
    pub folder: tempfile::TempDir,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl Place {
    pub fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let scripts = place.scripts();
        copy(&root.join("scripts"), &scripts);
        let prompt = root.join("tests/fixtures/audio/ru/fest_prompt_01.wav");
        std::fs::copy(&prompt, scripts.join("sounds/long.wav")).unwrap();
        let sound = wav::decode("long", &std::fs::read(prompt).unwrap()).unwrap();
        // From 0.4 s on: before it there is only silence.
        let short = wav::encode(&sound.samples[3_200..9_600]);
        std::fs::write(scripts.join("sounds/short.wav"), short).unwrap();
        let longest = wav::encode(&sound.samples.repeat(2));
        std::fs::write(scripts.join("sounds/longest.wav"), longest).unwrap();
        let texts = scripts.join("sounds/texts.yaml");
        let mut all = std::fs::read_to_string(&texts).unwrap();
        all.push_str(&format!(
            "\nlong: \"{LONG}\"\nlongest: \"{LONGEST}\"\nshort: \"{SHORT}\"\n"
        ));
        std::fs::write(texts, all).unwrap();
        for (name, text) in OWN {
            place.write(name, text);
        }
        place
    }

    pub fn scripts(&self) -> PathBuf {
        self.folder.path().join("scripts")
    }

    /// Writes a dialog, as an analyst's editor does.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.scripts().join(format!("{name}.rhai")), text).unwrap();
    }
}
