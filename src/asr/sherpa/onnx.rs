//! Reads what an ONNX file says about itself, without a runtime: its metadata, and the names and shapes of what goes in
//! and comes out. The weights are skipped, so that 150 MB cost a few milliseconds.
//!
//! Source of the field numbers: `onnx.proto3` of the ONNX project. A file that ends inside a field was cut short on its
//! way, which is what most often is wrong with a model.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

/// Longest text or shape that is read, bytes; a longer one is skipped.
const MAX_TEXT: u64 = 64 * 1024;
/// Most metadata entries, inputs or outputs that are kept.
const MAX_ENTRIES: usize = 1000;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnnxHead {
    /// `metadata_props`.
    pub metadata: BTreeMap<String, String>,
    /// What goes in.
    pub inputs: Vec<Tensor>,
    /// What comes out.
    pub outputs: Vec<Tensor>,
}

/// A name and a shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its sizes; `None` where one is free, such as a batch's.
    pub shape: Vec<Option<u64>>,
}

/// Why a file is no model.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// It can't be read.
    #[error("can't be read: {0}; check its rights")]
    Io(io::Error),
    /// Nothing in it.
    #[error("is empty; fetch it again")]
    Empty,
    /// The placeholder that Git leaves without LFS.
    #[error(
        "is only a Git LFS pointer: the weights themselves were not fetched (git lfs pull, or take the release's archive)"
    )]
    LfsPointer,
    /// Something else.
    #[error(
        "is no ONNX file (it goes wrong at byte {at}); take model files of sherpa-onnx, unpacked"
    )]
    NotOnnx {
        /// Where.
        at: u64,
    },
    /// It ends too early.
    #[error("was cut short: it has {has} bytes and should have {should} at least; fetch it again")]
    CutShort {
        /// Its length.
        has: u64,
        /// Where what it announces would end.
        should: u64,
    },
}

/// Reads the head of the file at `path`.
pub fn read_head(path: &Path) -> Result<OnnxHead, OnnxError> {
    let file = File::open(path).map_err(OnnxError::Io)?;
    let length = file.metadata().map_err(OnnxError::Io)?.len();
    read(BufReader::new(file), length)
}

/// As [`read_head`], of `length` bytes that lie elsewhere.
pub fn read(mut source: impl Read + Seek, length: u64) -> Result<OnnxHead, OnnxError> {
    const LFS: &[u8] = b"version https://git-lfs";
    if length == 0 {
        return Err(OnnxError::Empty);
    }
    let mut first = Vec::new();
    (&mut source)
        .take(LFS.len() as u64)
        .read_to_end(&mut first)
        .and_then(|_| source.rewind())
        .map_err(OnnxError::Io)?;
    if first == LFS {
        return Err(OnnxError::LfsPointer);
    }
    let mut walk = Walk {
        source,
        at: 0,
        length,
    };
    let mut head = OnnxHead::default();
    let mut version = false;
    let mut graph = false;
    // ModelProto: ir_version = 1, graph = 7, metadata_props = 14.
    while let Some(field) = walk.field(length)? {
        match field {
            (1, Value::Number(_)) => version = true,
            (7, Value::Bytes(len)) => {
                graph = true;
                walk.graph(len, &mut head)?;
            }
            (14, Value::Bytes(len)) => {
                if let Some(bytes) = walk.bytes(len)?
                    && head.metadata.len() < MAX_ENTRIES
                {
                    let (key, value) = entry(bytes)?;
                    head.metadata.insert(key, value);
                }
            }
            (_, value) => walk.skip(value)?,
        }
    }
    if version && graph {
        Ok(head)
    } else {
        Err(OnnxError::NotOnnx { at: length })
    }
}

#[derive(Clone, Copy, Debug)]
enum Value {
    /// Read already.
    Number(u64),
    /// Lies ahead, with its length.
    Bytes(u64),
}

/// Goes through fields of the protobuf encoding.
struct Walk<R> {
    source: R,
    at: u64,
    /// Of the whole file.
    length: u64,
}

impl<R: Read + Seek> Walk<R> {
    /// The next field before `end`.
    fn field(&mut self, end: u64) -> Result<Option<(u64, Value)>, OnnxError> {
        if self.at >= end {
            return Ok(None);
        }
        let start = self.at;
        let wrong = OnnxError::NotOnnx { at: start };
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Bytes(8),
            2 => Value::Bytes(self.varint()?),
            5 => Value::Bytes(4),
            _ => return Err(wrong),
        };
        if tag >> 3 == 0 {
            return Err(wrong);
        }
        if let Value::Bytes(len) = value {
            let should = self.at.saturating_add(len);
            if should > self.length {
                // Only what begins as a model does can be one that was cut.
                let begun = start > 0;
                return Err(if begun {
                    OnnxError::CutShort {
                        has: self.length,
                        should,
                    }
                } else {
                    wrong
                });
            }
            if should > end {
                return Err(wrong);
            }
        }
        Ok(Some((tag >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let mut byte = [0u8];
            match self.source.read_exact(&mut byte) {
                Ok(()) => self.at += 1,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(OnnxError::CutShort {
                        has: self.length,
                        should: self.length + 1,
                    });
                }
                Err(error) => return Err(OnnxError::Io(error)),
            }
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(OnnxError::NotOnnx { at: self.at })
    }

    fn skip(&mut self, value: Value) -> Result<(), OnnxError> {
        if let Value::Bytes(len) = value {
            let step = i64::try_from(len).map_err(|_| OnnxError::NotOnnx { at: self.at })?;
            self.source.seek_relative(step).map_err(OnnxError::Io)?;
            self.at += len;
        }
        Ok(())
    }

    /// The next `len` bytes; `None` where they are too many to be what we look for.
    fn bytes(&mut self, len: u64) -> Result<Option<Vec<u8>>, OnnxError> {
        if len > MAX_TEXT {
            self.skip(Value::Bytes(len))?;
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&mut self.source)
            .take(len)
            .read_to_end(&mut bytes)
            .map_err(OnnxError::Io)?;
        self.at += len;
        Ok(Some(bytes))
    }

    /// GraphProto: input = 11, output = 12.
    fn graph(&mut self, len: u64, head: &mut OnnxHead) -> Result<(), OnnxError> {
        let end = self.at + len;
        while let Some(field) = self.field(end)? {
            let list = match field {
                (11, Value::Bytes(_)) => &mut head.inputs,
                (12, Value::Bytes(_)) => &mut head.outputs,
                (_, value) => {
                    self.skip(value)?;
                    continue;
                }
            };
            if let (_, Value::Bytes(len)) = field
                && let Some(bytes) = self.bytes(len)?
                && list.len() < MAX_ENTRIES
            {
                list.push(tensor(bytes)?);
            }
        }
        Ok(())
    }
}

fn inside(bytes: Vec<u8>) -> Walk<Cursor<Vec<u8>>> {
    Walk {
        length: bytes.len() as u64,
        source: Cursor::new(bytes),
        at: 0,
    }
}

fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

/// StringStringEntryProto: key = 1, value = 2.
fn entry(bytes: Vec<u8>) -> Result<(String, String), OnnxError> {
    let mut walk = inside(bytes);
    let (mut key, mut value) = (String::new(), String::new());
    while let Some(field) = walk.field(walk.length)? {
        match field {
            (1, Value::Bytes(len)) => key = text(walk.bytes(len)?),
            (2, Value::Bytes(len)) => value = text(walk.bytes(len)?),
            (_, other) => walk.skip(other)?,
        }
    }
    Ok((key, value))
}

/// ValueInfoProto: name = 1, type = 2. TypeProto: tensor_type = 1. Its shape = 2, a shape's dim = 1, a dim's dim_value = 1.
fn tensor(bytes: Vec<u8>) -> Result<Tensor, OnnxError> {
    let mut walk = inside(bytes);
    let mut tensor = Tensor::default();
    while let Some(field) = walk.field(walk.length)? {
        match field {
            (1, Value::Bytes(len)) => tensor.name = text(walk.bytes(len)?),
            (2, Value::Bytes(len)) => {
                let kind = walk.bytes(len)?.unwrap_or_default();
                let shape = child(child(kind, 1)?, 2)?;
                let mut walk = inside(shape);
                while let Some(field) = walk.field(walk.length)? {
                    match field {
                        (1, Value::Bytes(len)) => {
                            let size = dim(walk.bytes(len)?.unwrap_or_default())?;
                            tensor.shape.push(size);
                        }
                        (_, other) => walk.skip(other)?,
                    }
                }
            }
            (_, other) => walk.skip(other)?,
        }
    }
    Ok(tensor)
}

/// The bytes of field `wanted`; none where it isn't there.
fn child(bytes: Vec<u8>, wanted: u64) -> Result<Vec<u8>, OnnxError> {
    let mut walk = inside(bytes);
    while let Some(field) = walk.field(walk.length)? {
        match field {
            (number, Value::Bytes(len)) if number == wanted => {
                return Ok(walk.bytes(len)?.unwrap_or_default());
            }
            (_, other) => walk.skip(other)?,
        }
    }
    Ok(Vec::new())
}

fn dim(bytes: Vec<u8>) -> Result<Option<u64>, OnnxError> {
    let mut walk = inside(bytes);
    let mut size = None;
    while let Some(field) = walk.field(walk.length)? {
        match field {
            (1, Value::Number(n)) => size = Some(n),
            (_, other) => walk.skip(other)?,
        }
    }
    Ok(size)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn varint(mut n: u64, out: &mut Vec<u8>) {
        while n > 0x7f {
            out.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
    }

    fn field(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
        varint(number << 3 | 2, out);
        varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }

    /// The bytes of a model with that metadata, weights of `weights` bytes, and one output of that shape (0: free).
    pub(in crate::asr::sherpa) fn model(
        metadata: &[(&str, &str)],
        weights: usize,
        output: &[u64],
    ) -> Vec<u8> {
        let mut shape = Vec::new();
        for size in output {
            let mut dim = Vec::new();
            if *size > 0 {
                varint(1 << 3, &mut dim);
                varint(*size, &mut dim);
            } else {
                field(2, b"N", &mut dim);
            }
            field(1, &dim, &mut shape);
        }
        let mut kind = vec![1 << 3, 1];
        field(2, &shape, &mut kind);
        let (mut of_type, mut info) = (Vec::new(), Vec::new());
        field(1, &kind, &mut of_type);
        field(1, b"logprobs", &mut info);
        field(2, &of_type, &mut info);
        let mut graph = Vec::new();
        field(5, &vec![7; weights], &mut graph);
        field(12, &info, &mut graph);
        let mut model = vec![1 << 3, 9];
        field(7, &graph, &mut model);
        for (key, value) in metadata {
            let mut entry = Vec::new();
            field(1, key.as_bytes(), &mut entry);
            field(2, value.as_bytes(), &mut entry);
            field(14, &entry, &mut model);
        }
        model
    }

    fn read_bytes(bytes: &[u8]) -> Result<OnnxHead, OnnxError> {
        read(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn the_head_is_read_and_the_weights_are_not() {
        let bytes = model(
            &[("model_type", "t-one"), ("state_dim", "64")],
            1_000_000,
            &[0, 10, 35],
        );
        let head = read_bytes(&bytes).unwrap();
        assert_eq!(head.metadata["model_type"], "t-one");
        assert_eq!(head.metadata["state_dim"], "64");
        assert_eq!(head.outputs[0].name, "logprobs");
        assert_eq!(head.outputs[0].shape, [None, Some(10), Some(35)]);
    }

    #[test]
    fn what_is_no_model_says_why() {
        let whole = model(&[], 5000, &[0, 10, 35]);
        for (bytes, expect) in [
            (&b""[..], "is empty"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
                "Git LFS pointer",
            ),
            (b"<!DOCTYPE html><title>404</title>", "no ONNX file"),
            (b"PK\x03\x04....", "no ONNX file"),
            (b"BZh91AY&SY", "no ONNX file"),
            (&[0; 64], "no ONNX file"),
            (&[0xff; 64], "no ONNX file"),
            (&[8, 9], "no ONNX file"),
            (&whole[..3000], "was cut short: it has 3000 bytes"),
            (&whole[..5], "was cut short"),
        ] {
            let told = read_bytes(bytes).unwrap_err().to_string();
            assert!(told.contains(expect), "{told}");
        }
    }

    #[test]
    fn no_bytes_break_the_reader() {
        let whole = model(&[("a", "b")], 20, &[0, 10, 35]);
        for cut in 0..whole.len() {
            let _ = read_bytes(&whole[..cut]);
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[cut] = value;
                let _ = read_bytes(&changed);
            }
        }
    }
}
