"""Turns Whisper weights in CTranslate2's format into whisper.cpp's ggml format.

Usage: ct2_to_ggml.py SOURCE_FOLDER TARGET_FILE

SOURCE_FOLDER holds model.bin (float16 or float32, not quantised) and tokenizer.json. Needs numpy only: the mel filters,
which the CTranslate2 folder lacks, are computed here in the way that Whisper's own mel_filters.npz was (Slaney's scale
and norm, 16 kHz, 400-point FFT, 80 bands).
"""

import json
import re
import struct
import sys

import numpy as np

GGML_MAGIC = 0x67676D6C
DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
AUDIO_CONTEXT, TEXT_CONTEXT, MEL_BANDS, HEAD_SIZE = 1500, 448, 80, 64


def read_ct2(path):
    """All tensors of a CTranslate2 model.bin, by name."""
    with open(path, "rb") as file:

        def number(code):
            return struct.unpack("<" + code, file.read(struct.calcsize(code)))[0]

        def text():
            return file.read(number("H")).rstrip(b"\0").decode()

        version, spec, _revision, count = number("I"), text(), number("I"), number("I")
        print(f"CTranslate2 format {version}, {spec}, {count} tensors")
        tensors = {}
        for _ in range(count):
            name = text()
            shape = [number("I") for _ in range(number("B"))]
            dtype = DTYPES[number("B")]
            tensors[name] = np.frombuffer(file.read(number("I")), dtype=dtype).reshape(shape)
    if any(name.endswith("weight_scale") for name in tensors):
        raise SystemExit(f"{path}: quantised weights, need float16 or float32")
    return tensors


def mel_filters(rate=16000, fft=400, bands=MEL_BANDS):
    """Slaney's mel filter bank, [bands, fft / 2 + 1], as librosa.filters.mel makes it."""
    linear_step, log_from = 200.0 / 3, 1000.0
    log_mel, log_step = log_from / linear_step, np.log(6.4) / 27.0
    top = log_mel + np.log(rate / 2 / log_from) / log_step
    mels = np.linspace(0.0, top, bands + 2)
    hertz = np.where(mels < log_mel, mels * linear_step, log_from * np.exp(log_step * (mels - log_mel)))
    bins = np.fft.rfftfreq(fft, 1.0 / rate)
    ramps = hertz[:, None] - bins[None, :]
    widths = np.diff(hertz)
    lower = -ramps[:-2] / widths[:-1, None]
    upper = ramps[2:] / widths[1:, None]
    weights = np.maximum(0.0, np.minimum(lower, upper))
    return (weights * (2.0 / (hertz[2:] - hertz[:-2]))[:, None]).astype(np.float32)


def ggml_tensors(ct2):
    """whisper.cpp's names and shapes for the same weights."""

    def take(name):
        return ct2[name].astype(np.float32)

    def layers(side):
        found = (re.match(rf"{side}/layer_(\d+)/", name) for name in ct2)
        return max(int(match.group(1)) for match in found if match) + 1

    embedding = take("decoder/embeddings/weight")
    width = embedding.shape[1]
    out = {
        "encoder.conv1.weight": take("encoder/conv1/weight"),
        "encoder.conv1.bias": take("encoder/conv1/bias").reshape(-1, 1),
        "encoder.conv2.weight": take("encoder/conv2/weight"),
        "encoder.conv2.bias": take("encoder/conv2/bias").reshape(-1, 1),
        "encoder.positional_embedding": take("encoder/position_encodings/encodings"),
        "decoder.positional_embedding": take("decoder/position_encodings/encodings"),
        "decoder.token_embedding.weight": embedding,
        "encoder.ln_post.weight": take("encoder/layer_norm/gamma"),
        "encoder.ln_post.bias": take("encoder/layer_norm/beta"),
        "decoder.ln.weight": take("decoder/layer_norm/gamma"),
        "decoder.ln.bias": take("decoder/layer_norm/beta"),
    }

    def pair(target, source):
        out[target + ".weight"] = take(source + "/weight")
        out[target + ".bias"] = take(source + "/bias")

    def norm(target, source):
        out[target + ".weight"] = take(source + "/layer_norm/gamma")
        out[target + ".bias"] = take(source + "/layer_norm/beta")

    def split(target, source, parts):
        """CTranslate2 joins the projections of one attention in a row; Whisper's key has no bias."""
        weight, bias = take(source + "/weight"), take(source + "/bias")
        for index, part in enumerate(parts):
            rows = slice(index * width, (index + 1) * width)
            out[f"{target}.{part}.weight"] = weight[rows]
            if part != "key":
                out[f"{target}.{part}.bias"] = bias[rows]

    for side in ("encoder", "decoder"):
        for index in range(layers(side)):
            source, target = f"{side}/layer_{index}", f"{side}.blocks.{index}"
            split(target + ".attn", source + "/self_attention/linear_0", ("query", "key", "value"))
            pair(target + ".attn.out", source + "/self_attention/linear_1")
            norm(target + ".attn_ln", source + "/self_attention")
            if side == "decoder":
                split(target + ".cross_attn", source + "/attention/linear_0", ("query",))
                split(target + ".cross_attn", source + "/attention/linear_1", ("key", "value"))
                pair(target + ".cross_attn.out", source + "/attention/linear_2")
                norm(target + ".cross_attn_ln", source + "/attention")
            pair(target + ".mlp.0", source + "/ffn/linear_0")
            pair(target + ".mlp.2", source + "/ffn/linear_1")
            norm(target + ".mlp_ln", source + "/ffn")
    return out, (embedding.shape[0], width, layers("encoder"), layers("decoder"))


def vocabulary(path, size):
    """Tokens as bytes, by number: the file holds GPT-2's printable stand-ins for bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    with open(path, encoding="utf8") as file:
        tokens = json.load(file)["model"]["vocab"]
    limit = 50257 if size >= 51865 else 50256
    words = sorted((number, token) for token, number in tokens.items() if number < limit)
    return [
        bytes(byte_of[c] for c in token) if all(c in byte_of for c in token) else token.encode() for _, token in words
    ]


def main(source, target):
    tensors, (vocab, width, encoder_layers, decoder_layers) = ggml_tensors(read_ct2(source + "/model.bin"))
    filters = mel_filters()
    words = vocabulary(source + "/tokenizer.json", vocab)
    heads = width // HEAD_SIZE
    with open(target, "wb") as out:
        out.write(struct.pack("<i", GGML_MAGIC))
        out.write(struct.pack("<11i", vocab, AUDIO_CONTEXT, width, heads, encoder_layers, TEXT_CONTEXT, width, heads,
                              decoder_layers, MEL_BANDS, 1))
        out.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        out.write(struct.pack("<i", len(words)))
        for word in words:
            out.write(struct.pack("<i", len(word)) + word)
        for name, tensor in tensors.items():
            whole = tensor.ndim < 2 or name.endswith(("conv1.bias", "conv2.bias")) or "positional" in name
            data = np.ascontiguousarray(tensor.astype(np.float32 if whole else np.float16))
            encoded = name.encode()
            out.write(struct.pack("<3i", data.ndim, len(encoded), 0 if whole else 1))
            out.write(struct.pack(f"<{data.ndim}i", *reversed(data.shape)))
            out.write(encoded + data.tobytes())
    print(f"{target}: {len(tensors)} tensors, {len(words)} tokens")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
