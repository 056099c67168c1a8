//! A folder with a streaming model of sherpa-onnx: which files are there, of which kind, and whether they fit together.
//!
//! All that can be checked is checked before the native library sees it: that library answers a bad model with no reason,
//! and some (a missing metadata key, a token without a symbol) by ending the process, in the middle of a call if need be.

use std::path::{Path, PathBuf};

use super::onnx::{OnnxError, OnnxHead, read_head};

/// The largest `tokens.txt` that is read, bytes.
const MAX_TOKENS_FILE: u64 = 4 << 20;
/// Metadata that sherpa-onnx reads of a T-one model.
const T_ONE_KEYS: [&str; 3] = ["frame_length_ms", "state_dim", "sample_rate"];
/// Metadata that it reads of any streaming zipformer's encoder.
const ENCODER_KEYS: [&str; 2] = ["T", "decode_chunk_len"];
/// Names of the blank, as it looks for them.
const BLANKS: [&str; 3] = ["<blk>", "<eps>", "<blank>"];

/// A sound folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// `tokens.txt`.
    pub tokens: PathBuf,
    /// The networks.
    pub kind: ModelKind,
}

/// The kinds that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// T-one: a streaming CTC conformer, 8 kHz, steps of 300 ms.
    TOne {
        /// `model.onnx`
        model: PathBuf,
    },
    /// A streaming zipformer transducer, 16 kHz.
    Transducer {
        /// `encoder*.onnx`
        encoder: PathBuf,
        /// `decoder*.onnx`
        decoder: PathBuf,
        /// `joiner*.onnx`
        joiner: PathBuf,
    },
}

/// Why a folder can't be used. Names the file and the mend.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It isn't there.
    #[error(
        "there is no folder {folder}; unpack a streaming model there (README: sherpa-onnx-streaming-t-one-russian-2025-09-08), or mend `model`"
    )]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// It can't be listed.
    #[error("folder {folder} can't be read: {error}; check its rights")]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is missing.
    #[error("folder {folder} has no {wanted} (it has: {found}); {mend}")]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// What should be there.
        wanted: &'static str,
        /// What is there.
        found: String,
        /// What to do.
        mend: &'static str,
    },
    /// Too many of a kind.
    #[error("folder {folder} has several {wanted} ({found}); leave the one that is to be used")]
    Several {
        /// The folder.
        folder: PathBuf,
        /// Of what.
        wanted: &'static str,
        /// Which.
        found: String,
    },
    /// A network's file is none.
    #[error("{file} {error}")]
    Onnx {
        /// The file.
        file: PathBuf,
        /// Why.
        error: OnnxError,
    },
    /// It is a network, but not one for us.
    #[error("{file} is no {wanted}: {why}; take a streaming model made for sherpa-onnx")]
    Kind {
        /// The file.
        file: PathBuf,
        /// What was expected.
        wanted: &'static str,
        /// What speaks against it.
        why: String,
    },
    /// `tokens.txt` is broken or of another model.
    #[error("{file}: {why}; take the tokens.txt that came with the model")]
    Tokens {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl ModelFiles {
    /// Looks through `folder` and checks what it has. Reads `tokens.txt` and the heads of the networks, not their weights.
    pub fn find(folder: &Path) -> Result<Self, ModelError> {
        let names = names(folder)?;
        let listed = || match names.len() {
            0 => "nothing".to_owned(),
            n if n > 20 => format!("{}, ...", names[..20].join(", ")),
            _ => names.join(", "),
        };
        let missing = |wanted, mend| ModelError::Missing {
            folder: folder.to_owned(),
            wanted,
            found: listed(),
            mend,
        };
        // The archive unpacks to a folder of its own: one level too high is the commonest slip.
        let unpack = "name the folder in which tokens.txt and the .onnx files lie themselves";
        let one = |wanted: &'static str, starts: &str, small: bool| {
            let found = pick(&names, starts, small);
            match found[..] {
                [] => Ok(None),
                [name] => Ok(Some(folder.join(name))),
                _ => Err(ModelError::Several {
                    folder: folder.to_owned(),
                    wanted,
                    found: found.join(", "),
                }),
            }
        };
        let tokens = folder.join("tokens.txt");
        if !names.iter().any(|name| name == "tokens.txt") {
            return Err(missing("tokens.txt", unpack));
        }
        let encoder = one("encoder*.onnx", "encoder", true)?;
        let decoder = one("decoder*.onnx", "decoder", false)?;
        let joiner = one("joiner*.onnx", "joiner", true)?;
        let model = one("model*.onnx", "model", true)?;
        let kind = match (encoder, decoder, joiner, model) {
            (Some(encoder), Some(decoder), Some(joiner), _) => ModelKind::Transducer {
                encoder,
                decoder,
                joiner,
            },
            (None, None, None, Some(model)) => ModelKind::TOne { model },
            (None, None, None, None) => {
                return Err(missing(
                    "model.onnx (T-one), nor encoder, decoder and joiner (zipformer)",
                    unpack,
                ));
            }
            (None, ..) => return Err(missing("encoder*.onnx", "fetch the whole archive again")),
            (_, None, ..) => return Err(missing("decoder*.onnx", "fetch the whole archive again")),
            (_, _, None, _) => {
                return Err(missing("joiner*.onnx", "fetch the whole archive again"));
            }
        };
        let files = Self { tokens, kind };
        files.check()?;
        Ok(files)
    }

    fn check(&self) -> Result<(), ModelError> {
        let tokens = read_tokens(&self.tokens)?;
        match &self.kind {
            ModelKind::TOne { model } => {
                let head = onnx(model)?;
                const WANTED: &str = "T-one model";
                need(model, &head, WANTED, &T_ONE_KEYS)?;
                let says = |key: &str| head.metadata.get(key).map(String::as_str);
                if says("sample_rate") != Some("8000") || says("frame_length_ms") != Some("300") {
                    let why = "it doesn't take 8000 samples a second in steps of 300 ms".to_owned();
                    return Err(kind(model, WANTED, why));
                }
                let outputs = head.outputs.first().and_then(|o| *o.shape.last()?);
                self.fits(
                    &tokens,
                    outputs.and_then(|n| usize::try_from(n).ok()),
                    model,
                )?;
                if !tokens.iter().any(|t| BLANKS.contains(&t.as_str())) {
                    return Err(self.tokens("it names no blank (<blk>)".to_owned()));
                }
            }
            ModelKind::Transducer {
                encoder,
                decoder,
                joiner,
            } => {
                need(encoder, &onnx(encoder)?, "streaming encoder", &ENCODER_KEYS)?;
                let head = onnx(decoder)?;
                need(
                    decoder,
                    &head,
                    "transducer's decoder",
                    &["vocab_size", "context_size"],
                )?;
                onnx(joiner)?;
                let size = head.metadata.get("vocab_size").and_then(|n| n.parse().ok());
                self.fits(&tokens, size, decoder)?;
            }
        }
        Ok(())
    }

    fn tokens(&self, why: String) -> ModelError {
        ModelError::Tokens {
            file: self.tokens.clone(),
            why,
        }
    }

    /// A token that the network can give and the file doesn't name would end the process in mid-call. More names than
    /// tokens are of another model, unless they are the marks `#0`, `#1` that icefall leaves at the end.
    fn fits(&self, tokens: &[String], wanted: Option<usize>, by: &Path) -> Result<(), ModelError> {
        let sound = wanted.is_none_or(|wanted| {
            tokens.len() >= wanted && tokens[wanted..].iter().all(|t| t.starts_with('#'))
        });
        if sound {
            return Ok(());
        }
        let wanted = wanted.unwrap_or(0);
        Err(self.tokens(format!(
            "it names {} tokens and {} has {wanted}",
            tokens.len(),
            by.display()
        )))
    }
}

fn names(folder: &Path) -> Result<Vec<String>, ModelError> {
    if !folder.is_dir() {
        return Err(ModelError::NoFolder {
            folder: folder.to_owned(),
        });
    }
    let unreadable = |error| ModelError::Unreadable {
        folder: folder.to_owned(),
        error,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The networks whose names begin with `starts`. Archives often have each in full and as int8: int8 is quicker and as good
/// in encoders, and not worth it in a decoder.
fn pick<'n>(names: &'n [String], starts: &str, small: bool) -> Vec<&'n str> {
    let all: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| name.starts_with(starts) && name.ends_with(".onnx"))
        .collect();
    let wanted: Vec<&str> = all
        .iter()
        .copied()
        .filter(|name| name.contains(".int8.") == small)
        .collect();
    if wanted.is_empty() { all } else { wanted }
}

fn onnx(file: &Path) -> Result<OnnxHead, ModelError> {
    read_head(file).map_err(|error| ModelError::Onnx {
        file: file.to_owned(),
        error,
    })
}

fn kind(file: &Path, wanted: &'static str, why: String) -> ModelError {
    ModelError::Kind {
        file: file.to_owned(),
        wanted,
        why,
    }
}

fn need(
    file: &Path,
    head: &OnnxHead,
    wanted: &'static str,
    keys: &[&str],
) -> Result<(), ModelError> {
    let lacks: Vec<&str> = keys
        .iter()
        .copied()
        .filter(|key| !head.metadata.contains_key(*key))
        .collect();
    if lacks.is_empty() {
        return Ok(());
    }
    let is = match head.metadata.get("model_type") {
        Some(found) => format!(" (it says model_type {found:?})"),
        None => String::new(),
    };
    let why = format!("its metadata lacks {}{is}", lacks.join(", "));
    Err(kind(file, wanted, why))
}

/// The symbols in the order of their numbers.
fn read_tokens(file: &Path) -> Result<Vec<String>, ModelError> {
    let wrong = |why: String| ModelError::Tokens {
        file: file.to_owned(),
        why,
    };
    let length = std::fs::metadata(file).map_or(0, |m| m.len());
    if length > MAX_TOKENS_FILE {
        return Err(wrong(format!(
            "{length} bytes are too many, {MAX_TOKENS_FILE} are the most"
        )));
    }
    let text =
        std::fs::read_to_string(file).map_err(|e| wrong(format!("it can't be read: {e}")))?;
    let mut symbols: Vec<Option<String>> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let line = line.trim_end();
        // The blank between words may itself be a symbol: a line of two blanks and a number.
        let (symbol, number) = line.rsplit_once([' ', '\t']).unwrap_or((" ", line));
        let number = number.parse::<usize>().map_err(|_| {
            wrong(format!(
                "line {}: a symbol and its number are wanted",
                at + 1
            ))
        })?;
        // No number can be above the count of bytes: a file that says so is of something else.
        if number > text.len() {
            return Err(wrong(format!(
                "line {}: number {number} is beyond the end",
                at + 1
            )));
        }
        if symbols.len() <= number {
            symbols.resize(number + 1, None);
        }
        if symbols[number].is_some() {
            return Err(wrong(format!(
                "line {}: number {number} stands there twice",
                at + 1
            )));
        }
        symbols[number] = Some(symbol.trim_end().to_owned());
    }
    if symbols.is_empty() {
        return Err(wrong("it is empty".to_owned()));
    }
    symbols
        .into_iter()
        .enumerate()
        .map(|(number, symbol)| symbol.ok_or_else(|| wrong(format!("number {number} is missing"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::onnx::tests::model;
    use super::*;

    const T_ONE: [(&str, &str); 3] = [
        ("frame_length_ms", "300"),
        ("state_dim", "64"),
        ("sample_rate", "8000"),
    ];
    const TOKENS: &str = "а 0\nд 1\n  2\n<blk> 3\n";

    /// A folder with those files; `check` gives its fault, or the kind that was found.
    fn check(files: &[(&str, &[u8])]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        match ModelFiles::find(folder.path()) {
            Ok(files) => format!("{:?}", files.kind),
            Err(error) => error.to_string(),
        }
        .replace(&format!("{}", folder.path().display()), "DIR")
    }

    #[test]
    fn files_are_known_by_their_names() {
        let t_one = model(&T_ONE, 100, &[0, 10, 4]);
        let tokens = TOKENS.as_bytes();
        let encoder = model(&[("T", "45"), ("decode_chunk_len", "32")], 100, &[0]);
        let decoder = model(&[("vocab_size", "4"), ("context_size", "2")], 100, &[0]);
        let joiner = model(&[], 100, &[0]);
        assert_eq!(
            check(&[
                ("model.onnx", &t_one),
                ("tokens.txt", tokens),
                ("README.md", b"")
            ]),
            "TOne { model: \"DIR/model.onnx\" }"
        );
        assert_eq!(
            check(&[
                ("encoder-epoch-99.onnx", &encoder),
                ("encoder-epoch-99.int8.onnx", &encoder),
                ("decoder-epoch-99.onnx", &decoder),
                ("decoder-epoch-99.int8.onnx", &decoder),
                ("joiner-epoch-99.int8.onnx", &joiner),
                ("tokens.txt", format!("{TOKENS}#0 4\n#1 5\n").as_bytes()),
            ]),
            "Transducer { encoder: \"DIR/encoder-epoch-99.int8.onnx\", decoder: \"DIR/decoder-epoch-99.onnx\", \
             joiner: \"DIR/joiner-epoch-99.int8.onnx\" }"
        );
    }

    #[test]
    fn every_wrong_folder_says_what_is_wrong_and_the_mend() {
        let none = ModelFiles::find(Path::new("/nowhere/t-one")).unwrap_err();
        assert!(
            none.to_string()
                .starts_with("there is no folder /nowhere/t-one; unpack")
        );
        let t_one = model(&T_ONE, 100, &[0, 10, 4]);
        let other = model(&[("model_type", "EncDecCTCModel")], 100, &[0, 10, 4]);
        let wide = model(
            &[
                ("frame_length_ms", "300"),
                ("state_dim", "64"),
                ("sample_rate", "16000"),
            ],
            100,
            &[0, 10, 4],
        );
        let offline = model(&[("model_type", "zipformer2")], 100, &[0]);
        let decoder = model(&[("vocab_size", "500"), ("context_size", "2")], 100, &[0]);
        let encoder = model(&[("T", "45"), ("decode_chunk_len", "32")], 100, &[0]);
        let tokens = TOKENS.as_bytes();
        for (files, expect) in [
            (
                &[][..],
                "DIR has no tokens.txt (it has: nothing); name the folder",
            ),
            (
                &[("t-one.tar.bz2", &b"x"[..])],
                "DIR has no tokens.txt (it has: t-one.tar.bz2)",
            ),
            (
                &[("tokens.txt", tokens)],
                "DIR has no model.onnx (T-one), nor encoder",
            ),
            (
                &[
                    ("tokens.txt", tokens),
                    ("encoder.onnx", &encoder),
                    ("joiner.onnx", &t_one),
                ],
                "DIR has no decoder*.onnx",
            ),
            (
                &[
                    ("tokens.txt", tokens),
                    ("model.onnx", &t_one),
                    ("model-2.onnx", &t_one),
                ],
                "DIR has several model*.onnx (model-2.onnx, model.onnx); leave the one",
            ),
            (
                &[("tokens.txt", tokens), ("model.onnx", &t_one[..80])],
                "DIR/model.onnx was cut short: it has 80 bytes",
            ),
            (
                &[("tokens.txt", tokens), ("model.onnx", b"<html>")],
                "DIR/model.onnx is no ONNX file",
            ),
            (
                &[("tokens.txt", tokens), ("model.onnx", &other)],
                "DIR/model.onnx is no T-one model: its metadata lacks frame_length_ms, state_dim, sample_rate \
                 (it says model_type \"EncDecCTCModel\"); take a streaming model",
            ),
            (
                &[("tokens.txt", tokens), ("model.onnx", &wide)],
                "is no T-one model: it doesn't take 8000 samples",
            ),
            (
                &[("tokens.txt", b"a 0\n<blk> 1\n"), ("model.onnx", &t_one)],
                "DIR/tokens.txt: it names 2 tokens and DIR/model.onnx has 4; take the tokens.txt that came",
            ),
            (
                &[
                    ("tokens.txt", b"a 0\nb 1\nc 2\nd 3"),
                    ("model.onnx", &t_one),
                ],
                "DIR/tokens.txt: it names no blank",
            ),
            (
                &[("tokens.txt", b"a 0\nb\n"), ("model.onnx", &t_one)],
                "DIR/tokens.txt: line 2: a symbol and its number",
            ),
            (
                &[("tokens.txt", b"a 0\nb 0\n"), ("model.onnx", &t_one)],
                "line 2: number 0 stands there twice",
            ),
            (
                &[("tokens.txt", b"a 0\nb 2\n"), ("model.onnx", &t_one)],
                "number 1 is missing",
            ),
            (
                &[("tokens.txt", b"a 99999999999\n"), ("model.onnx", &t_one)],
                "number 99999999999 is beyond",
            ),
            (
                &[("tokens.txt", b"\n"), ("model.onnx", &t_one)],
                "it is empty",
            ),
            (
                &[
                    ("tokens.txt", tokens),
                    ("encoder.onnx", &offline),
                    ("decoder.onnx", &decoder),
                    ("joiner.onnx", &decoder),
                ],
                "DIR/encoder.onnx is no streaming encoder: its metadata lacks T, decode_chunk_len",
            ),
            (
                &[
                    ("tokens.txt", tokens),
                    ("encoder.onnx", &encoder),
                    ("decoder.onnx", &decoder),
                    ("joiner.onnx", &decoder),
                ],
                "it names 4 tokens and DIR/decoder.onnx has 500",
            ),
        ] {
            let told = check(files);
            assert!(told.contains(expect), "{told}\nis not\n{expect}");
        }
    }
}
