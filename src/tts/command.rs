//! A voice that is a program: espeak-ng, RHVoice, Piper, a script that asks a service.
//!
//! The program is started without a shell. It gets the text on its standard input, or where `{text}` stands, as one
//! argument; it writes a WAV file to its standard output, or to the path that stands for `{out}`.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Speed, Synthesis, TtsError, Voice};
use crate::audio::{Sound, wav};
use crate::ident::Token;

/// Most bytes of one WAV: two and a half minutes of 48 kHz stereo.
pub const MAX_WAV_BYTES: usize = 32 << 20;
/// Programs of one voice at once; calls beyond wait their turn.
pub const MAX_AT_ONCE: usize = 4;
/// How much of the program's standard error is told.
const MAX_STDERR_BYTES: usize = 2_048;

const TEXT: &str = "{text}";
const OUT: &str = "{out}";
const SPEED: &str = "{speed";

/// A program that speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandConfig {
    /// The voice's name.
    pub name: String,
    /// Program and arguments. `{text}` stands alone or after `--option=`; `{out}` anywhere; so does `{speed}` (1 is usual), or
    /// `{speed*175}` for a program that counts otherwise: a whole number, here 175 at the usual speed.
    pub command: Vec<String>,
    /// Longest run.
    pub timeout: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct CommandVoice {
    config: CommandConfig,
    turns: Semaphore,
}

impl CommandVoice {
    /// Checks the command; the program is looked for only when it is to speak.
    pub fn new(config: CommandConfig) -> Result<Self, TtsError> {
        let wrong = |wrong| TtsError::Config {
            voice: config.name.clone(),
            wrong,
        };
        let [program, arguments @ ..] = config.command.as_slice() else {
            return Err(wrong(
                "the command is empty: write [program, argument, ...]",
            ));
        };
        if program.is_empty() || program.contains(TEXT) || program.contains(OUT) {
            return Err(wrong(
                "the command's first element must be a program, without {text} or {out}",
            ));
        }
        if config.command.iter().any(|a| a.contains('\0')) {
            return Err(wrong("the command holds a NUL character"));
        }
        // Inside a longer argument the text could be read as code, above all by a shell's -c.
        let alone = |a: &String| {
            let rest = a.strip_suffix(TEXT).unwrap_or("?");
            rest.is_empty() || (rest.starts_with("--") && rest.ends_with('=') && rest.len() > 3)
        };
        if arguments.iter().any(|a| a.contains(TEXT) && !alone(a)) {
            return Err(wrong(
                "{text} must be an argument of its own, or stand after --option=",
            ));
        }
        if arguments.iter().any(|a| speeds(a).is_none()) {
            return Err(wrong(
                "write {speed}, or {speed*175} with a whole number from 1 to 100000",
            ));
        }
        if config.timeout.is_zero() {
            return Err(wrong("timeout must be longer than 0"));
        }
        Ok(Self {
            config,
            turns: Semaphore::new(MAX_AT_ONCE),
        })
    }

    async fn speak(&self, text: &str, speed: Speed) -> Result<Sound, TtsError> {
        // Never closed, so always a permit.
        let _turn = self.turns.acquire().await;
        let voice = || self.config.name.clone();
        let wav = timeout(self.config.timeout, self.run(text, speed))
            .await
            .map_err(|_| TtsError::Timeout {
                voice: voice(),
                ms: self.config.timeout.as_millis(),
            })??;
        let name = text.to_owned();
        let decoding = tokio::task::spawn_blocking(move || wav::decode(&name, &wav));
        match decoding.await {
            Ok(Ok(sound)) => Ok(sound),
            Ok(Err(source)) => Err(TtsError::Sound {
                voice: voice(),
                source,
            }),
            Err(error) => Err(self.broken(&error)),
        }
    }

    async fn run(&self, text: &str, speed: Speed) -> Result<Vec<u8>, TtsError> {
        let (program, arguments) = self.config.command.split_first().ok_or(TtsError::NoVoice)?;
        let out = arguments.iter().any(|a| a.contains(OUT)).then(OutFile::new);
        let by_argument = arguments.iter().any(|a| a.contains(TEXT));
        let mut command = Command::new(program);
        for argument in arguments {
            let argument = with_speed(argument, speed);
            command.arg(fill(&argument, text, out.as_ref().map(|o| o.0.as_path())));
        }
        let mut child = command
            .stdin(if by_argument {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(if out.is_some() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| TtsError::Start {
                voice: self.config.name.clone(),
                program: program.clone(),
                reason: e.to_string(),
            })?;
        let (status, said, mut wav) = talk(&mut child, text).await.map_err(|e| self.broken(&e))?;
        if wav.len() > MAX_WAV_BYTES {
            return Err(self.too_much());
        }
        if !status.success() {
            return Err(TtsError::Exit {
                voice: self.config.name.clone(),
                status: status.to_string(),
                said: String::from_utf8_lossy(&said).trim().to_owned(),
            });
        }
        if let Some(out) = out {
            wav = self.read_out(&out.0).await?;
        }
        Ok(wav)
    }

    async fn read_out(&self, path: &Path) -> Result<Vec<u8>, TtsError> {
        let missing = |e: std::io::Error| TtsError::Broken {
            voice: self.config.name.clone(),
            reason: format!("the program ended well but its file {{out}} can't be read: {e}"),
        };
        let file = tokio::fs::File::open(path).await.map_err(missing)?;
        let mut wav = Vec::new();
        let most = MAX_WAV_BYTES as u64 + 1;
        file.take(most)
            .read_to_end(&mut wav)
            .await
            .map_err(missing)?;
        if wav.len() > MAX_WAV_BYTES {
            return Err(self.too_much());
        }
        Ok(wav)
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> TtsError {
        TtsError::Broken {
            voice: self.config.name.clone(),
            reason: error.to_string(),
        }
    }

    fn too_much(&self) -> TtsError {
        TtsError::TooMuch {
            voice: self.config.name.clone(),
            most: MAX_WAV_BYTES,
        }
    }
}

impl Voice for CommandVoice {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn identity(&self) -> String {
        self.config.command.join("\u{0}")
    }

    fn synth<'a>(&'a self, text: &'a str, speed: Speed) -> Synthesis<'a> {
        Box::pin(self.speak(text, speed))
    }

    fn takes_speed(&self) -> bool {
        self.config.command.iter().any(|a| a.contains(SPEED))
    }
}

fn fill(argument: &str, text: &str, out: Option<&Path>) -> String {
    if let Some(before) = argument.strip_suffix(TEXT) {
        // A text that begins with a dash must not become an option; voices don't speak a space.
        let guard = if before.is_empty() && text.starts_with('-') {
            " "
        } else {
            ""
        };
        return format!("{before}{guard}{text}");
    }
    match out {
        Some(path) => argument.replace(OUT, &path.to_string_lossy()),
        None => argument.to_owned(),
    }
}

/// The first `{speed}` or `{speed*N}` of an argument: where it stands, and N. `Some(None)`: none; `None`: one that can't be.
fn speeds(argument: &str) -> Option<Option<(std::ops::Range<usize>, Option<u32>)>> {
    let Some(start) = argument.find(SPEED) else {
        return Some(None);
    };
    let inside = &argument[start + SPEED.len()..];
    let (inside, _) = inside.split_once('}')?;
    let end = start + SPEED.len() + inside.len() + 1;
    if inside.is_empty() {
        return Some(Some((start..end, None)));
    }
    let times = inside.strip_prefix('*')?.parse().ok();
    let times = times.filter(|n| (1..=100_000).contains(n))?;
    Some(Some((start..end, Some(times))))
}

fn with_speed(argument: &str, speed: Speed) -> String {
    let mut argument = argument.to_owned();
    if let Some(Some((place, times))) = speeds(&argument) {
        let value = match times {
            None => speed.factor().to_string(),
            Some(n) => (f64::from(n) * speed.factor()).round().to_string(),
        };
        argument.replace_range(place, &value);
    }
    argument
}

/// Writes the text and reads both outputs at once, so that no full pipe holds the program up.
async fn talk(child: &mut Child, text: &str) -> std::io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program that doesn't read to the end may still speak well: its exit code decides.
            let _ = stdin.write_all(text.as_bytes()).await;
            let _ = stdin.write_all(b"\n").await;
            let _ = stdin.shutdown().await;
        }
    };
    let ((), wav, said) = tokio::join!(
        write,
        read(stdout, MAX_WAV_BYTES + 1, false),
        read(stderr, MAX_STDERR_BYTES, true),
    );
    let (wav, said) = (wav?, said?);
    if wav.len() > MAX_WAV_BYTES {
        child.start_kill()?;
    }
    Ok((child.wait().await?, said, wav))
}

async fn read(
    from: Option<impl AsyncRead + Unpin>,
    most: usize,
    drain: bool,
) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        (&mut from)
            .take(most as u64)
            .read_to_end(&mut bytes)
            .await?;
        if drain {
            tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
        }
    }
    Ok(bytes)
}

/// A path for `{out}` that nobody can guess; the file goes with it.
struct OutFile(PathBuf);

impl OutFile {
    fn new() -> Self {
        let name = format!("govorun-{}.wav", Token::fresh().as_str());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn voice(command: &[&str]) -> Result<CommandVoice, TtsError> {
        CommandVoice::new(CommandConfig {
            name: "program".into(),
            command: command.iter().map(|s| (*s).to_owned()).collect(),
            timeout: Duration::from_secs(5),
        })
    }

    /// A shell script as a voice: `$WAV` is a second of sound, one-argument texts are `$1`.
    fn script(home: &tempfile::TempDir, body: &str, arguments: &[&str]) -> CommandVoice {
        let wav = home.path().join("second.wav");
        std::fs::write(&wav, wav::encode(&[1_000; 8_000])).unwrap();
        let path = home.path().join("voice.sh");
        std::fs::write(&path, format!("WAV={}\n{body}\n", wav.display())).unwrap();
        let path = path.display().to_string();
        let command = [&["sh", &path], arguments].concat();
        voice(&command).unwrap()
    }

    #[tokio::test]
    async fn the_text_goes_by_input_or_as_one_argument_and_never_through_a_shell() {
        let home = tempfile::tempdir().unwrap();
        let said = home.path().join("said");
        let evil = "Иван; $(touch /tmp/x) `id` \"q\" 'q' && *";
        for (body, arguments) in [
            ("cat > SAID; cat $WAV", vec![]),
            ("printf '%s\\n' \"$1\" > SAID; cat $WAV", vec!["{text}"]),
            (
                "printf '%s\\n' \"$2\" > SAID; cp $WAV \"$1\"",
                vec!["{out}", "{text}"],
            ),
        ] {
            let body = body.replace("SAID", &said.display().to_string());
            let voice = script(&home, &body, &arguments);
            let sound = voice.synth(evil, Speed::USUAL).await.unwrap();
            assert_eq!((sound.name.as_str(), sound.duration_ms()), (evil, 1_000));
            assert_eq!(std::fs::read_to_string(&said).unwrap(), format!("{evil}\n"));
        }
        assert_eq!(fill("{text}", "-f /etc/passwd", None), " -f /etc/passwd");
        assert_eq!(fill("--say={text}", "-x", None), "--say=-x");
        assert_eq!(fill("-w{out}", "x", Some(Path::new("/t/o"))), "-w/t/o");
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_with_the_voice() {
        let home = tempfile::tempdir().unwrap();
        for (body, part) in [
            ("echo no such voice >&2; exit 3", "no such voice"),
            ("exit 3", "exit status: 3"),
            ("echo hello", "must write a WAV"),
            ("true", "must write a WAV"),
            ("cat /dev/zero", "bytes of sound"),
            ("yes | head -c 300000 >&2; exit 1", "says: \"y\\ny"),
        ] {
            let told = script(&home, body, &[])
                .synth("да", Speed::USUAL)
                .await
                .unwrap_err();
            let told = told.to_string();
            assert!(
                told.contains("\"program\"") && told.contains(part),
                "{body}: {told}"
            );
        }
        let told = script(&home, "true", &["{out}"])
            .synth("да", Speed::USUAL)
            .await
            .unwrap_err();
        assert!(told.to_string().contains("{out}"), "{told}");
        let told = voice(&["/no/such/program"])
            .unwrap()
            .synth("да", Speed::USUAL)
            .await
            .unwrap_err();
        assert!(told.to_string().contains("is it installed"), "{told}");
    }

    #[test]
    fn speed_goes_where_the_program_wants_it() {
        for (argument, percent, want) in [
            ("{speed}", 100, "1"),
            ("-s{speed*175}", 120, "-s210"),
            ("{speed*175}wpm", 50, "88wpm"),
            ("--rate={speed}", 120, "--rate=1.2"),
            ("plain", 150, "plain"),
        ] {
            assert_eq!(with_speed(argument, Speed::percent(percent)), want);
        }
        assert!(voice(&["say", "{speed*175}"]).unwrap().takes_speed());
        assert!(!voice(&["say", "{text}"]).unwrap().takes_speed());
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended() {
        let voice = CommandVoice::new(CommandConfig {
            name: "slow".into(),
            command: vec!["sleep".into(), "30".into()],
            timeout: Duration::from_millis(100),
        })
        .unwrap();
        let from = Instant::now();
        let told = voice.synth("да", Speed::USUAL).await.unwrap_err();
        assert_eq!(
            told,
            TtsError::Timeout {
                voice: "slow".into(),
                ms: 100
            }
        );
        assert!(from.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_command_that_cannot_be_is_refused() {
        for (command, part) in [
            (&[][..], "empty"),
            (&[""], "program"),
            (&["{text}"], "program"),
            (&["sh", "-c", "espeak {text}"], "of its own"),
            (&["espeak", "say {text} now"], "of its own"),
            (&["espeak", "--={text}"], "of its own"),
            (&["espeak", "a\0b"], "NUL"),
            (&["espeak", "-s", "{speed/2}"], "{speed*175}"),
            (&["espeak", "-s", "{speed*0}"], "{speed*175}"),
            (&["espeak", "-s", "{speed"], "{speed*175}"),
        ] {
            let told = voice(command).unwrap_err().to_string();
            assert!(told.contains(part), "{command:?}: {told}");
        }
        assert!(voice(&["espeak-ng", "-v", "ru", "--stdout"]).is_ok());
        assert!(voice(&["piper", "--text={text}", "-f{out}"]).is_ok());
    }

    /// The real program, where it is installed.
    #[tokio::test]
    async fn espeak_speaks_russian() {
        for command in [
            &["espeak-ng", "-v", "ru", "--stdout"][..],
            &["espeak-ng", "-v", "ru", "-w", "{out}", "{text}"],
        ] {
            match voice(command)
                .unwrap()
                .synth("Здравствуйте! Вы приедете сегодня?", Speed::USUAL)
                .await
            {
                Err(TtsError::Start { .. }) => {
                    println!("SKIP: espeak-ng is not installed");
                    return;
                }
                result => {
                    let ms = result.unwrap().duration_ms();
                    assert!((1_000..6_000).contains(&ms), "{ms}");
                }
            }
        }
    }
}
